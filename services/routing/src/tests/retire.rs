//! A worker whom the region's description does not have any more.

use proto::intake::CaseModeChanged;
use proto::routing::{CaseReleased, OfferEnded};

use super::*;

async fn take(suite: &Suite, worker: Principal, n: u8) {
    suite.arrive(n, Severity::Soon, "").await;
    let offer = suite.offer(worker.clone()).await;
    suite.accept(worker, &offer, "").await.unwrap();
}

/// Returns once nobody has anything whom the region does not know.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waits = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waits).await.unwrap_or_else(|_| panic!("{what}"));
}

#[tokio::test]
async fn a_removed_workers_cases_and_offers_go_back_at_once() {
    let suite = Suite::new().await;
    let running = tokio::spawn(crate::app::retire::run(suite.app.clone()));
    suite.present(anna(), 0).await;
    take(&suite, anna(), 1).await;
    take(&suite, anna(), 2).await;
    suite.intake(2, CaseModeChanged { mode: CaseMode::Asynchronous.into(), ..Default::default() }).await;
    suite.arrive(3, Severity::Soon, "").await;
    suite.offer(anna()).await;
    suite.present(bea(), 0).await;
    region_yaml::apply_without(&suite.app.node, &["anna"]).await;
    until("all three wait for others", async || suite.offers(bea()).await.len() == 3).await;
    for n in [1, 2] {
        assert_eq!(suite.last::<CaseReleased>(n).await.worker_id, "anna");
        let released = suite.explain(n).await.into_iter().find(|one| one.kind == "released").unwrap();
        assert_eq!(released.why_code, "worker_removed");
    }
    assert_eq!(suite.last::<OfferEnded>(3).await.why, "rescinded");
    assert_eq!(suite.offers(bea()).await.iter().filter(|offer| offer.case_id == case(2).to_string()).count(), 1);
    let db = suite.app.node.db().of("sjukvard");
    let rows = db.rows("SELECT present, vanished FROM presence WHERE worker = 'anna'", store::args![]).await.unwrap();
    assert!(!rows[0].bool(0).unwrap() && !rows[0].bool(1).unwrap());
    // She is described again: she may come, and nothing is given back twice.
    region_yaml::apply(&suite.app.node).await;
    assert!(suite.present(anna(), 0).await.present);
    suite.app.retire().await.unwrap();
    assert_eq!(suite.said_types(1).await.iter().filter(|one| *one == "CaseReleased").count(), 1);
    suite.shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn what_a_crash_left_is_found_at_the_start_and_others_keep_theirs() {
    let suite = Suite::new().await;
    suite.present(anna(), 0).await;
    take(&suite, anna(), 1).await;
    suite.present(bea(), 0).await;
    suite.leave(anna()).await;
    take(&suite, bea(), 2).await;
    // A hand-over to a colleague who is removed comes back to its holder.
    suite.transfer(bea(), 2, "cia").await.unwrap();
    region_yaml::apply_without(&suite.app.node, &["anna", "cia"]).await;
    suite.app.retire().await.unwrap();
    assert_eq!(suite.handovers(bea()).await, [("cia".to_owned(), true)]);
    assert_eq!(suite.offers(bea()).await[0].case_id, case(1).to_string(), "who had left had it still");
    assert!(!suite.said_types(2).await.contains(&"CaseReleased".to_owned()), "Bea keeps hers");
    // A second look finds nothing.
    let said = suite.said_types(1).await;
    suite.app.retire().await.unwrap();
    assert_eq!(suite.said_types(1).await, said);
}
