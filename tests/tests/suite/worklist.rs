//! A worker's day: what is whose turn, what must go into the journal, the end of a shift, and who a visitor is.

use std::time::Duration;

use proto::intake::{
    CaseMode, CaseState, CaseView, ExportCaseRequest, GetSummaryRequest, IdentityField, ListAuditRequest, ListCasesRequest,
    ListContactsRequest, MarkDocumentedRequest, OpenCaseRequest, Outcome, RateCaseRequest, ReopenCaseRequest, RequestVideoRequest,
    RevealIdentityRequest, SetCaseModeRequest, SystemCode,
};
use proto::routing::HandOverRequest;
use samtal_tests::suite::{Person, Setup, Stack, TestSuite, Visitor, eventually, refused, time};
use tonic::Code;

on_both_stacks!(
    what_is_over_goes_into_the_journal,
    a_shift_ends_and_nothing_is_left_behind,
    an_identified_visitor_has_a_history_and_an_anonymous_one_none,
    a_visitor_tells_who_they_are_step_by_step,
    a_visitor_rates_returns_and_takes_their_case_along,
);

async fn taken(suite: &TestSuite, anna: &Person, text: &str) -> Visitor {
    let visitor = suite.visitor("alfa-door", "alfa-cold", text).await;
    anna.take(&visitor.case_id).await;
    visitor
}

async fn ids(person: &Person, view: CaseView) -> Vec<String> {
    let request = ListCasesRequest { view: view.into(), ..ListCasesRequest::default() };
    person.cases().list_cases(request).await.unwrap().into_inner().cases.into_iter().map(|case| case.case_id).collect()
}

async fn what_is_over_goes_into_the_journal(stack: Stack) {
    let suite = Setup::new(stack).manual().start().await;
    for unknown in ["nosuch", "beta-nord"] {
        let elsewhere = ListCasesRequest { clinic_id: unknown.into(), ..ListCasesRequest::default() };
        refused(suite.integrator("alfa").await.cases().list_cases(elsewhere).await, Code::NotFound, "NOT_FOUND");
    }
    let (anna, lea, journal) = (suite.worker("alfa.anna").await, suite.leader("alfa.lea").await, suite.integrator("alfa").await);
    anna.present(true).await;
    let request = OpenCaseRequest {
        entry_point_id: "alfa-door".into(),
        contact_reason_id: "alfa-chest".into(),
        text: "hej".into(),
        answers: vec![proto::intake::Answer { question_id: "danger".into(), option_id: "yes".into() }],
        ..OpenCaseRequest::default()
    };
    let grave = suite.visitor_with(request).await;
    anna.take(&grave.case_id).await;
    anna.post(&grave.case_id, "a1", "hej").await.unwrap();
    // Two that wait for us, the later one due sooner; one that does not.
    let (late, soon, other) = (taken(&suite, &anna, "b").await, taken(&suite, &anna, "c").await, taken(&suite, &anna, "d").await);
    for (case, hours) in [(&late, 5), (&soon, 1)] {
        let due = suite.clock.now() + Duration::from_secs(hours * 3600);
        let mode = SetCaseModeRequest {
            request_id: String::new(),
            case_id: case.case_id.clone(),
            mode: CaseMode::Asynchronous.into(),
            state: CaseState::WaitingForUs.into(),
            due_at: Some(proto::timestamp(due)),
        };
        anna.cases().set_case_mode(mode).await.unwrap();
    }
    assert_eq!(
        ids(&anna, CaseView::Mine).await,
        [&soon, &late, &grave, &other].map(|one| one.case_id.clone()),
        "due, then grave, then old"
    );
    assert_eq!(ids(&anna, CaseView::WaitingForUs).await, [&soon, &late].map(|one| one.case_id.clone()));

    // The summary holds what a journal wants to know.
    let get = GetSummaryRequest { case_id: grave.case_id.clone(), language: "en".into() };
    let summary = eventually("triage has spoken", async || {
        let summary = anna.cases().get_summary(get.clone()).await.unwrap().into_inner().summary.unwrap();
        (!summary.severity_because.is_empty()).then_some(summary)
    })
    .await;
    assert_eq!((summary.contact_reason.as_str(), summary.severity_because[0].as_str()), ("Chest pain", "danger-to-life"));
    assert_eq!((summary.answers[0].question.as_str(), summary.answers[0].answer.as_str()), ("Hard to breathe?", "Yes"));
    assert_eq!(
        (summary.advice.as_slice(), summary.visitor_messages, summary.worker_messages),
        (["Call 112 now.".to_owned()].as_slice(), 1, 1)
    );
    assert!(!summary.incomplete && summary.bookings.is_empty());
    refused(suite.worker("alfa.bo").await.cases().get_summary(get).await, Code::NotFound, "NOT_FOUND");

    let mark = |case: &Visitor| MarkDocumentedRequest { request_id: String::new(), case_id: case.case_id.clone() };
    refused(anna.cases().mark_documented(mark(&grave)).await, Code::FailedPrecondition, "CASE_NOT_CLOSED");
    for case in [&grave, &other] {
        anna.cases().close_case(crate::journey::close(&case.case_id, Outcome::Advice)).await.unwrap();
        suite.advance(Duration::from_secs(1)).await;
    }
    assert_eq!(ids(&lea, CaseView::Undocumented).await, [&grave, &other].map(|one| one.case_id.clone()));
    assert_eq!(ids(&lea, CaseView::Closed).await, [&other, &grave].map(|one| one.case_id.clone()));
    // By whoever had it, or by the journal system; once is enough.
    let marked = anna.cases().mark_documented(mark(&grave)).await.unwrap().into_inner().case.unwrap();
    assert_eq!(marked.documented_by_worker_id, "alfa.anna");
    suite.advance(Duration::from_secs(60)).await;
    let again = journal.cases().mark_documented(mark(&grave)).await.unwrap().into_inner().case.unwrap();
    assert_eq!(again.documented_at, marked.documented_at);
    journal.cases().mark_documented(mark(&other)).await.unwrap();
    assert!(ids(&lea, CaseView::Undocumented).await.is_empty());
    // Opened again, it must be documented again.
    lea.cases().reopen_case(ReopenCaseRequest { request_id: String::new(), case_id: other.case_id.clone() }).await.unwrap();
    assert_eq!(lea.case(&other.case_id).await.unwrap().documented_at, None);
}

async fn a_shift_ends_and_nothing_is_left_behind(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let (anna, bo, lea) = (suite.worker("alfa.anna").await, suite.worker("alfa.bo").await, suite.leader("alfa.lea").await);
    anna.present(true).await;
    let mut cases = Vec::new();
    for n in 0..3 {
        cases.push(taken(&suite, &anna, &format!("ärende {n}")).await.case_id);
    }
    cases.sort();
    let hand_over = |worker: &str, to: &str, queue: &str| HandOverRequest {
        request_id: String::new(),
        worker_id: worker.into(),
        to_worker_id: to.into(),
        queue_id: queue.into(),
    };
    refused(bo.routing().hand_over(hand_over("alfa.anna", "", "")).await, Code::NotFound, "NOT_FOUND");
    refused(anna.routing().hand_over(hand_over("", "alfa.bo", "alfa-pull")).await, Code::InvalidArgument, "INVALID_FIELD");
    refused(anna.routing().hand_over(hand_over("", "", "beta-pull")).await, Code::NotFound, "NOT_FOUND");
    // To a colleague: each is theirs once they accept it, and hers until then.
    bo.present(true).await;
    anna.present(false).await;
    let handed = anna.routing().hand_over(hand_over("", "alfa.bo", "")).await.unwrap().into_inner();
    assert_eq!(handed.case_ids, cases);
    bo.take(&cases[0]).await;
    // The leader sends the rest back to the queue, from where it goes to whoever is there.
    let rest = lea.routing().hand_over(hand_over("alfa.anna", "", "")).await.unwrap().into_inner();
    assert_eq!(rest.case_ids, cases[1..]);
    for case in &cases[1..] {
        bo.take(case).await;
    }
    assert!(anna.routing().hand_over(hand_over("", "", "")).await.unwrap().into_inner().case_ids.is_empty());
    // All of it into a list of another clinic, where a colleague claims.
    bo.routing().hand_over(hand_over("", "", "alfa-far")).await.unwrap();
    let sten = suite.worker("alfa.sten").await;
    for case in &cases {
        let claim = proto::routing::ClaimCaseRequest { case_id: case.clone(), ..Default::default() };
        sten.routing().claim_case(claim).await.unwrap();
        sten.holds(case).await;
        assert_eq!(sten.case(case).await.unwrap().clinic_id, "alfa-soder");
    }
}

async fn an_identified_visitor_has_a_history_and_an_anonymous_one_none(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let anna = suite.worker("alfa.anna").await;
    let open = async |organisation: &str, external_ref: &str, identified: bool| {
        let journal = suite.integrator(organisation).await;
        let request = OpenCaseRequest {
            entry_point_id: format!("{organisation}-door"),
            contact_reason_id: format!("{organisation}-cold"),
            text: "hej".into(),
            visitor: Some(proto::intake::Visitor { external_ref: external_ref.into(), identified, ..Default::default() }),
            ..OpenCaseRequest::default()
        };
        journal.cases().open_case(request).await.unwrap().into_inner().case.unwrap().case_id
    };
    let (first, second) = (open("alfa", "p1", true).await, open("alfa", "p1", true).await);
    let (elsewhere, unknown) = (open("beta", "p1", true).await, open("alfa", "p1", false).await);
    anna.present(true).await;
    anna.take(&second).await;
    anna.take(&unknown).await;
    let contacts = |case: &str, reason: &str| ListContactsRequest { case_id: case.into(), access_reason: reason.into() };
    refused(anna.cases().list_contacts(contacts(&second, "")).await, Code::InvalidArgument, "INVALID_FIELD");
    let found = anna.cases().list_contacts(contacts(&second, "safety")).await.unwrap().into_inner().cases;
    assert_eq!(found.iter().map(|case| &case.case_id).collect::<Vec<_>>(), [&first], "not {elsewhere}, not {unknown}");
    assert!(anna.cases().list_contacts(contacts(&unknown, "safety")).await.unwrap().into_inner().cases.is_empty());
    // Why it was opened stands in the log of the case that was looked at.
    let lea = suite.leader("alfa.lea").await;
    let audit = ListAuditRequest { case_id: first, ..ListAuditRequest::default() };
    let entries = lea.cases().list_audit(audit).await.unwrap().into_inner().entries;
    assert!(entries.iter().any(|one| one.principal_id == "alfa.anna" && one.action.ends_with("ListContacts (safety)")), "{entries:?}");
}

async fn a_visitor_tells_who_they_are_step_by_step(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let anna = suite.worker("alfa.anna").await;
    anna.present(true).await;
    let visitor = taken(&suite, &anna, "hej").await;
    let reveal = |field: IdentityField, value: &str| RevealIdentityRequest {
        request_id: String::new(),
        case_id: visitor.case_id.clone(),
        field: field.into(),
        value: value.into(),
    };
    for (field, nonsense) in [
        (IdentityField::Phone, "ring mig"),
        (IdentityField::Email, "maja"),
        (IdentityField::PersonNumber, "19900602-2398"),
        (IdentityField::Name, " "),
        (IdentityField::Unspecified, "Maja"),
    ] {
        refused(visitor.me.cases().reveal_identity(reveal(field, nonsense)).await, Code::InvalidArgument, "INVALID_FIELD");
    }
    // Nobody but the visitor.
    refused(anna.cases().reveal_identity(reveal(IdentityField::Name, "Maja")).await, Code::PermissionDenied, "NOT_ALLOWED");
    assert!(anna.case(&visitor.case_id).await.unwrap().revealed.is_empty());
    visitor.me.cases().reveal_identity(reveal(IdentityField::Name, "Maja")).await.unwrap();
    let shown: Vec<(IdentityField, String)> =
        anna.case(&visitor.case_id).await.unwrap().revealed.into_iter().map(|one| (one.field(), one.value)).collect();
    assert_eq!(shown, [(IdentityField::Name, "Maja".to_owned())], "that and no more");
    visitor.me.cases().reveal_identity(reveal(IdentityField::PersonNumber, "900602-2397")).await.unwrap();
    visitor.me.cases().reveal_identity(reveal(IdentityField::Name, "Maja P")).await.unwrap();
    let shown: Vec<String> = anna.case(&visitor.case_id).await.unwrap().revealed.into_iter().map(|one| one.value).collect();
    assert_eq!(shown, ["199006022397", "Maja P"]);
    // The conversation says that it was told, never what.
    let lines: Vec<_> = anna.messages(&visitor.case_id).await.unwrap().into_iter().filter_map(|one| one.system).collect();
    let fields: Vec<&str> =
        lines.iter().filter(|line| line.code() == SystemCode::IdentityRevealed).map(|line| line.params["field"].as_str()).collect();
    assert_eq!(fields, ["name", "person_number", "name"]);
}

async fn a_visitor_rates_returns_and_takes_their_case_along(stack: Stack) {
    let suite = Setup::new(stack).manual().start().await;
    let (anna, lea) = (suite.worker("alfa.anna").await, suite.leader("alfa.lea").await);
    anna.present(true).await;
    let visitor = suite.visitor("alfa-office", "alfa-cold", "hej").await;
    let case = visitor.case_id.clone();
    anna.take(&case).await;
    // The same address for both, and once in the conversation.
    let video = |_: ()| RequestVideoRequest { case_id: case.clone() };
    let line = visitor.me.cases().request_video(video(())).await.unwrap().into_inner().message.unwrap();
    assert_eq!(anna.cases().request_video(video(())).await.unwrap().into_inner().message.unwrap(), line);
    let url = line.system.unwrap().params["url"].clone();
    assert!(url.starts_with("https://meet.example/") && url.len() > 40 && !url.contains(&case), "{url}");

    anna.cases().close_case(crate::journey::close(&case, Outcome::Advice)).await.unwrap();
    let rate = RateCaseRequest { request_id: String::new(), case_id: case.clone(), rating: 2, text: "jag vill ta livet av mig".into() };
    let rated = visitor.me.cases().rate_case(rate).await.unwrap().into_inner();
    assert_eq!(rated.safety.unwrap().red_flags[0].category, "suicide", "whatever a visitor writes is screened");
    assert!(lea.case(&case).await.unwrap().rating_text.contains("livet"));
    assert!(anna.case(&case).await.unwrap().rating_text.is_empty(), "leaders read it");

    let export = ExportCaseRequest { case_id: case.clone() };
    refused(anna.cases().export_case(export.clone()).await, Code::PermissionDenied, "NOT_ALLOWED");
    let export =
        eventually("scheduling knows the case", async || visitor.me.cases().export_case(export.clone()).await.ok()).await.into_inner();
    let document: serde_json::Value = serde_json::from_str(&export.document_json).unwrap();
    assert_eq!((&document["format"], &document["case"]["rating"]), (&"samtal.case.v1".into(), &2.into()));
    assert_eq!(document["messages"][0]["text"], "hej");
    assert_eq!(document["messages"][2]["params"]["url"], url.as_str());

    // Within two days the visitor may come back; later only staff can open it.
    let closed = visitor.me.case(&case).await.unwrap();
    assert_eq!(time(closed.reopen_until.as_ref()), time(closed.closed_at.as_ref()) + Duration::from_secs(2 * 86_400));
    let reopen = ReopenCaseRequest { request_id: String::new(), case_id: case.clone() };
    suite.advance(Duration::from_secs(2 * 86_400 - 1)).await;
    visitor.me.cases().reopen_case(reopen.clone()).await.unwrap();
    eventually("Anna or the queue has it again", async || lea.cases().close_case(crate::journey::close(&case, Outcome::Advice)).await.ok())
        .await;
    suite.advance(Duration::from_secs(2 * 86_400)).await;
    refused(visitor.me.cases().reopen_case(reopen.clone()).await, Code::FailedPrecondition, "REOPEN_TOO_LATE");
    lea.cases().reopen_case(reopen).await.unwrap();
}
