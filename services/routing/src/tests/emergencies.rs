//! P19: an emergency does not wait for room, nor behind what nobody has answered.

use std::collections::BTreeSet;

use proto::routing::{CaseAssigned, OfferEnded};

use super::*;

impl Suite {
    /// The cases that a worker is asked to take.
    async fn asked(&self, worker: Principal) -> BTreeSet<String> {
        self.offers(worker).await.into_iter().map(|offer| offer.case_id).collect()
    }

    /// Accepts the offer of this case.
    async fn take(&self, worker: Principal, n: u8) {
        let offers = self.offers(worker.clone()).await;
        let offer = offers.iter().find(|offer| offer.case_id == case(n).to_string()).unwrap_or_else(|| panic!("{n}: {offers:?}"));
        self.accept(worker, &offer.offer_id, "").await.unwrap();
    }
}

fn named(cases: &[u8]) -> BTreeSet<String> {
    cases.iter().map(|n| case(*n).to_string()).collect()
}

#[tokio::test]
async fn p19_an_emergency_is_offered_at_once_past_unanswered_offers() {
    let suite = Suite::new().await;
    suite.present(anna(), 100).await;
    for n in 1..=4 {
        suite.arrive(n, Severity::Routine, "").await;
    }
    assert_eq!(suite.asked(anna()).await, named(&[1, 2, 3]), "90 of 100 points, none of them accepted");
    suite.arrive(5, Severity::Emergency, "").await;
    suite.arrive(6, Severity::Emergency, "").await;
    assert_eq!(suite.asked(anna()).await, named(&[1, 2, 3, 5, 6]));
    let why = suite.explain(5).await.pop().unwrap();
    assert_eq!((why.kind.as_str(), why.why_code.as_str(), why.worker_id.as_str()), ("offered", "emergency_offered", "anna"));
    let mut verdicts = why.candidates.iter().map(|one| (one.worker_id.as_str(), one.why.as_str()));
    assert_eq!(verdicts.next(), Some(("anna", "ELIGIBLE")));
    suite.take(anna(), 5).await;
}

#[tokio::test]
async fn a_raised_case_goes_to_a_full_worker_too() {
    let suite = Suite::new().await;
    suite.present(anna(), 30).await;
    suite.arrive(1, Severity::Soon, "").await;
    suite.accept(anna(), &suite.offer(anna()).await, "").await.unwrap();
    suite.arrive(2, Severity::Soon, "").await;
    assert!(suite.asked(anna()).await.is_empty());
    suite.triage(2, Severity::Emergency, "").await;
    assert_eq!(suite.asked(anna()).await, named(&[2]));
}

#[tokio::test]
async fn of_two_who_are_there_the_one_with_less_on_their_hands_is_asked() {
    let mut suite = Suite::new().await;
    suite.present(anna(), 0).await;
    suite.pass(1).await;
    suite.arrive(1, Severity::Soon, "").await;
    suite.accept(anna(), &suite.offer(anna()).await, "").await.unwrap();
    suite.present(bea(), 0).await;
    suite.arrive(2, Severity::Emergency, "").await;
    assert_eq!((suite.asked(anna()).await, suite.asked(bea()).await), (named(&[]), named(&[2])), "though Anna came first");
    suite.arrive(3, Severity::Emergency, "").await;
    assert_eq!(suite.asked(anna()).await, named(&[3]));
}

#[tokio::test]
async fn after_a_time_out_nothing_less_comes_before_the_emergency_is_asked_again() {
    let mut suite = Suite::new().await;
    suite.present(anna(), 100).await;
    suite.arrive(1, Severity::Emergency, "").await;
    suite.pass(20).await;
    suite.arrive(2, Severity::Emergency, "").await;
    suite.pass(10).await;
    assert_eq!(suite.last::<OfferEnded>(1).await.why, "timed_out");
    assert_eq!(suite.explain(1).await.pop().unwrap().why_code, "all_asked", "she has not turned it down");
    for n in 3..=4 {
        suite.arrive(n, Severity::Routine, "").await;
    }
    // The pause: only the second emergency is asked, and the routine cases say why they wait.
    assert_eq!(suite.asked(anna()).await, named(&[2]));
    let waits = suite.explain(3).await.pop().unwrap();
    assert_eq!(waits.why_code, "nobody_now");
    assert!(waits.candidates.iter().any(|one| one.worker_id == "anna" && one.why == "EMERGENCY_FIRST"), "{waits:?}");
    suite.pass(9).await;
    assert_eq!(suite.asked(anna()).await, named(&[2]), "no storm of offers");
    suite.pass(1).await;
    assert_eq!(suite.asked(anna()).await, named(&[1, 2, 3]), "asked again, and then what there is room for");
    let again = suite.explain(1).await.pop().unwrap();
    assert_eq!(again.why_code, "emergency_offered_anew");
    assert!(again.candidates.iter().any(|one| one.worker_id == "anna" && one.why == "ELIGIBLE" && one.eligible), "{again:?}");
    suite.take(anna(), 1).await;
    suite.take(anna(), 2).await;
    assert_eq!(suite.asked(anna()).await, named(&[3]));
}

#[tokio::test]
async fn p18_an_emergency_is_claimed_from_a_queue_that_offers_by_one_of_those_who_are_there() {
    let suite = Suite::new().await;
    let cia = || principal(Role::Worker, "sjukvard", "cia", &["ett"]);
    suite.arrive(1, Severity::Emergency, "").await;
    let refused = (Code::FailedPrecondition, "QUEUE_OFFERS");
    assert_eq!(refusal(suite.claim(anna(), 1).await), refused, "she is not there");
    suite.present(bea(), 0).await;
    for worker in [anna(), cia()] {
        suite.present(worker, 0).await;
    }
    let offer = suite.offer(bea()).await;
    // Bea is asked and may not be looking; the two others who were alerted race for it.
    let (one, other) = tokio::join!(suite.claim(anna(), 1), suite.claim(cia(), 1));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let lost = if one.is_ok() { other } else { one };
    assert_eq!(refusal(lost), (Code::FailedPrecondition, "CASE_ALREADY_ASSIGNED"));
    assert_eq!(refusal(suite.accept(bea(), &offer, "").await), (Code::FailedPrecondition, "OFFER_STALE"));
    assert_eq!(suite.last::<CaseAssigned>(1).await.how, "claimed");
    assert_eq!(suite.last::<OfferEnded>(1).await.why, "rescinded");
    assert_eq!(suite.said_types(1).await.iter().filter(|one| *one == "CaseAssigned").count(), 1);
    assert_eq!(suite.explain(1).await.pop().unwrap().why_code, "worker_took_emergency");
    // What is less grave is offered, and another clinic's worker does not even see it.
    suite.arrive(2, Severity::Urgent, "").await;
    let asked = [suite.asked(anna()).await, suite.asked(bea()).await, suite.asked(cia()).await];
    let not_asked = [anna(), bea(), cia()].into_iter().zip(asked).find(|(_, asked)| asked.is_empty()).unwrap().0;
    assert_eq!(refusal(suite.claim(not_asked, 2).await).0, Code::FailedPrecondition);
    let tor = principal(Role::Worker, "sjukvard", "tor", &["tva"]);
    suite.present(tor.clone(), 0).await;
    suite.arrive(3, Severity::Emergency, "").await;
    assert_eq!(refusal(suite.claim(tor, 3).await), (Code::NotFound, "NOT_FOUND"));
}

#[tokio::test]
async fn who_let_an_emergency_time_out_may_still_claim_it() {
    let mut suite = Suite::new().await;
    suite.present(anna(), 0).await;
    suite.arrive(1, Severity::Emergency, "").await;
    suite.pass(31).await;
    assert!(suite.asked(anna()).await.is_empty(), "the pause");
    suite.claim(anna(), 1).await.unwrap();
    assert_eq!(suite.last::<CaseAssigned>(1).await.worker_id, "anna");
}
