//! The whole way of a case, as each of those involved sees it.

use kernel::Time;
use proto::access::RevokeTokenRequest;
use proto::insights::GetReportRequest;
use proto::intake::{
    CaseMode, CaseState, Channel, CloseCaseRequest, GetEntryPointRequest, ListAuditRequest, ListCasesRequest, OpenCaseRequest, Outcome,
    PostNoteRequest, RateCaseRequest, ReopenCaseRequest, SenderKind, SetCaseModeRequest, Severity,
};
use proto::routing::{
    AcceptOfferRequest, ClaimCaseRequest, DeclineOfferRequest, ExplainRequest, GetPositionRequest, ReleaseCaseRequest, TransferCaseRequest,
};
use proto::scheduling::{
    BookingState, CancelBookingRequest, ConfirmBookingRequest, GetBookingRequest, HoldSlotRequest, Interval, ListBookingsRequest,
    ListSlotsRequest,
};
use proto::triage::{GetTriageRequest, NextQuestionRequest, SetSeverityRequest};
use samtal_tests::suite::{Person, Stack, TestSuite, eventually, refused, time};
use std::time::Duration;
use tonic::Code;

on_both_stacks!(
    a_case_from_door_to_rating,
    a_journal_system_opens_for_an_identified_patient,
    a_worker_answers_the_phone_and_keeps_the_case,
    an_answer_takes_days,
    a_slot_is_booked_once,
    a_case_changes_hands,
);

pub fn close(case_id: &str, outcome: Outcome) -> CloseCaseRequest {
    CloseCaseRequest { request_id: String::new(), case_id: case_id.to_owned(), outcome: outcome.into() }
}

async fn a_case_from_door_to_rating(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let request = GetEntryPointRequest { entry_point_id: "alfa-door".into(), language: "en".into() };
    let door = suite.anonymous().cases().get_entry_point(request).await.unwrap().into_inner().entry_point.unwrap();
    assert!(door.open && door.anonymous_allowed);
    assert_eq!((door.name.as_str(), door.retention_days), ("The door of Alfa", 7));
    let request = NextQuestionRequest {
        entry_point_id: "alfa-door".into(),
        contact_reason_id: "alfa-cold".into(),
        language: "en".into(),
        ..NextQuestionRequest::default()
    };
    let question = suite.anonymous().triage().next_question(request).await.unwrap().into_inner();
    assert_eq!((question.question_id.as_str(), question.text.as_str()), ("danger", "Hard to breathe?"));

    // Nobody is there: two wait, and each sees their place.
    let first = suite.visitor("alfa-door", "alfa-cold", "Jag är förkyld").await;
    let case = first.opened.case.clone().unwrap();
    assert_eq!((case.organisation_id.as_str(), case.clinic_id.as_str(), case.catalogue_version), ("alfa", "alfa-norr", 3));
    assert!(!case.visitor.unwrap().identified);
    let place = async |visitor: &samtal_tests::suite::Visitor| {
        let request = GetPositionRequest { case_id: visitor.case_id.clone() };
        visitor.me.routing().get_position(request).await.ok().map(tonic::Response::into_inner)
    };
    eventually("the first is first", async || place(&first).await.filter(|place| place.waiting && place.position == 1)).await;
    eventually("triage has answered", async || first.me.case(&first.case_id).await.ok().filter(|case| case.state() == CaseState::Waiting))
        .await;
    let second = suite.visitor("alfa-door", "alfa-cold", "Jag också").await;
    eventually("the second is second", async || place(&second).await.filter(|place| place.waiting && place.position == 2)).await;

    // Anna turns it down, so it goes to Bo.
    let (anna, bo) = (suite.worker("alfa.anna").await, suite.worker("alfa.bo").await);
    anna.present(true).await;
    let offer = anna.offer(&first.case_id).await;
    assert_eq!((offer.queue_id.as_str(), offer.severity()), ("alfa-push", Severity::Routine));
    eventually("the visitor sees the offer", async || {
        first.me.case(&first.case_id).await.ok().filter(|case| case.state() == CaseState::Offered)
    })
    .await;
    bo.present(true).await;
    let decline = DeclineOfferRequest { request_id: String::new(), offer_id: offer.offer_id.clone() };
    anna.routing().decline_offer(decline).await.unwrap();
    let next = bo.offer(&first.case_id).await;
    assert_ne!(next.offer_id, offer.offer_id);
    let accept = |offer_id: &str| AcceptOfferRequest { request_id: String::new(), offer_id: offer_id.to_owned() };
    refused(anna.routing().accept_offer(accept(&next.offer_id)).await, Code::NotFound, "NOT_FOUND");
    assert_eq!(bo.routing().accept_offer(accept(&next.offer_id)).await.unwrap().into_inner().case_id, first.case_id);
    bo.holds(&first.case_id).await;
    assert!(!place(&first).await.unwrap().waiting);
    let case = first.me.case(&first.case_id).await.unwrap();
    assert_eq!((case.state(), case.worker_id.as_str()), (CaseState::Active, "alfa.bo"));
    assert!(case.first_assigned_at.is_some());

    // Both write; a note stays inside.
    bo.post(&first.case_id, "b1", "Hej, hur mår du?").await.unwrap();
    first.me.post(&first.case_id, "v1", "Bättre, tack").await.unwrap();
    let note = PostNoteRequest { case_id: first.case_id.clone(), client_id: "n1".into(), text: "låter lugnt".into() };
    bo.conversations().post_note(note.clone()).await.unwrap();
    refused(first.me.conversations().post_note(note).await, Code::PermissionDenied, "NOT_ALLOWED");
    let texts: Vec<(i64, SenderKind, String)> =
        first.me.messages(&first.case_id).await.unwrap().into_iter().map(|one| (one.seq, one.sender_kind(), one.text)).collect();
    let expected = [
        (1, SenderKind::Visitor, "Jag är förkyld"),
        (2, SenderKind::System, ""),
        (3, SenderKind::Worker, "Hej, hur mår du?"),
        (4, SenderKind::Visitor, "Bättre, tack"),
    ];
    assert_eq!(texts, expected.map(|(seq, kind, text)| (seq, kind, text.to_owned())));

    // The end, by whoever has it; the rating, by whoever came.
    let rate = |rating| RateCaseRequest { request_id: String::new(), case_id: first.case_id.clone(), rating, text: String::new() };
    refused(first.me.cases().rate_case(rate(5)).await, Code::FailedPrecondition, "CASE_NOT_CLOSED");
    refused(anna.cases().close_case(close(&first.case_id, Outcome::Advice)).await, Code::NotFound, "NOT_FOUND");
    let closed = bo.cases().close_case(close(&first.case_id, Outcome::Advice)).await.unwrap().into_inner().case.unwrap();
    assert_eq!((closed.state(), closed.outcome()), (CaseState::Closed, Outcome::Advice));
    assert_eq!(time(closed.erase_at.as_ref()), time(closed.closed_at.as_ref()) + Duration::from_secs(7 * 86_400));
    refused(first.me.post(&first.case_id, "v2", "en sak till").await, Code::FailedPrecondition, "CASE_CLOSED");
    first.me.cases().rate_case(rate(4)).await.unwrap();
    refused(first.me.cases().rate_case(rate(1)).await, Code::AlreadyExists, "ALREADY_RATED");

    everybody_knows_afterwards(&suite, &first.me, &first.case_id).await;
}

/// Why it went so, who has looked, and the figures.
async fn everybody_knows_afterwards(suite: &TestSuite, visitor: &Person, case_id: &str) {
    let lea = suite.leader("alfa.lea").await;
    let explain = ExplainRequest { case_id: case_id.to_owned() };
    let decisions = eventually("routing knows that it is closed", async || {
        let decisions = lea.routing().explain(explain.clone()).await.unwrap().into_inner().decisions;
        decisions.iter().any(|one| one.kind == "closed").then_some(decisions)
    })
    .await;
    let kinds: Vec<&str> = decisions.iter().map(|one| one.kind.as_str()).collect();
    for (before, after) in [("queued", "offered"), ("offered", "declined"), ("declined", "accepted"), ("accepted", "closed")] {
        let at = |kind| kinds.iter().position(|one| *one == kind).unwrap_or_else(|| panic!("no {kind} in {kinds:?}"));
        assert!(at(before) < at(after), "{kinds:?}");
    }
    let request = ListAuditRequest { case_id: case_id.to_owned(), ..ListAuditRequest::default() };
    let entries = visitor.cases().list_audit(request).await.unwrap().into_inner().entries;
    assert!(
        entries.iter().any(|entry| entry.principal_id == "alfa.bo" && entry.action.ends_with("ConversationService/ListMessages")),
        "{entries:?}"
    );
    let integrator = suite.integrator("alfa").await;
    let report = eventually("insights has counted", async || {
        let report = integrator.insights().get_report(GetReportRequest::default()).await.unwrap().into_inner();
        (report.cases == 2 && report.rated == 1).then_some(report)
    })
    .await;
    assert_eq!((report.answered, report.mean_rating), (1, 4.0));
}

async fn a_journal_system_opens_for_an_identified_patient(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let journal = suite.integrator("alfa").await;
    let request = |number: u32| OpenCaseRequest {
        request_id: format!("journal-{number}"),
        entry_point_id: "alfa-door".into(),
        contact_reason_id: "alfa-cold".into(),
        text: "Från journalen".into(),
        visitor: Some(proto::intake::Visitor {
            display_name: "Testa Testsson".into(),
            birth_year: 1950,
            identified: true,
            external_ref: "patient-17".into(),
            ..Default::default()
        }),
        external_ref: format!("j-{number}"),
        ..OpenCaseRequest::default()
    };
    let answer = journal.cases().open_case(request(1)).await.unwrap().into_inner();
    assert_eq!((answer.visitor_token.as_str(), answer.return_phrase.as_str()), ("", ""));
    let one = answer.case.unwrap();
    let again = journal.cases().open_case(request(1)).await.unwrap().into_inner().case.unwrap();
    assert_eq!(again.case_id, one.case_id, "the same request id opens the same case");
    let other = journal.cases().open_case(request(2)).await.unwrap().into_inner().case.unwrap();
    assert_ne!(other.case_id, one.case_id);
    assert_eq!(other.visitor.unwrap().visitor_id, one.visitor.clone().unwrap().visitor_id, "one person, two cases");
    assert!(one.visitor.unwrap().identified);
    let list = ListCasesRequest { external_ref: "j-2".into(), ..ListCasesRequest::default() };
    let found = journal.cases().list_cases(list).await.unwrap().into_inner().cases;
    assert_eq!(found.iter().map(|case| &case.case_id).collect::<Vec<_>>(), [&other.case_id]);
    // Pages do not overlap and lose nothing.
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let list = ListCasesRequest { page_size: 1, page_token, ..ListCasesRequest::default() };
        let page = journal.cases().list_cases(list).await.unwrap().into_inner();
        seen.extend(page.cases.into_iter().map(|case| case.case_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, [other.case_id, one.case_id]);
    // An anonymous visitor may not claim an identity.
    refused(
        suite.anonymous().cases().open_case(OpenCaseRequest { request_id: String::new(), ..request(3) }).await,
        Code::InvalidArgument,
        "INVALID_FIELD",
    );
}

async fn a_worker_answers_the_phone_and_keeps_the_case(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let anna = suite.worker("alfa.anna").await;
    let request = OpenCaseRequest {
        entry_point_id: "alfa-door".into(),
        contact_reason_id: "alfa-cold".into(),
        channel: Channel::Phone.into(),
        keep: true,
        ..OpenCaseRequest::default()
    };
    let case = anna.cases().open_case(request).await.unwrap().into_inner().case.unwrap();
    assert_eq!((case.opened_by_worker_id.as_str(), case.channel(), case.last_seq), ("alfa.anna", Channel::Phone, 0));
    anna.holds(&case.case_id).await;
    assert_eq!(anna.case(&case.case_id).await.unwrap().worker_id, "alfa.anna");
    assert!(anna.offers().await.is_empty(), "nobody is asked to take what is kept");
    anna.post(&case.case_id, "a1", "Jag skriver upp vad vi sa").await.unwrap();
}

async fn an_answer_takes_days(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let visitor = suite.visitor("alfa-door", "alfa-cold", "Jag väntar på mina prover").await;
    let anna = suite.worker("alfa.anna").await;
    let due = suite.clock.now() + Duration::from_secs(2 * 86_400);
    let due = Time::from_secs(due.secs());
    let set = |mode: CaseMode, state: CaseState, due: Option<Time>| SetCaseModeRequest {
        request_id: String::new(),
        case_id: visitor.case_id.clone(),
        mode: mode.into(),
        state: state.into(),
        due_at: due.map(proto::timestamp),
    };
    anna.present(true).await;
    anna.take(&visitor.case_id).await;
    let ours = set(CaseMode::Asynchronous, CaseState::WaitingForUs, Some(due));
    let case = anna.cases().set_case_mode(ours).await.unwrap().into_inner().case.unwrap();
    assert_eq!((case.mode(), case.state(), time(case.due_at.as_ref())), (CaseMode::Asynchronous, CaseState::WaitingForUs, due));
    anna.post(&visitor.case_id, "a1", "Proverna ser bra ut").await.unwrap();
    let case = visitor.me.case(&visitor.case_id).await.unwrap();
    assert_eq!((case.state(), case.due_at), (CaseState::WaitingForVisitor, None));
    visitor.me.post(&visitor.case_id, "v1", "Tack! En fråga till").await.unwrap();
    assert_eq!(visitor.me.case(&visitor.case_id).await.unwrap().state(), CaseState::WaitingForUs);
    let live = set(CaseMode::Live, CaseState::Unspecified, None);
    let case = anna.cases().set_case_mode(live).await.unwrap().into_inner().case.unwrap();
    assert_eq!((case.mode(), case.state()), (CaseMode::Live, CaseState::Active));
    let nonsense = set(CaseMode::Asynchronous, CaseState::Closed, None);
    refused(anna.cases().set_case_mode(nonsense).await, Code::InvalidArgument, "INVALID_FIELD");
}

async fn a_slot_is_booked_once(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let anna = suite.worker("alfa.anna").await;
    anna.present(true).await;
    let (one, other) = (suite.visitor("alfa-door", "alfa-cold", "en").await, suite.visitor("alfa-door", "alfa-cold", "två").await);
    anna.take(&one.case_id).await;
    anna.take(&other.case_id).await;
    let from = suite.clock.now() + Duration::from_secs(86_400);
    let window = Interval { from: Some(proto::timestamp(from)), to: Some(proto::timestamp(from + Duration::from_secs(7_200))) };
    let list = ListSlotsRequest { clinic_id: "alfa-norr".into(), window: Some(window), ..ListSlotsRequest::default() };
    let slots = anna.scheduling().list_slots(list.clone()).await.unwrap().into_inner().slots;
    let starts_at = slots[0].time.as_ref().unwrap().from;
    let hold = |case_id: &str| HoldSlotRequest {
        case_id: case_id.to_owned(),
        resource_id: "alfa-room".into(),
        starts_at,
        ..HoldSlotRequest::default()
    };
    let held = anna.scheduling().hold_slot(hold(&one.case_id)).await.unwrap().into_inner().booking.unwrap();
    assert_eq!(held.state(), BookingState::Held);
    refused(anna.scheduling().hold_slot(hold(&other.case_id)).await, Code::FailedPrecondition, "SLOT_TAKEN");
    let confirm =
        ConfirmBookingRequest { booking_id: held.booking_id.clone(), external_ref: "jb-1".into(), ..ConfirmBookingRequest::default() };
    refused(one.me.scheduling().confirm_booking(confirm.clone()).await, Code::InvalidArgument, "INVALID_FIELD");
    refused(
        other.me.scheduling().confirm_booking(ConfirmBookingRequest { external_ref: String::new(), ..confirm.clone() }).await,
        Code::NotFound,
        "NOT_FOUND",
    );
    let booked = anna.scheduling().confirm_booking(confirm).await.unwrap().into_inner().booking.unwrap();
    assert_eq!((booked.state(), booked.external_ref.as_str()), (BookingState::Confirmed, "jb-1"));
    let left = anna.scheduling().list_slots(list).await.unwrap().into_inner().slots;
    assert!(!left.iter().any(|slot| slot.time.as_ref().unwrap().from == starts_at), "a booked slot is not offered");
    let bookings =
        one.me.scheduling().list_bookings(ListBookingsRequest { case_id: one.case_id.clone() }).await.unwrap().into_inner().bookings;
    assert_eq!(bookings.len(), 1);
    let get = GetBookingRequest { booking_id: held.booking_id.clone() };
    refused(other.me.scheduling().get_booking(get).await, Code::NotFound, "NOT_FOUND");
    let cancel = CancelBookingRequest { booking_id: held.booking_id.clone(), ..CancelBookingRequest::default() };
    let gone = one.me.scheduling().cancel_booking(cancel).await.unwrap().into_inner().booking.unwrap();
    assert_eq!(gone.state(), BookingState::Cancelled);
    anna.scheduling().hold_slot(hold(&other.case_id)).await.expect("what is given up is free again");
}

async fn a_case_changes_hands(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let visitor = suite.visitor("alfa-door", "alfa-list", "Förnya recept").await;
    let (cia, anna, lea) = (suite.worker("alfa.cia").await, suite.worker("alfa.anna").await, suite.leader("alfa.lea").await);
    // The protocol sends prescriptions to the list, and an administrative matter stays one.
    let claim = ClaimCaseRequest { case_id: visitor.case_id.clone(), ..ClaimCaseRequest::default() };
    eventually("Cia may take it", async || cia.routing().claim_case(claim.clone()).await.ok()).await;
    cia.holds(&visitor.case_id).await;
    let triage = cia.triage().get_triage(GetTriageRequest { case_id: visitor.case_id.clone() }).await.unwrap().into_inner().triage.unwrap();
    assert_eq!((triage.severity(), triage.queue_id.as_str(), triage.protocol_version), (Severity::Admin, "alfa-pull", 2));
    // A worker raises it, and lowers it only with a reason.
    let set = |severity: Severity, reason: &str| SetSeverityRequest {
        case_id: visitor.case_id.clone(),
        severity: severity.into(),
        reason: reason.to_owned(),
        ..SetSeverityRequest::default()
    };
    cia.triage().set_severity(set(Severity::Urgent, "")).await.unwrap();
    let status = cia.triage().set_severity(set(Severity::Routine, "")).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    cia.triage().set_severity(set(Severity::Routine, "missförstånd")).await.unwrap();
    eventually("the case shows it", async || cia.case(&visitor.case_id).await.ok().filter(|case| case.severity() == Severity::Routine))
        .await;
    // Handed over to Anna, who must accept; then back to the list, and closed by the leader.
    anna.present(true).await;
    let transfer =
        TransferCaseRequest { case_id: visitor.case_id.clone(), worker_id: "alfa.anna".into(), ..TransferCaseRequest::default() };
    cia.routing().transfer_case(transfer).await.unwrap();
    anna.take(&visitor.case_id).await;
    refused(cia.post(&visitor.case_id, "c1", "kvar?").await, Code::NotFound, "NOT_FOUND");
    anna.routing().release_case(ReleaseCaseRequest { case_id: visitor.case_id.clone(), ..ReleaseCaseRequest::default() }).await.unwrap();
    eventually("nobody has it", async || lea.case(&visitor.case_id).await.ok().filter(|case| case.worker_id.is_empty())).await;
    lea.cases().close_case(close(&visitor.case_id, Outcome::Administrative)).await.unwrap();
    let reopen = ReopenCaseRequest { case_id: visitor.case_id.clone(), ..ReopenCaseRequest::default() };
    let open = visitor.me.cases().reopen_case(reopen).await.unwrap().into_inner().case.unwrap();
    assert_eq!((open.state(), open.erase_at), (CaseState::Open, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_ends_its_streams() {
    let suite = TestSuite::start(Stack::Embedded).await;
    let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    let anna = suite.worker("alfa.anna").await;
    anna.present(true).await;
    anna.take(&visitor.case_id).await;
    let subscribe = proto::intake::SubscribeRequest { case_id: visitor.case_id.clone(), after_seq: 0 };
    let mut screen = anna.conversations().subscribe(subscribe).await.unwrap().into_inner();
    let request = proto::access::IssueTokenRequest {
        request_id: "token-alfa-alfa.anna".into(),
        principal: Some(proto::access::Principal {
            kind: proto::access::PrincipalKind::Worker.into(),
            id: "alfa.anna".into(),
            organisation_id: "alfa".into(),
            clinic_ids: Vec::new(),
        }),
        ttl_seconds: 366 * 86_400,
    };
    // The same request again names the same token.
    let issued = suite.operator().access().issue_token(request).await.unwrap().into_inner();
    assert_eq!(issued.token, anna.token);
    suite.operator().access().revoke_token(RevokeTokenRequest { request_id: String::new(), token_id: issued.token_id }).await.unwrap();
    let end = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            match screen.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("a stream that is cut off says why"),
                Err(status) => return status,
            }
        }
    });
    assert_eq!(end.await.expect("within 5 s, with room for a slow machine").code(), Code::Unauthenticated);
    refused(anna.post(&visitor.case_id, "a1", "kvar?").await, Code::Unauthenticated, "TOKEN_INVALID");
}
