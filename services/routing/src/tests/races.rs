//! P18: two workers never hold one case, and nobody is asked beyond their room, with two replicas on one database.

use std::collections::BTreeMap;

use super::*;

const CASES: u8 = 24;

/// A second replica on the same database.
async fn twin(suite: &Suite) -> Api {
    let node = suite.app.node.platform.node("routing", &crate::store::TABLES, crate::check).await.unwrap();
    Api::new(App::new(node))
}

/// The worker accepts whatever comes, at both replicas at once, until nothing comes any more.
async fn work(apis: [Api; 2], worker: Principal, done: CancellationToken) {
    loop {
        let over = done.is_cancelled();
        let offers = apis[0].list_offers(from(worker.clone(), "ListOffers", wire::ListOffersRequest {})).await.unwrap().into_inner().offers;
        if offers.is_empty() && over {
            return;
        }
        for offer in offers {
            let message = |request_id: &str| wire::AcceptOfferRequest { request_id: request_id.into(), offer_id: offer.offer_id.clone() };
            let (one, other) = tokio::join!(
                apis[0].accept_offer(from(worker.clone(), "AcceptOffer", message(""))),
                apis[1].accept_offer(from(worker.clone(), "AcceptOffer", message("")))
            );
            assert!(one.is_err() || other.is_err(), "accepted twice");
            for lost in [one, other].into_iter().filter_map(Result::err) {
                let known = matches!(lost.reason, "OFFER_STALE" | "CASE_CLOSED") || lost.code == Code::Aborted;
                assert!(known, "{lost}");
            }
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p18_two_replicas_never_give_one_case_to_two_nor_too_much_to_one() {
    let suite = Suite::new().await;
    let other = twin(&suite).await;
    let cia = principal(Role::Worker, "sjukvard", "cia", &["ett"]);
    for worker in [anna(), bea(), cia.clone()] {
        suite.present(worker, 90).await;
    }
    let done = CancellationToken::new();
    let workers: Vec<_> = [anna(), bea(), cia]
        .into_iter()
        .map(|worker| tokio::spawn(work([suite.api.clone(), other.clone()], worker, done.clone())))
        .collect();
    for n in 0..CASES {
        suite.arrive(n, if n % 3 == 0 { Severity::Urgent } else { Severity::Routine }, if n % 4 == 0 { "hylla" } else { "" }).await;
        if n % 4 == 0 {
            let claim = |worker| wire_claim(n, worker);
            let (one, two) = tokio::join!(suite.api.claim_case(claim(anna())), other.claim_case(claim(bea())));
            assert!(one.is_err() || two.is_err(), "claimed twice");
            suite.close(n).await;
        }
    }
    // Those who are full are freed one by one, which lets the rest go on.
    let rows =
        suite.app.node.db().of("care").rows("SELECT worker, case_id FROM assignment WHERE ended_at IS NULL", store::args![]).await.unwrap();
    let mut held: BTreeMap<String, u32> = BTreeMap::new();
    for row in &rows {
        *held.entry(row.text(0).unwrap()).or_default() += 1;
    }
    assert!(held.values().all(|count| *count <= 3), "90 points hold three chats: {held:?}");
    for round in 0..CASES {
        for n in (0..CASES).filter(|n| n % 4 != 0 && (n + round) % 3 == 0) {
            let holder = suite
                .app
                .node
                .db()
                .of("care")
                .row("SELECT holder FROM routing_case WHERE case_id = $1", store::args![case(n)])
                .await
                .unwrap();
            if !holder.unwrap().text(0).unwrap().is_empty() {
                suite.close(n).await;
            }
        }
        tokio::task::yield_now().await;
    }
    done.cancel();
    for worker in workers {
        worker.await.unwrap();
    }
    for n in 0..CASES {
        let said = suite.said_types(n).await;
        assert!(said.iter().filter(|one| *one == "CaseAssigned").count() <= 1, "{said:?}");
    }
}

fn wire_claim(n: u8, worker: Principal) -> Request<wire::ClaimCaseRequest> {
    from(worker, "ClaimCase", wire::ClaimCaseRequest { case_id: case(n).to_string(), ..Default::default() })
}
