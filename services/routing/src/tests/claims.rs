use proto::routing::{CaseAssigned, CaseReleased};

use super::*;

const UNKNOWN: Refused = (Code::NotFound, "NOT_FOUND");

fn tor() -> Principal {
    principal(Role::Worker, "sjukvard", "tor", &["tva"])
}

#[tokio::test]
async fn of_many_who_claim_one_gets_the_case() {
    let suite = Suite::new().await;
    suite.present(anna(), 0).await;
    suite.arrive(1, Severity::Soon, "hylla").await;
    assert!(suite.offers(anna()).await.is_empty(), "a list is not offered from");
    let claims: Vec<_> = (0..10).map(|n| suite.claim(if n % 2 == 0 { anna() } else { bea() }, 1)).collect();
    let done = futures::future::join_all(claims).await;
    assert_eq!(done.iter().filter(|one| one.is_ok()).count(), 1);
    for lost in done.into_iter().filter(Result::is_err) {
        assert_eq!(refusal(lost), (Code::FailedPrecondition, "CASE_ALREADY_ASSIGNED"));
    }
    assert_eq!(suite.last::<CaseAssigned>(1).await.how, "claimed");
    assert_eq!(suite.said_types(1).await, ["CaseQueued", "CaseAssigned"]);
}

#[tokio::test]
async fn only_a_leader_claims_what_is_offered_from() {
    let suite = Suite::new().await;
    suite.arrive(1, Severity::Soon, "").await;
    assert_eq!(refusal(suite.claim(anna(), 1).await), (Code::FailedPrecondition, "QUEUE_OFFERS"));
    assert_eq!(refusal(suite.claim(tor(), 1).await), UNKNOWN, "another clinic's case");
    let cia = principal(Role::Worker, "sjukvard", "cia", &["ett"]);
    suite.arrive(2, Severity::Soon, "hylla").await;
    assert_eq!(refusal(suite.claim(cia, 2).await), (Code::FailedPrecondition, "QUEUE_NOT_YOURS"));
    suite.claim(lea(), 1).await.unwrap();
    assert_eq!(suite.last::<CaseAssigned>(1).await.worker_id, "lea");
}

#[tokio::test]
async fn a_released_case_waits_at_its_age_and_asks_another_first() {
    let mut suite = Suite::new().await;
    suite.present(anna(), 0).await;
    suite.arrive(1, Severity::Soon, "").await;
    let since = suite.queue(lea(), "fram").await.unwrap()[0].waiting_since;
    let offer = suite.offer(anna()).await;
    suite.accept(anna(), &offer, "").await.unwrap();
    suite.pass(60).await;
    suite.present(bea(), 0).await;
    assert_eq!(refusal(suite.release(bea(), 1).await), UNKNOWN, "not the holder");
    suite.release(anna(), 1).await.unwrap();
    assert_eq!(suite.last::<CaseReleased>(1).await.worker_id, "anna");
    suite.offer(bea()).await;
    assert_eq!(suite.queue(lea(), "fram").await.unwrap()[0].waiting_since, since);
    assert_eq!(refusal(suite.release(lea(), 1).await), (Code::FailedPrecondition, "NOT_HOLDER"));
}

#[tokio::test]
async fn a_handover_is_offered_and_the_case_follows_to_the_colleagues_clinic() {
    let suite = Suite::new().await;
    suite.present(anna(), 0).await;
    suite.arrive(1, Severity::Soon, "").await;
    let offer = suite.offer(anna()).await;
    suite.accept(anna(), &offer, "").await.unwrap();
    assert_eq!(refusal(suite.transfer(anna(), 1, "nobody").await), UNKNOWN);
    assert_eq!(refusal(suite.transfer(anna(), 1, "bo").await), UNKNOWN, "another organisation's worker");
    assert_eq!(refusal(suite.transfer(bea(), 1, "tor").await), UNKNOWN, "not the holder");
    suite.transfer(anna(), 1, "tor").await.unwrap();
    assert_eq!(suite.handovers(anna()).await, [("tor".to_owned(), false)]);
    let declined = suite.offer(tor()).await;
    suite.decline(tor(), &declined).await.unwrap();
    // Told to whoever asked, and to nobody else.
    assert_eq!(suite.handovers(anna()).await, [("tor".to_owned(), true)]);
    assert!(suite.handovers(bea()).await.is_empty() && suite.handovers(tor()).await.is_empty());
    suite.transfer(lea(), 1, "tor").await.unwrap();
    let offer = suite.offer(tor()).await;
    suite.accept(tor(), &offer, "").await.unwrap();
    let assigned: CaseAssigned = suite.last(1).await;
    assert_eq!((assigned.worker_id.as_str(), assigned.how.as_str(), assigned.queue_id.as_str()), ("tor", "transferred", "bak"));
    assert_eq!(suite.said(1).await.last().unwrap().clinic_id, "tva");
    assert!(!suite.said_types(1).await.contains(&"CaseReleased".to_owned()));
}
