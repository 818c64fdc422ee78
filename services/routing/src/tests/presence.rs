use proto::intake::CaseModeChanged;
use proto::routing::OfferEnded;

use super::*;

async fn take(suite: &Suite, worker: Principal, n: u8) {
    suite.arrive(n, Severity::Soon, "").await;
    let offer = suite.offer(worker.clone()).await;
    suite.accept(worker, &offer, "").await.unwrap();
}

#[tokio::test]
async fn who_leaves_keeps_their_cases_and_their_offers_go_on() {
    let suite = Suite::new().await;
    let one = suite.present(anna(), 0).await;
    assert_eq!((one.present, one.capacity, one.load), (true, 100, 0));
    take(&suite, anna(), 1).await;
    suite.arrive(2, Severity::Soon, "").await;
    suite.present(bea(), 0).await;
    suite.offer(anna()).await;
    suite.leave(anna()).await;
    assert!(suite.offers(anna()).await.is_empty());
    assert_eq!(suite.last::<OfferEnded>(2).await.why, "rescinded");
    assert_eq!(suite.offers(bea()).await[0].case_id, case(2).to_string());
    let message = wire::ListPresenceRequest::default();
    let list = suite.api.list_presence(from(lea(), "ListPresence", message.clone())).await.unwrap().into_inner().presences;
    let seen: Vec<_> = list.iter().map(|one| (one.worker_id.as_str(), one.present, one.load)).collect();
    assert_eq!(seen, [("anna", false, 30), ("bea", true, 30)]);
    assert!(suite.api.list_presence(from(bo(), "ListPresence", message)).await.unwrap().into_inner().presences.is_empty());
    let foreign = wire::ListPresenceRequest { clinic_id: "ett".into() };
    assert_eq!(refusal(suite.api.list_presence(from(bo(), "ListPresence", foreign)).await), (Code::NotFound, "NOT_FOUND"));
}

#[tokio::test]
async fn who_vanishes_gives_live_cases_back_after_a_grace_and_keeps_the_others() {
    let mut suite = Suite::new().await;
    suite.present(anna(), 0).await;
    take(&suite, anna(), 1).await;
    take(&suite, anna(), 2).await;
    suite.intake(2, CaseModeChanged { mode: CaseMode::Asynchronous.into(), ..Default::default() }).await;
    suite.pass(300).await;
    suite.present(anna(), 0).await;
    suite.pass(599).await;
    suite.present(bea(), 0).await;
    suite.pass(1).await;
    assert!(suite.offers(bea()).await.is_empty(), "the grace has begun");
    suite.pass(120).await;
    assert_eq!(suite.offers(bea()).await[0].case_id, case(1).to_string());
    assert_eq!(suite.said_types(1).await[2..], ["CaseAssigned", "CaseReleased", "CaseQueued", "CaseOffered"]);
    assert_eq!(suite.said_types(2).await.last().unwrap(), "CaseAssigned");
}

#[tokio::test]
async fn who_comes_back_within_the_grace_keeps_everything() {
    let mut suite = Suite::new().await;
    suite.present(anna(), 0).await;
    take(&suite, anna(), 1).await;
    suite.pass(600).await;
    suite.pass(100).await;
    suite.present(anna(), 0).await;
    suite.pass(200).await;
    assert_eq!(suite.said_types(1).await.last().unwrap(), "CaseAssigned");
}

#[tokio::test]
async fn presence_holds_for_as_long_as_the_worker_says() {
    let mut suite = Suite::new().await;
    let message = wire::SetPresenceRequest { present: true, hold_seconds: 20, ..Default::default() };
    suite.api.set_presence(from(anna(), "SetPresence", message)).await.unwrap();
    suite.arrive(1, Severity::Soon, "").await;
    suite.pass(19).await;
    suite.offer(anna()).await;
    suite.pass(1).await;
    assert!(suite.offers(anna()).await.is_empty());
    assert_eq!(suite.last::<OfferEnded>(1).await.why, "rescinded");
}

#[tokio::test]
async fn an_asynchronous_case_takes_no_room_from_a_live_one() {
    let suite = Suite::new().await;
    suite.present(anna(), 30).await;
    take(&suite, anna(), 1).await;
    suite.arrive(2, Severity::Soon, "").await;
    assert!(suite.offers(anna()).await.is_empty());
    suite.intake(1, CaseModeChanged { mode: CaseMode::Asynchronous.into(), ..Default::default() }).await;
    suite.offer(anna()).await;
}

#[tokio::test]
async fn a_worker_whom_the_region_does_not_know_cannot_be_present() {
    let suite = Suite::new().await;
    for stranger in [principal(Role::Worker, "sjukvard", "nobody", &["ett"]), principal(Role::Worker, "annan", "anna", &["bortom"])] {
        let message = wire::SetPresenceRequest { present: true, ..Default::default() };
        assert_eq!(
            refusal(suite.api.set_presence(from(stranger, "SetPresence", message)).await),
            (Code::FailedPrecondition, "WORKER_UNKNOWN")
        );
    }
    for (capacity, hold_seconds) in [(5000, 0), (0, 50_000)] {
        let message = wire::SetPresenceRequest { present: true, capacity, hold_seconds, ..Default::default() };
        assert_eq!(refusal(suite.api.set_presence(from(anna(), "SetPresence", message)).await), (Code::InvalidArgument, "INVALID_FIELD"));
    }
}

#[tokio::test]
async fn a_volunteer_sees_their_own_presence_and_nobody_elses() {
    let suite = Suite::new().await;
    suite.present(anna(), 0).await;
    suite.present(bea(), 0).await;
    let volunteer = Principal { role: Role::Volunteer, ..anna() };
    for clinic_id in [String::new(), "ett".to_owned(), "zwei".to_owned()] {
        let message = wire::ListPresenceRequest { clinic_id };
        let list = suite.api.list_presence(from(volunteer.clone(), "ListPresence", message)).await.unwrap().into_inner().presences;
        assert_eq!(list.iter().map(|one| one.worker_id.as_str()).collect::<Vec<_>>(), ["anna"]);
    }
}

#[tokio::test]
async fn the_directory_names_ones_own_organisation_only() {
    let suite = Suite::new().await;
    let ask = async |principal: Principal, language: &str| {
        let message = wire::GetDirectoryRequest { language: language.into() };
        suite.api.get_directory(from(principal, "GetDirectory", message)).await
    };
    let known = ask(anna(), "").await.unwrap().into_inner();
    assert!(known.workers.iter().any(|one| one.worker_id == "bea" && !one.name.is_empty() && !one.queue_ids.is_empty()));
    assert!(known.workers.iter().all(|one| one.worker_id != "bo"), "bo is of another organisation");
    assert!(!known.queues.is_empty() && !known.clinics.is_empty());
    assert_eq!(refusal(ask(anna(), "xx").await), (Code::InvalidArgument, "INVALID_FIELD"));
}
