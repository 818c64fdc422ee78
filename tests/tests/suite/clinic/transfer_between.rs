//! A case goes on at another organisation: with its visitor's yes and not without, whole or not at all, and with nothing but the words
//! that they agreed to.

use crate::journey::close;
use prost::Message as _;
use proto::access::PrincipalKind;
use proto::intake::{
    AnswerTransferRequest, AnswerTransferResponse, AuditEntry, CaseMode, CaseState, GetTransferRequest, GetTransferResponse, IdentityField,
    ListAuditRequest, OpenCaseRequest, Outcome, PostNoteRequest, ProposeTransferRequest, ReopenCaseRequest, ResumeCaseRequest,
    RevealIdentityRequest, SetCaseModeRequest, SystemCode, SystemLinePosted, Transfer, TransferState, WithdrawTransferRequest,
};
use proto::log::WatchRequest;
use samtal_tests::remote::Remote;
use samtal_tests::suite::{Person, Setup, Stack, TestSuite, Visitor, eventually, refused, region_yaml, time};
use std::time::Duration;
use suite::client;
use tonic::{Code, Status};

on_both_stacks!(
    a_yes_leads_on_with_the_agreed_words_alone,
    a_no_a_withdrawal_a_week_and_a_closing_end_it,
    of_many_answers_one_counts,
    what_is_not_possible_any_more_goes_on_here,
);

const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// In everything of alfa's.
const SECRET: &str = "HEMLIGT-4711";
/// What is agreed on.
const WORDS: &str = "Behöver prata om spel";

fn proposal(case: &str, door: &str) -> ProposeTransferRequest {
    ProposeTransferRequest {
        request_id: String::new(),
        case_id: case.into(),
        entry_point_id: door.into(),
        contact_reason_id: "beta-cold".into(),
        text: WORDS.into(),
    }
}

async fn propose(worker: &Person, case: &str) -> Transfer {
    worker.transfers().propose_transfer(proposal(case, "beta-door")).await.expect("proposed").into_inner().transfer.unwrap()
}

async fn answer(visitor: &Person, case: &str, transfer: &str, agreed: bool) -> Result<AnswerTransferResponse, Status> {
    let request = AnswerTransferRequest { case_id: case.into(), transfer_id: transfer.into(), agreed };
    Ok(visitor.transfers().answer_transfer(request).await?.into_inner())
}

async fn withdraw(worker: &Person, case: &str, transfer: &str) -> Result<Transfer, Status> {
    let request = WithdrawTransferRequest { case_id: case.into(), transfer_id: transfer.into() };
    Ok(worker.transfers().withdraw_transfer(request).await?.into_inner().transfer.unwrap())
}

async fn standing(person: &Person, case: &str) -> GetTransferResponse {
    person.transfers().get_transfer(GetTransferRequest { case_id: case.into() }).await.expect("read").into_inner()
}

async fn state(person: &Person, case: &str) -> TransferState {
    standing(person, case).await.transfer.map(|transfer| transfer.state()).unwrap_or_default()
}

async fn lines(person: &Person, case: &str) -> Vec<(SystemCode, String)> {
    let lines = person.messages(case).await.unwrap().into_iter().filter_map(|message| message.system);
    lines.map(|line| (line.code(), line.params.get("state").cloned().unwrap_or_default())).collect()
}

async fn audit(person: &Person, case: &str) -> Vec<AuditEntry> {
    let request = ListAuditRequest { case_id: case.into(), page_size: 200, page_token: String::new() };
    person.cases().list_audit(request).await.expect("the access log").into_inner().entries
}

/// A visitor of alfa's whose case Anna has.
async fn begun(suite: &TestSuite) -> (Visitor, Person) {
    let visitor = suite.visitor("alfa-door", "alfa-cold", &format!("Hej, {SECRET}")).await;
    let anna = suite.worker("alfa.anna").await;
    anna.present(true).await;
    anna.take(&visitor.case_id).await;
    (visitor, anna)
}

async fn a_yes_leads_on_with_the_agreed_words_alone(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let (visitor, anna) = begun(&suite).await;
    let case = visitor.case_id.as_str();
    anna.post(case, "a1", SECRET).await.unwrap();
    let note = PostNoteRequest { case_id: case.into(), client_id: "n1".into(), text: SECRET.into() };
    anna.conversations().post_note(note).await.unwrap();
    let name =
        RevealIdentityRequest { request_id: String::new(), case_id: case.into(), field: IdentityField::Name.into(), value: SECRET.into() };
    visitor.me.cases().reveal_identity(name).await.unwrap();

    // Only whoever has the case proposes, only elsewhere, only what that door takes.
    for stranger in [suite.worker("alfa.bo").await, suite.worker("beta.anna").await, suite.leader("alfa.lea").await] {
        refused(stranger.transfers().propose_transfer(proposal(case, "beta-door")).await, Code::NotFound, "NOT_FOUND");
    }
    refused(visitor.me.transfers().propose_transfer(proposal(case, "beta-door")).await, Code::PermissionDenied, "NOT_ALLOWED");
    refused(anna.transfers().propose_transfer(proposal(case, "gamma-door")).await, Code::NotFound, "NOT_FOUND");
    let own = ProposeTransferRequest { contact_reason_id: "alfa-cold".into(), ..proposal(case, "alfa-office") };
    let strange = ProposeTransferRequest { contact_reason_id: "alfa-cold".into(), ..proposal(case, "beta-door") };
    let long = ProposeTransferRequest { text: "ö".repeat(2_049), ..proposal(case, "beta-door") };
    for bad in [own, strange, long] {
        refused(anna.transfers().propose_transfer(bad).await, Code::InvalidArgument, "INVALID_FIELD");
    }
    let wanted = ProposeTransferRequest { request_id: "once".into(), ..proposal(case, "beta-door") };
    let proposed = anna.transfers().propose_transfer(wanted.clone()).await.unwrap().into_inner().transfer.unwrap();
    assert_eq!(anna.transfers().propose_transfer(wanted).await.unwrap().into_inner().transfer.unwrap(), proposed, "repeated, not doubled");
    refused(anna.transfers().propose_transfer(proposal(case, "beta-door")).await, Code::FailedPrecondition, "TRANSFER_OPEN");

    // The visitor reads exactly what would be passed on, and nobody else answers. Their language is not spoken there.
    let seen = standing(&visitor.me, case).await;
    assert_eq!((seen.transfer.as_ref(), seen.continuation), (Some(&proposed), None));
    let shown = [&proposed.organisation_name, &proposed.entry_point_name, &proposed.contact_reason_name, &proposed.text];
    assert_eq!(shown, ["Beta", "Betas dörr", "Förkylning", WORDS]);
    let transfer = proposed.transfer_id.as_str();
    refused(answer(&anna, case, transfer, true).await, Code::PermissionDenied, "NOT_ALLOWED");
    let other = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    refused(answer(&other.me, case, transfer, true).await, Code::NotFound, "NOT_FOUND");
    refused(answer(&other.me, &other.case_id, transfer, true).await, Code::NotFound, "NOT_FOUND");
    refused(withdraw(&suite.worker("beta.anna").await, case, transfer).await, Code::NotFound, "NOT_FOUND");

    let agreed = answer(&visitor.me, case, transfer, true).await.unwrap();
    let on = agreed.continuation.clone().unwrap();
    assert_eq!(agreed.transfer.unwrap().state(), TransferState::Agreed);
    // Said again, it is the same way on; and a yes stays a yes.
    assert_eq!(answer(&visitor.me, case, transfer, true).await.unwrap().continuation.as_ref(), Some(&on));
    assert_eq!(standing(&visitor.me, case).await.continuation.as_ref(), Some(&on));
    refused(answer(&visitor.me, case, transfer, false).await, Code::FailedPrecondition, "TRANSFER_OVER");
    refused(withdraw(&anna, case, transfer).await, Code::FailedPrecondition, "TRANSFER_OVER");

    // Here it is closed, with the outcome that says so, which nobody sets by hand; and staff has no way on.
    let closed = anna.case(case).await.unwrap();
    assert_eq!((closed.state(), closed.outcome()), (CaseState::Closed, Outcome::Transferred));
    assert_eq!(standing(&anna, case).await.continuation, None);
    let told = lines(&anna, case).await;
    assert!(told.ends_with(&[(SystemCode::TransferEnded, "agreed".into()), (SystemCode::Closed, String::new())]), "{told:?}");
    refused(anna.cases().close_case(close(&other.case_id, Outcome::Transferred)).await, Code::InvalidArgument, "INVALID_FIELD");
    let answered = audit(&visitor.me, case).await.into_iter().find(|one| one.action.ends_with("TransferService/AnswerTransfer")).unwrap();
    assert_eq!(answered.principal_kind, "visitor");

    // There it is a case like any other's, found again by words of its own.
    let me = suite.with_token(&on.visitor_token);
    let theirs = me.case(&on.case_id).await.unwrap();
    assert_eq!((theirs.organisation_id.as_str(), theirs.entry_point_id.as_str(), theirs.language.as_str()), ("beta", "beta-door", "nb"));
    assert!(theirs.erase_at.is_none() && closed.erase_at.is_some());
    let resume = ResumeCaseRequest { request_id: String::new(), return_phrase: on.return_phrase.clone() };
    assert_eq!(suite.anonymous().cases().resume_case(resume).await.unwrap().into_inner().case.unwrap().case_id, on.case_id);
    me.post(&on.case_id, "v1", "Hei, det er meg").await.unwrap();
    let nora = suite.worker("beta.anna").await;
    nora.present(true).await;
    nora.take(&on.case_id).await;
    let read = nora.messages(&on.case_id).await.unwrap();
    assert_eq!((read[0].text.as_str(), read[1].system.as_ref().unwrap().code()), (WORDS, SystemCode::TransferReceived));

    // Each side sees its own, and no byte of it comes from the other's.
    for (person, foreign) in [(&nora, case), (&me, case), (&anna, on.case_id.as_str()), (&visitor.me, on.case_id.as_str())] {
        refused(person.case(foreign).await, Code::NotFound, "NOT_FOUND");
        refused(person.messages(foreign).await, Code::NotFound, "NOT_FOUND");
    }
    let lea = suite.leader("beta.lea").await;
    let rows = audit(&lea, &on.case_id).await;
    assert!(rows.iter().any(|one| one.action.ends_with("TransferService/AnswerTransfer") && one.principal_kind == "system"), "{rows:?}");
    let mut bytes = lea.case(&on.case_id).await.unwrap().encode_to_vec();
    bytes.extend(read.iter().flat_map(prost::Message::encode_to_vec));
    bytes.extend(rows.iter().flat_map(prost::Message::encode_to_vec));
    bytes.extend(events_until_received(&suite, &on.case_id).await);
    let owner = closed.visitor.unwrap().visitor_id;
    for mark in [SECRET, "alfa", "Alfa", case, owner.as_str(), transfer] {
        assert!(!bytes.windows(mark.len()).any(|window| window == mark.as_bytes()), "{mark} reached the other organisation");
    }
}

/// What an integrator of beta's hears, until the case is there.
async fn events_until_received(suite: &TestSuite, case: &str) -> Vec<u8> {
    let watch = WatchRequest { service: "intake".into(), from_start: true, ..WatchRequest::default() };
    let mut stream = suite.integrator("beta").await.log().watch(watch).await.unwrap().into_inner();
    let mut heard = Vec::new();
    loop {
        let event = stream.message().await.unwrap().unwrap().event.unwrap_or_default();
        heard.extend(event.encode_to_vec());
        let line = event.event::<SystemLinePosted>().unwrap().filter(|_| event.key == case);
        if line.is_some_and(|line| line.code() == SystemCode::TransferReceived) {
            return heard;
        }
    }
}

async fn a_no_a_withdrawal_a_week_and_a_closing_end_it(stack: Stack) {
    let suite = Setup::new(stack).manual().start().await;
    let (visitor, anna) = begun(&suite).await;
    let case = visitor.case_id.as_str();
    let slow = SetCaseModeRequest {
        request_id: String::new(),
        case_id: case.into(),
        mode: CaseMode::Asynchronous.into(),
        state: CaseState::WaitingForUs.into(),
        due_at: None,
    };
    anna.cases().set_case_mode(slow).await.unwrap();
    // No: it is the worker's turn again, and a line tells them.
    let first = propose(&anna, case).await.transfer_id;
    assert_eq!(anna.case(case).await.unwrap().state(), CaseState::WaitingForVisitor);
    let declined = answer(&visitor.me, case, &first, false).await.unwrap();
    assert_eq!((declined.transfer.unwrap().state(), declined.continuation), (TransferState::Declined, None));
    assert_eq!(answer(&visitor.me, case, &first, false).await.unwrap().transfer.unwrap().state(), TransferState::Declined);
    refused(answer(&visitor.me, case, &first, true).await, Code::FailedPrecondition, "TRANSFER_OVER");
    assert_eq!(anna.case(case).await.unwrap().state(), CaseState::WaitingForUs);
    assert_eq!(lines(&anna, case).await.last(), Some(&(SystemCode::TransferEnded, "declined".into())));
    // Withdrawn.
    suite.advance(Duration::from_secs(1)).await;
    let second = propose(&anna, case).await.transfer_id;
    assert_eq!(withdraw(&anna, case, &second).await.unwrap().state(), TransferState::Withdrawn);
    refused(answer(&visitor.me, case, &second, true).await, Code::FailedPrecondition, "TRANSFER_OVER");
    refused(answer(&visitor.me, case, &first, true).await, Code::FailedPrecondition, "TRANSFER_OVER");
    // A week, and not a second less.
    suite.advance(Duration::from_secs(1)).await;
    let third = propose(&anna, case).await;
    assert_eq!(time(third.expires_at.as_ref()), time(third.proposed_at.as_ref()) + WEEK);
    suite.advance(WEEK - Duration::from_secs(1)).await;
    assert_eq!(state(&visitor.me, case).await, TransferState::Proposed);
    suite.advance(Duration::from_secs(1)).await;
    assert_eq!(state(&visitor.me, case).await, TransferState::Expired);
    refused(answer(&visitor.me, case, &third.transfer_id, true).await, Code::FailedPrecondition, "TRANSFER_OVER");
    assert_eq!(anna.case(case).await.unwrap().state(), CaseState::WaitingForUs);
    // Closed: what was asked is asked no more, nor when the case is opened again.
    let fourth = propose(&anna, case).await.transfer_id;
    anna.cases().close_case(close(case, Outcome::Advice)).await.unwrap();
    refused(answer(&visitor.me, case, &fourth, true).await, Code::FailedPrecondition, "TRANSFER_OVER");
    anna.cases().reopen_case(ReopenCaseRequest { request_id: String::new(), case_id: case.into() }).await.unwrap();
    assert_eq!(state(&visitor.me, case).await, TransferState::Withdrawn);
    let ends: Vec<String> =
        lines(&visitor.me, case).await.into_iter().filter(|(code, _)| *code == SystemCode::TransferEnded).map(|(_, state)| state).collect();
    assert_eq!(ends, ["declined", "withdrawn", "expired", "withdrawn"]);
    // All this while nobody has come to beta, and with the case every proposal is forgotten.
    assert_eq!(arrivals(&suite).await, 0);
    anna.cases().close_case(close(case, Outcome::Advice)).await.unwrap();
    suite.advance(WEEK).await;
    let rows = suite.db("intake").await.rows("SELECT body FROM transfer", store::args![]).await.unwrap();
    assert!(rows.is_empty());
}

/// Cases that came to beta by a transfer, in the tables.
async fn arrivals(suite: &TestSuite) -> usize {
    let code = i32::from(SystemCode::TransferReceived);
    suite.db("intake").await.rows("SELECT case_id FROM message WHERE code = $1", store::args![code]).await.unwrap().len()
}

async fn of_many_answers_one_counts(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let (visitor, anna) = begun(&suite).await;
    let (me, case) = (&visitor.me, visitor.case_id.as_str());
    let transfer = propose(&anna, case).await.transfer_id;
    let transfer = transfer.as_str();
    let answers = futures::future::join_all((0..8).map(|n| answer(me, case, transfer, n != 3)));
    let (answers, taken) = futures::join!(answers, withdraw(&anna, case, transfer));
    let ways: Vec<String> = answers.iter().flatten().filter_map(|one| one.continuation.as_ref()).map(|on| on.case_id.clone()).collect();
    match state(me, case).await {
        TransferState::Agreed => {
            assert_eq!(ways.len(), 7);
            assert!(ways.iter().all(|way| *way == ways[0]) && taken.is_err());
            assert_eq!(arrivals(&suite).await, 1);
            assert_eq!(
                suite
                    .with_token(&answers.iter().flatten().find_map(|one| one.continuation.clone()).unwrap().visitor_token)
                    .case(&ways[0])
                    .await
                    .unwrap()
                    .organisation_id,
                "beta"
            );
        }
        TransferState::Declined | TransferState::Withdrawn => {
            assert!(ways.is_empty());
            assert_eq!(arrivals(&suite).await, 0);
            assert_ne!(anna.case(case).await.unwrap().state(), CaseState::Closed);
        }
        other => panic!("{other:?}"),
    }
}

async fn what_is_not_possible_any_more_goes_on_here(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let (visitor, anna) = begun(&suite).await;
    let (case, transfer) = (visitor.case_id.as_str(), propose(&anna, &visitor.case_id).await.transfer_id);
    let kept = propose(&anna, &{
        let other = suite.visitor("alfa-door", "alfa-cold", "hej").await;
        anna.take(&other.case_id).await;
        other.case_id
    })
    .await;
    assert_ne!(kept.transfer_id, transfer);
    // That door asks everybody to sign in now.
    suite.apply(&region_yaml().replace("    - id: beta-door\n", "    - id: beta-door\n      anonymity: identified\n")).await;
    let failed = answer(&visitor.me, case, &transfer, true).await.unwrap();
    assert_eq!((failed.transfer.unwrap().state(), failed.continuation), (TransferState::Failed, None));
    assert_eq!(lines(&visitor.me, case).await.last(), Some(&(SystemCode::TransferEnded, "failed".into())));
    visitor.me.post(case, "v1", "då fortsätter vi här").await.unwrap();
    assert_eq!(arrivals(&suite).await, 0);
    // It is proposed nowhere where it cannot be.
    refused(anna.transfers().propose_transfer(proposal(case, "beta-door")).await, Code::FailedPrecondition, "SIGN_IN_REQUIRED");
}

/// P1: the process dies around the commits that a yes makes; afterwards it was done as a whole or not at all, and said again it is done once.
#[tokio::test(flavor = "multi_thread")]
async fn p1_a_yes_survives_being_killed() {
    let mut remote = Remote::new(Vec::new());
    remote.up_with_region().await;
    let mut unanswered = 0;
    for (failpoint, nth) in ["unit.before_commit", "unit.after_commit"].into_iter().flat_map(|name| (1..=3).map(move |nth| (name, nth))) {
        let anna = remote.person(PrincipalKind::Worker, "alfa.anna").await;
        let request = OpenCaseRequest {
            entry_point_id: "alfa-door".into(),
            contact_reason_id: "alfa-cold".into(),
            text: "hej".into(),
            ..OpenCaseRequest::default()
        };
        let opened = remote.anonymous().await.cases().open_case(request).await.unwrap().into_inner();
        let case = opened.case.unwrap().case_id;
        anna.present(true).await;
        anna.take(&case).await;
        let transfer = propose(&anna, &case).await.transfer_id;
        remote.stop().await;
        remote.launch(&format!("{failpoint}:{nth}"));
        // Some of these deaths come before the yes, some after it.
        let address = remote.address();
        let channel = eventually("it answers, or has died", async || match client::connect(&address).await {
            Ok(channel) => Some(Some(channel)),
            Err(_) => (!remote.process().is_running()).then_some(None),
        })
        .await;
        let mut first = None;
        if let Some(channel) = channel {
            let me = Person::new(channel, &opened.visitor_token);
            first = answer(&me, &case, &transfer, true).await.ok();
            unanswered += usize::from(first.is_none());
            // Reads are written down too, so they come to the failpoint.
            while me.case(&case).await.is_ok() {}
        }
        assert!(remote.dies().await, "{failpoint} was never passed for the {nth}th time");
        remote.up("").await;
        let me = remote.with_token(&opened.visitor_token).await;
        // Whole or not at all.
        let closed = me.case(&case).await.unwrap().state() == CaseState::Closed;
        let seen = standing(&me, &case).await;
        assert_eq!(closed, seen.transfer.unwrap().state() == TransferState::Agreed);
        assert!(closed || first.is_none(), "OK means that it is committed");
        let on = answer(&me, &case, &transfer, true).await.unwrap().continuation.unwrap();
        assert!(seen.continuation.is_none_or(|before| before == on));
        let there = remote.with_token(&on.visitor_token).await;
        assert_eq!(there.messages(&on.case_id).await.unwrap().len(), 2);
    }
    assert!(unanswered > 0, "no death met a yes");
    let db = remote.db("intake").await;
    let code = i32::from(SystemCode::TransferReceived);
    assert_eq!(db.rows("SELECT case_id FROM message WHERE code = $1", store::args![code]).await.unwrap().len(), 6);
}
