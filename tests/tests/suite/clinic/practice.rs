//! Practice: opened on purpose only, marked everywhere, answered by those who practise, and nothing of it counts.

use proto::insights::GetReportRequest;
use proto::intake::{CaseState, GetPracticeKeyRequest, ListEntryPointsRequest, ListRolloutRequest, OpenCaseRequest, Outcome};
use proto::log::ReadRequest;
use proto::routing::{ExplainRequest, GetExpectedWaitRequest, ListOffersRequest, ListQueueRequest, SetPresenceRequest};
use samtal_tests::suite::{Person, Setup, Stack, TestSuite, eventually, refused, region_yaml};
use std::time::Duration;
use tonic::Code;

on_both_stacks!(nobody_practises_by_accident, practice_reaches_those_who_practise_and_nobody_else);

/// The region with a door that is for practice only.
fn with_practice_door() -> String {
    let door = "    - { id: alfa-practice, clinic: alfa-norr, name: { sv: Övning, en: Practice }, queue: alfa-push, calendar: alfa-always, \
                retention_days: 1, practice: true, listed: false }\n    - id: alfa-far-door";
    region_yaml().replacen("    - id: alfa-far-door", door, 1)
}

async fn key(person: &Person, door: &str) -> String {
    let request = GetPracticeKeyRequest { entry_point_id: door.into() };
    person.clinics().get_practice_key(request).await.unwrap().into_inner().practice_key
}

fn open(door: &str, key: &str, text: &str) -> OpenCaseRequest {
    OpenCaseRequest {
        entry_point_id: door.into(),
        contact_reason_id: "alfa-cold".into(),
        practice_key: key.into(),
        text: text.into(),
        language: "sv".into(),
        ..OpenCaseRequest::default()
    }
}

async fn practise(person: &Person) {
    let request = SetPresenceRequest { present: true, practising: true, hold_seconds: 43_200, ..SetPresenceRequest::default() };
    assert!(person.routing().set_presence(request).await.unwrap().into_inner().presence.unwrap().practising);
}

async fn nobody_practises_by_accident(stack: Stack) {
    // Sunday: the office is closed, and practised on all the same.
    let mut suite = Setup::new(stack).manual().region(with_practice_door()).start().await;
    suite.advance(Duration::from_secs(4 * 86_400)).await;
    let (anyone, anna) = (suite.anonymous(), suite.worker("alfa.anna").await);
    refused(anyone.cases().open_case(open("alfa-practice", "", "hej")).await, Code::FailedPrecondition, "PRACTICE_ONLY");
    refused(anyone.cases().open_case(open("alfa-practice", "nonsense", "hej")).await, Code::FailedPrecondition, "PRACTICE_KEY_OVER");
    let office = key(&anna, "alfa-office").await;
    refused(anyone.cases().open_case(open("alfa-practice", &office, "hej")).await, Code::FailedPrecondition, "PRACTICE_KEY_OVER");
    refused(anyone.cases().open_case(open("alfa-office", "", "hej")).await, Code::FailedPrecondition, "ENTRY_POINT_CLOSED");
    let opened = anyone.cases().open_case(open("alfa-office", &office, "hej")).await.unwrap().into_inner().case.unwrap();
    assert!(opened.practice);
    // A key is for the clinic's own staff, and not for long.
    let other = GetPracticeKeyRequest { entry_point_id: "alfa-far-door".into() };
    refused(anna.clinics().get_practice_key(other).await, Code::NotFound, "NOT_FOUND");
    let foreign = GetPracticeKeyRequest { entry_point_id: "beta-door".into() };
    refused(anna.clinics().get_practice_key(foreign).await, Code::NotFound, "NOT_FOUND");
    suite.advance(Duration::from_secs(13 * 3600)).await;
    refused(anyone.cases().open_case(open("alfa-office", &office, "hej")).await, Code::FailedPrecondition, "PRACTICE_KEY_OVER");
    // Who looks for a clinic finds no such door; whoever runs the region does.
    let list = || ListEntryPointsRequest { page_size: 200, ..ListEntryPointsRequest::default() };
    let found = |doors: Vec<proto::intake::EntryPointSummary>| {
        doors.iter().any(|one| one.entry_point_id == "alfa-practice" && one.practice && one.unlisted)
    };
    assert!(!found(anyone.cases().list_entry_points(list()).await.unwrap().into_inner().entry_points));
    assert!(found(suite.operator().cases().list_entry_points(list()).await.unwrap().into_inner().entry_points));
    suite.down().await;
}

async fn practice_reaches_those_who_practise_and_nobody_else(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let (anna, bo, lea) = (suite.worker("alfa.anna").await, suite.worker("alfa.bo").await, suite.leader("alfa.lea").await);
    let key = key(&anna, "alfa-door").await;
    bo.present(true).await;
    let visitor = suite.visitor_with(open("alfa-door", &key, "Jag vill ta livet av mig")).await;
    let case = visitor.case_id.clone();
    eventually("it waits", async || lea.case(&case).await.ok().filter(|case| case.state() == CaseState::Waiting)).await;
    let explain = || ExplainRequest { case_id: case.clone() };
    let why = |decisions: Vec<proto::routing::Decision>| {
        let verdicts = decisions.into_iter().flat_map(|one| one.candidates);
        verdicts.filter(|one| one.worker_id == "alfa.bo").map(|one| one.why).collect::<Vec<_>>()
    };
    let told = why(lea.routing().explain(explain()).await.unwrap().into_inner().decisions);
    assert_eq!(told, ["NOT_PRACTISING"]);
    let bos = bo.routing().list_offers(ListOffersRequest {}).await.unwrap().into_inner();
    assert!(bos.offers.is_empty() && bos.alerts.is_empty(), "nobody at work is called to practice");

    // Whoever practises gets it, and no real case.
    practise(&anna).await;
    anna.take(&case).await;
    let real = suite.visitor("alfa-door", "alfa-cold", "på riktigt").await;
    bo.take(&real.case_id).await;
    let second = suite.visitor_with(open("alfa-door", &key, "igen")).await;
    anna.offer(&second.case_id).await;
    let queue = lea.routing().list_queue(ListQueueRequest { queue_id: "alfa-push".into() }).await.unwrap().into_inner().cases;
    assert_eq!(queue.iter().map(|one| (one.practice, one.position)).collect::<Vec<_>>(), [(true, 1)]);

    // A door is not staffed by somebody who practises.
    let wait = || GetExpectedWaitRequest { entry_point_id: "alfa-door".into() };
    assert!(anna.routing().get_expected_wait(wait()).await.unwrap().into_inner().staffed);
    bo.present(false).await;
    assert!(!anna.routing().get_expected_wait(wait()).await.unwrap().into_inner().staffed);
    // Back at work, she is asked for practice no more.
    anna.present(true).await;
    assert!(anna.offers().await.is_empty());

    // Every event of it says so, in every service.
    anna.cases().close_case(crate::journey::close(&case, Outcome::Advice)).await.unwrap();
    for service in ["intake", "triage", "routing"] {
        let read = async || {
            let mut marks = Vec::new();
            for shard in 0..16 {
                let read = ReadRequest { service: service.into(), shard, from: 1, limit: 0 };
                let Ok(answer) = suite.service("insights").log_at(service).read(read).await else { break };
                let events = answer.into_inner().batch.unwrap_or_default().events;
                marks.extend(events.iter().filter(|event| event.key == case).map(|event| event.practice));
            }
            Some(marks).filter(|marks| !marks.is_empty())
        };
        let marks = eventually("events of the case", read).await;
        assert!(marks.iter().all(|practice| *practice), "{service}");
    }
    // And none of it counts.
    let report = || GetReportRequest { organisation_id: "alfa".into(), ..GetReportRequest::default() };
    eventually("the real case is counted, and it alone", async || {
        let report = lea.insights().get_report(report()).await.ok()?.into_inner();
        (report.cases == 1 && report.answered == 1).then_some(())
    })
    .await;
    let mine = lea.clinics().list_rollout(ListRolloutRequest {}).await.unwrap().into_inner().clinics;
    assert_eq!((mine[0].practice_cases, mine[0].practised_workers, mine[0].entry_points), (2, 1, 2));
}
