use futures::StreamExt;
use proto::routing::watch_offers_response::Event;
use proto::routing::{CaseAssigned, OfferEnded};

use super::*;

const STALE: Refused = (Code::FailedPrecondition, "OFFER_STALE");
const UNKNOWN: Refused = (Code::NotFound, "NOT_FOUND");

#[tokio::test]
async fn an_offer_times_out_and_goes_to_the_next_who_accepts() {
    let mut suite = Suite::new().await;
    suite.present(anna(), 0).await;
    suite.pass(1).await;
    suite.present(bea(), 0).await;
    suite.arrive(1, Severity::Soon, "").await;
    let first = suite.offer(anna()).await;
    assert!(suite.offers(bea()).await.is_empty(), "one is asked at a time");
    suite.pass(29).await;
    assert_eq!(suite.offer(anna()).await, first);
    suite.pass(1).await;
    assert!(suite.offers(anna()).await.is_empty());
    assert_eq!(suite.last::<OfferEnded>(1).await.why, "timed_out");
    assert_eq!(refusal(suite.accept(anna(), &first, "").await), STALE);
    let second = suite.offer(bea()).await;
    let answer = suite.accept(bea(), &second, "").await.unwrap();
    assert!(answer.extensions().get::<rpc::position::Reached>().is_some_and(|reached| reached.service == "routing"));
    let answer = answer.into_inner();
    assert_eq!((answer.case_id, answer.assigned_at), (case(1).to_string(), Some(proto::timestamp(suite.clock.now()))));
    let assigned: CaseAssigned = suite.last(1).await;
    assert_eq!((assigned.worker_id.as_str(), assigned.how.as_str(), assigned.queue_id.as_str()), ("bea", "accepted", "fram"));
    assert_eq!(suite.said_types(1).await, ["CaseQueued", "CaseOffered", "OfferEnded", "CaseQueued", "CaseOffered", "CaseAssigned"]);
    assert_eq!(suite.kinds(1).await, ["queued", "offered", "timed_out", "queued", "offered", "accepted"]);
    let decisions = suite.explain(1).await;
    let verdicts: Vec<_> = decisions[4].candidates.iter().map(|one| (one.worker_id.as_str(), one.why.as_str())).collect();
    assert_eq!(verdicts, [("anna", "EXCLUDED"), ("bea", "ELIGIBLE"), ("cia", "ABSENT"), ("lea", "ABSENT")]);
    assert!(decisions[4].why.contains("offer_seconds 30"), "{}", decisions[4].why);
}

#[tokio::test]
async fn of_two_concurrent_accepts_one_wins() {
    let suite = Suite::new().await;
    suite.present(anna(), 0).await;
    suite.arrive(1, Severity::Soon, "").await;
    let offer = suite.offer(anna()).await;
    let (one, other) = tokio::join!(suite.accept(anna(), &offer, "a"), suite.accept(anna(), &offer, "b"));
    let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
    assert!(won.is_ok());
    assert_eq!(refusal(lost), STALE);
    assert_eq!(suite.said_types(1).await.iter().filter(|one| *one == "CaseAssigned").count(), 1);
}

#[tokio::test]
async fn a_repeated_accept_gets_the_same_answer_and_another_request_under_its_id_none() {
    let suite = Suite::new().await;
    suite.present(anna(), 0).await;
    suite.arrive(1, Severity::Soon, "").await;
    suite.arrive(2, Severity::Soon, "").await;
    let offers = suite.offers(anna()).await;
    assert_eq!(offers.len(), 2, "there is room for three chats");
    let first = suite.accept(anna(), &offers[0].offer_id, "once").await.unwrap().into_inner();
    let again = suite.accept(anna(), &offers[0].offer_id, "once").await.unwrap().into_inner();
    assert_eq!(first, again);
    assert_eq!(refusal(suite.accept(anna(), &offers[1].offer_id, "once").await), (Code::AlreadyExists, "REQUEST_ID_REUSED"));
}

#[tokio::test]
async fn nonsense_is_refused_by_field_and_strangers_learn_nothing() {
    let suite = Suite::new().await;
    suite.present(anna(), 0).await;
    suite.arrive(1, Severity::Soon, "").await;
    let offer = suite.offer(anna()).await;
    for nonsense in ["", "x", "018F4E7A-6F3C-7C1E-9B5A-3F1D2C4B5A69"] {
        let error = suite.accept(anna(), nonsense, "").await.unwrap_err();
        assert_eq!((error.code, error.violations[0].field.as_str()), (Code::InvalidArgument, "offer_id"));
        let message = wire::ClaimCaseRequest { case_id: nonsense.into(), ..Default::default() };
        let error = suite.api.claim_case(from(anna(), "ClaimCase", message)).await.unwrap_err();
        assert_eq!((error.code, error.violations[0].field.as_str()), (Code::InvalidArgument, "case_id"));
    }
    assert_eq!(refusal(suite.accept(anna(), &offer, "with space").await), (Code::InvalidArgument, "INVALID_FIELD"));
    assert_eq!(refusal(suite.queue(lea(), "").await), (Code::InvalidArgument, "INVALID_FIELD"));
    for stranger in [bea(), bo(), principal(Role::Worker, "annan", "anna", &["ett"])] {
        assert_eq!(refusal(suite.accept(stranger.clone(), &offer, "").await), UNKNOWN);
        assert_eq!(refusal(suite.decline(stranger, &offer).await), UNKNOWN);
    }
    assert_eq!(refusal(suite.accept(anna(), &case(9).to_string(), "").await), UNKNOWN);
    assert_eq!(refusal(suite.claim(bo(), 1).await), UNKNOWN);
    assert_eq!(refusal(suite.release(bo(), 1).await), UNKNOWN);
    assert_eq!(refusal(suite.position(bo(), 1).await), UNKNOWN);
    assert_eq!(refusal(suite.queue(bo(), "fram").await), UNKNOWN);
    assert_eq!(refusal(suite.queue(bo(), "nowhere").await), UNKNOWN);
}

#[tokio::test]
async fn a_lone_worker_who_declines_is_asked_again_after_a_pause() {
    let mut suite = Suite::new().await;
    suite.present(anna(), 0).await;
    suite.arrive(1, Severity::Soon, "").await;
    let offer = suite.offer(anna()).await;
    suite.decline(anna(), &offer).await.unwrap();
    suite.pass(9).await;
    assert!(suite.offers(anna()).await.is_empty());
    suite.pass(1).await;
    assert_ne!(suite.offer(anna()).await, offer);
    // Another who comes meanwhile is asked at once.
    let offer = suite.offer(anna()).await;
    suite.decline(anna(), &offer).await.unwrap();
    suite.present(bea(), 0).await;
    suite.offer(bea()).await;
}

#[tokio::test]
async fn room_is_kept_and_freed() {
    let suite = Suite::new().await;
    assert_eq!(suite.present(anna(), 60).await.capacity, 60);
    for n in 1..=4 {
        suite.arrive(n, Severity::Routine, "").await;
    }
    let offers = suite.offers(anna()).await;
    assert_eq!(offers.len(), 2, "60 points hold two chats");
    for offer in &offers {
        suite.accept(anna(), &offer.offer_id, "").await.unwrap();
    }
    assert!(suite.offers(anna()).await.is_empty());
    suite.close(1).await;
    assert_eq!(suite.offers(anna()).await[0].case_id, case(3).to_string(), "the oldest is next");
    assert_eq!(suite.present(anna(), 60).await.load, 60);
}

#[tokio::test]
async fn the_graver_goes_first_and_the_visitor_sees_their_place() {
    let mut suite = Suite::new().await;
    suite.arrive(1, Severity::Routine, "").await;
    suite.pass(1).await;
    suite.arrive(2, Severity::Urgent, "").await;
    let list = suite.queue(lea(), "fram").await.unwrap();
    let order: Vec<_> = list.iter().map(|one| (one.case_id.clone(), one.position)).collect();
    assert_eq!(order, [(case(2).to_string(), 1), (case(1).to_string(), 2)]);
    let place = suite.position(visitor(), 1).await.unwrap();
    assert_eq!((place.waiting, place.position, place.wait_known), (true, 2, false));
    let other = principal(Role::Visitor, "sjukvard", "visitor-2", &[]);
    assert_eq!(refusal(suite.position(other, 1).await), UNKNOWN);
    suite.present(anna(), 30).await;
    assert_eq!(suite.offers(anna()).await[0].case_id, case(2).to_string());
    let list = suite.queue(lea(), "fram").await.unwrap();
    let first = list.iter().find(|one| one.case_id == case(1).to_string()).unwrap();
    assert_eq!(first.overtaken, 1);
}

#[tokio::test]
async fn a_watcher_sees_offers_come_and_go() {
    let suite = Suite::new().await;
    suite.present(anna(), 0).await;
    suite.arrive(1, Severity::Soon, "").await;
    let open = suite.offer(anna()).await;
    let mut stream = suite.api.do_watch_offers(from(anna(), "WatchOffers", wire::WatchOffersRequest {})).await.unwrap().into_inner();
    let Some(Event::Offered(offer)) = stream.next().await.unwrap().unwrap().event else { panic!("an offer") };
    assert_eq!(offer.offer_id, open);
    suite.decline(anna(), &open).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().event, Some(Event::EndedOfferId(open)));
    suite.arrive(2, Severity::Soon, "").await;
    let Some(Event::Offered(offer)) = stream.next().await.unwrap().unwrap().event else { panic!("an offer") };
    assert_eq!(offer.case_id, case(2).to_string());
    // A colleague who does not take over what one wants to hand on.
    suite.accept(anna(), &offer.offer_id, "").await.unwrap();
    suite.transfer(anna(), 2, "bea").await.unwrap();
    suite.decline(bea(), &suite.offer(bea()).await).await.unwrap();
    let told = loop {
        match stream.next().await.unwrap().unwrap().event {
            Some(Event::TurnedDown(told)) => break told,
            Some(Event::EndedOfferId(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((told.case_id, told.to_worker_id.as_str()), (case(2).to_string(), "bea"));
    suite.shutdown.cancel();
    assert!(stream.next().await.is_none());
}
