use proto::intake::{CaseErased, CaseReopened};
use proto::routing::{CaseAssigned, CaseQueued, OfferEnded};

use super::*;

#[tokio::test]
async fn triage_may_speak_before_the_case_is_known() {
    let mut suite = Suite::new().await;
    suite.triage(1, Severity::Soon, "hylla").await;
    assert!(suite.said(1).await.is_empty());
    suite.open(1).await;
    let queued: CaseQueued = suite.last(1).await;
    assert_eq!((queued.queue_id.as_str(), queued.severity()), ("hylla", proto::intake::Severity::Soon));
    suite.pass(31).await;
    assert_eq!(suite.said_types(1).await, ["CaseQueued"], "the deadline has nothing left to do");
}

#[tokio::test]
async fn a_case_that_triage_does_not_answer_for_waits_as_urgent_from_its_deadline_on() {
    let mut suite = Suite::new().await;
    suite.open(1).await;
    let place = suite.position(visitor(), 1).await.unwrap();
    assert_eq!((place.waiting, place.position), (true, 1));
    suite.pass(29).await;
    assert!(suite.said(1).await.is_empty());
    suite.pass(1).await;
    let queued: CaseQueued = suite.last(1).await;
    assert_eq!((queued.queue_id.as_str(), queued.severity()), ("fram", proto::intake::Severity::Urgent));
    assert_eq!(queued.waiting_since, Some(proto::timestamp(START)));
    suite.triage(1, Severity::Admin, "").await;
    assert_eq!(suite.queue(lea(), "fram").await.unwrap()[0].severity(), proto::intake::Severity::Urgent, "a late verdict does not lower");
}

#[tokio::test]
async fn nobody_stands_behind_a_message_that_was_left_for_the_next_opening() {
    let suite = Suite::new().await;
    let opens_at = Some(proto::timestamp(START + Duration::from_secs(3600)));
    suite.intake(1, CaseOpened { left_message: true, opens_at, ..opened("dorr") }).await;
    suite.triage(1, Severity::Routine, "").await;
    suite.clock.advance_to(START + Duration::from_secs(1));
    suite.arrive(2, Severity::Routine, "").await;
    let place = async |n: u8| suite.position(visitor(), n).await.unwrap().position;
    assert_eq!(place(2).await, 1);
    assert_eq!(place(1).await, 1, "its own place is by when it was left");
    suite.clock.advance_to(START + Duration::from_secs(3600));
    assert_eq!(place(2).await, 2, "from the opening on it waits like all others");
}

#[tokio::test]
async fn a_new_verdict_raises_and_a_worker_lowers() {
    let suite = Suite::new().await;
    suite.arrive(1, Severity::Routine, "").await;
    suite.triage(1, Severity::Emergency, "").await;
    let severity = |list: Vec<wire::QueuedCase>| list[0].severity();
    assert_eq!(severity(suite.queue(lea(), "fram").await.unwrap()), proto::intake::Severity::Emergency);
    let lowered = CaseTriaged {
        severity: proto::intake::Severity::Soon.into(),
        profession: "any".into(),
        lowered_by_worker: true,
        ..CaseTriaged::default()
    };
    suite.happens(|app| Box::new(Triage(app.desks.clone())), 1, lowered).await;
    assert_eq!(severity(suite.queue(lea(), "fram").await.unwrap()), proto::intake::Severity::Soon);
}

#[tokio::test]
async fn closing_takes_back_what_is_offered() {
    let suite = Suite::new().await;
    suite.present(anna(), 0).await;
    suite.arrive(1, Severity::Soon, "").await;
    let offer = suite.offer(anna()).await;
    suite.close(1).await;
    assert!(suite.offers(anna()).await.is_empty());
    assert_eq!(suite.last::<OfferEnded>(1).await.why, "rescinded");
    assert_eq!(refusal(suite.accept(anna(), &offer, "").await), (Code::FailedPrecondition, "CASE_CLOSED"));
    assert!(!suite.position(visitor(), 1).await.unwrap().waiting);
    suite.triage(1, Severity::Emergency, "").await;
    assert_eq!(suite.kinds(1).await.last().unwrap(), "closed");
}

#[tokio::test]
async fn a_case_opened_again_goes_to_whom_had_it_or_waits() {
    let suite = Suite::new().await;
    suite.present(anna(), 0).await;
    for n in [1, 2] {
        suite.arrive(n, Severity::Soon, "").await;
        let offer = suite.offer(anna()).await;
        suite.accept(anna(), &offer, "").await.unwrap();
        suite.close(n).await;
    }
    suite.leave(anna()).await;
    suite.intake(1, CaseReopened { mode: CaseMode::Asynchronous.into() }).await;
    let assigned: CaseAssigned = suite.last(1).await;
    assert_eq!((assigned.worker_id.as_str(), assigned.how.as_str()), ("anna", "kept"));
    suite.intake(2, CaseReopened { mode: CaseMode::Live.into() }).await;
    assert_eq!(suite.said_types(2).await.last().unwrap(), "CaseQueued");
    assert_eq!(suite.queue(lea(), "fram").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_worker_who_opens_a_case_may_keep_it() {
    let suite = Suite::new().await;
    suite.intake(1, CaseOpened { keep: true, opened_by_worker_id: "anna".into(), ..opened("dorr") }).await;
    let assigned: CaseAssigned = suite.last(1).await;
    assert_eq!((assigned.worker_id.as_str(), assigned.how.as_str(), assigned.queue_id.as_str()), ("anna", "kept", ""));
    suite.triage(1, Severity::Soon, "").await;
    assert_eq!(suite.said_types(1).await, ["CaseAssigned"]);
    suite.release(anna(), 1).await.unwrap();
    assert_eq!(suite.queue(lea(), "fram").await.unwrap()[0].severity(), proto::intake::Severity::Soon);
}

#[tokio::test]
async fn a_left_message_is_offered_from_the_opening_on() {
    let mut suite = Suite::new().await;
    suite.present(anna(), 0).await;
    let opens_at = Some(proto::timestamp(START + Duration::from_secs(40)));
    suite.intake(1, CaseOpened { left_message: true, opens_at, ..opened("dorr") }).await;
    suite.triage(1, Severity::Soon, "").await;
    assert_eq!(suite.queue(lea(), "fram").await.unwrap().len(), 1);
    suite.pass(39).await;
    assert!(suite.offers(anna()).await.is_empty());
    suite.pass(1).await;
    suite.offer(anna()).await;
}

#[tokio::test]
async fn an_erased_case_is_forgotten() {
    let suite = Suite::new().await;
    suite.present(anna(), 0).await;
    suite.arrive(1, Severity::Soon, "").await;
    suite.close(1).await;
    suite.intake(1, CaseErased {}).await;
    assert!(suite.said(1).await.iter().all(|one| one.erased && one.payload.is_empty()));
    assert_eq!(refusal(suite.position(visitor(), 1).await), (Code::NotFound, "NOT_FOUND"));
    // What comes late about it has no effect.
    suite.close(1).await;
    suite.intake(1, CaseReopened { mode: CaseMode::Live.into() }).await;
    assert!(suite.queue(lea(), "fram").await.unwrap().is_empty());
}
