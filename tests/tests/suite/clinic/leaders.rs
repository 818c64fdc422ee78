//! What leaders do on their pages: rescue a case that is stuck, and change what may be changed without treading on each other.

use proto::config::ListDriftRequest;
use proto::intake::{ChangeKind, ListItemsRequest, RevertChangeRequest, SetChangeRequest};
use proto::routing::{ClaimCaseRequest, ExplainRequest, ReleaseCaseRequest, TransferCaseRequest};
use proto::scheduling::{ConfirmBookingRequest, CountBookingsRequest, HoldSlotRequest, Interval, ListSlotsRequest};
use samtal_tests::suite::{Person, Stack, TestSuite, eventually, refused};
use std::time::Duration;
use tonic::Code;

on_both_stacks!(
    a_leader_rescues_a_case_and_it_is_told_who_and_why,
    two_leaders_do_not_tread_on_each_other,
    whom_a_closing_would_reach_is_counted,
);

async fn told(lea: &Person, case: &str) -> Vec<(String, String, String)> {
    let decisions = lea.routing().explain(ExplainRequest { case_id: case.to_owned() }).await.unwrap().into_inner().decisions;
    let by_somebody = decisions.into_iter().filter(|one| !one.by_worker_id.is_empty());
    by_somebody.map(|one| (one.kind, one.by_worker_id, one.reason)).collect()
}

async fn a_leader_rescues_a_case_and_it_is_told_who_and_why(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let (anna, lea) = (suite.worker("alfa.anna").await, suite.leader("alfa.lea").await);
    let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    let case = visitor.case_id.clone();
    // It waits, and nobody is there: sent to a colleague, who has to accept.
    let send = |to: &str, queue: &str| TransferCaseRequest {
        case_id: case.clone(),
        worker_id: to.into(),
        queue_id: queue.into(),
        reason: "ingen är här".into(),
        ..TransferCaseRequest::default()
    };
    eventually("it can be sent on", async || lea.routing().transfer_case(send("", "alfa-pull")).await.ok()).await;
    lea.routing().transfer_case(send("alfa.anna", "")).await.unwrap();
    // A worker cannot direct what is not theirs.
    refused(suite.worker("alfa.bo").await.routing().transfer_case(send("alfa.bo", "")).await, Code::NotFound, "NOT_FOUND");
    anna.take(&case).await;
    // From whoever has it, back into the queue or to the leader.
    let release = ReleaseCaseRequest { case_id: case.clone(), reason: "skiftet är slut".into(), ..ReleaseCaseRequest::default() };
    lea.routing().release_case(release).await.unwrap();
    lea.routing().transfer_case(send("alfa.anna", "")).await.unwrap();
    anna.take(&case).await;
    let take = |reason: &str| ClaimCaseRequest { case_id: case.clone(), reason: reason.into(), ..ClaimCaseRequest::default() };
    refused(suite.worker("alfa.bo").await.routing().claim_case(take("")).await, Code::FailedPrecondition, "CASE_ALREADY_ASSIGNED");
    lea.routing().claim_case(take("jag tar det")).await.unwrap();
    lea.holds(&case).await;
    eventually("Anna has it no more", async || anna.post(&case, "a1", "kvar?").await.err()).await;
    refused(lea.routing().claim_case(take("igen")).await, Code::FailedPrecondition, "CASE_ALREADY_ASSIGNED");
    let by = |kind: &str, reason: &str| (kind.to_owned(), "alfa.lea".to_owned(), reason.to_owned());
    assert_eq!(
        told(&lea, &case).await,
        [
            by("queued", "ingen är här"),
            by("offered", "ingen är här"),
            by("released", "skiftet är slut"),
            by("offered", "ingen är här"),
            by("claimed", "jag tar det"),
        ]
    );
}

async fn two_leaders_do_not_tread_on_each_other(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let (lea, other) = (suite.leader("alfa.lea").await, suite.leader("alfa.lea").await);
    let list = |kind: ChangeKind| ListItemsRequest { kind: kind.into() };
    let replies = lea.clinics().list_items(list(ChangeKind::CannedReply)).await.unwrap().into_inner();
    assert_eq!(replies.languages, ["sv", "en"]);
    let theirs: Vec<(&str, bool)> = replies.items.iter().map(|one| (one.item_id.as_str(), one.changeable)).collect();
    assert_eq!(theirs, [("alfa-hello", false), ("alfa-norr-lab", true), ("alfa-soder-lab", true)]);
    let seen = replies.items[1].clone();
    let set = |text: &str, etag: &str| SetChangeRequest {
        kind: ChangeKind::CannedReply.into(),
        item_id: "alfa-norr-lab".into(),
        body_json: seen.body_json.replace("Dina prover är bra.", text),
        etag: etag.into(),
        ..SetChangeRequest::default()
    };
    other.clinics().set_change(set("Först.", &seen.etag)).await.unwrap();
    refused(lea.clinics().set_change(set("Sedan.", &seen.etag)).await, Code::Aborted, "ITEM_CHANGED");
    let now = async || lea.clinics().list_items(list(ChangeKind::CannedReply)).await.unwrap().into_inner().items[1].clone();
    let changed = now().await;
    assert!(changed.body_json.contains("Först.") && changed.described_json.contains("Dina prover") && changed.set_by == "alfa.lea");
    lea.clinics().set_change(set("Sedan.", &changed.etag)).await.unwrap();
    let revert =
        |etag: &str| RevertChangeRequest { kind: ChangeKind::CannedReply.into(), item_id: "alfa-norr-lab".into(), etag: etag.into() };
    refused(lea.clinics().revert_change(revert(&changed.etag)).await, Code::Aborted, "ITEM_CHANGED");
    lea.clinics().revert_change(revert(&now().await.etag)).await.unwrap();
    assert_eq!(now().await.etag, seen.etag, "as it was");
    // What is taken away is still listed, to be brought back.
    let gone = SetChangeRequest { body_json: String::new(), ..set("", &seen.etag) };
    lea.clinics().set_change(gone).await.unwrap();
    let items = lea.clinics().list_items(list(ChangeKind::CannedReply)).await.unwrap().into_inner().items;
    let last = items.last().unwrap();
    assert_eq!((last.item_id.as_str(), last.body_json.as_str(), last.changeable), ("alfa-norr-lab", "", true));
    let drift = suite.operator().config().list_drift(ListDriftRequest {}).await.unwrap().into_inner().items;
    assert_eq!((drift.len(), drift[0].set_by.as_str(), drift[0].kind.as_str()), (1, "alfa.lea", "canned_reply"));
    // Staff and calendars, with whose they are.
    let staff = lea.clinics().list_items(list(ChangeKind::Worker)).await.unwrap().into_inner().items;
    assert!(staff.iter().all(|one| one.changeable) && staff.len() == 6);
    let calendars = lea.clinics().list_items(list(ChangeKind::Exception)).await.unwrap().into_inner().calendars;
    let hours = calendars.iter().find(|one| one.calendar_id == "alfa-hours").unwrap();
    assert_eq!((hours.entry_point_ids.as_slice(), hours.changeable), (["alfa-office".to_owned()].as_slice(), true));
    let norwegian = suite.leader("beta.lea").await.clinics().list_items(list(ChangeKind::CannedReply)).await.unwrap().into_inner();
    assert!(norwegian.items.iter().all(|one| one.item_id.starts_with("beta-")));
}

async fn whom_a_closing_would_reach_is_counted(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let (anna, lea) = (suite.worker("alfa.anna").await, suite.leader("alfa.lea").await);
    let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    anna.present(true).await;
    anna.take(&visitor.case_id).await;
    let now = suite.clock.now();
    let window = Interval { from: Some(proto::timestamp(now)), to: Some(proto::timestamp(now + Duration::from_secs(2 * 86_400))) };
    let list = ListSlotsRequest { clinic_id: "alfa-norr".into(), window: Some(window), page_size: 2, ..ListSlotsRequest::default() };
    let slot = anna.scheduling().list_slots(list).await.unwrap().into_inner().slots[0].clone();
    let count = |window: Interval| CountBookingsRequest { calendar_id: "alfa-always".into(), window: Some(window) };
    let bookings = async || lea.scheduling().count_bookings(count(window)).await.unwrap().into_inner().bookings;
    assert_eq!(bookings().await, 0);
    let hold = HoldSlotRequest {
        case_id: visitor.case_id.clone(),
        resource_id: slot.resource_id,
        starts_at: slot.time.unwrap().from,
        ..HoldSlotRequest::default()
    };
    let held = anna.scheduling().hold_slot(hold).await.unwrap().into_inner().booking.unwrap();
    assert_eq!(bookings().await, 0, "a hold is no booking yet");
    anna.scheduling().confirm_booking(ConfirmBookingRequest { booking_id: held.booking_id, ..Default::default() }).await.unwrap();
    assert_eq!(bookings().await, 1);
    refused(suite.leader("beta.lea").await.scheduling().count_bookings(count(window)).await, Code::NotFound, "NOT_FOUND");
}
