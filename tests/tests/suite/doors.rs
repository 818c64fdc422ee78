//! Closed doors, and words of danger at open and closed ones (P19).

use kernel::Time;
use proto::intake::{CaseState, GetEntryPointRequest, OpenCaseRequest, SafetyNotice, Severity, SubscribeRequest};
use proto::scheduling::GetOpeningRequest;
use proto::triage::GetTriageRequest;
use samtal_tests::suite::{MORNING, Setup, Stack, TestSuite, eventually, refused, time};
use std::time::Duration;
use tonic::Code;

on_both_stacks!(
    a_closed_door_takes_a_message_for_its_opening,
    p19_red_flags_show_the_right_numbers_at_once,
    p19_red_flags_at_a_closed_door_say_when_somebody_reads_them,
);

const HOUR: Duration = Duration::from_secs(3600);
/// Thursday, 8:00.
const OPENING: Time = Time::from_secs(MORNING.secs() + 22 * 3600);

fn open(entry_point: &str, text: &str) -> OpenCaseRequest {
    OpenCaseRequest {
        entry_point_id: entry_point.to_owned(),
        contact_reason_id: format!("{}-cold", entry_point.split('-').next().unwrap()),
        text: text.to_owned(),
        ..OpenCaseRequest::default()
    }
}

async fn a_closed_door_takes_a_message_for_its_opening(stack: Stack) {
    let suite = Setup::new(stack).manual().start().await;
    let visitors = suite.anonymous();
    visitors.cases().open_case(open("alfa-office", "hej")).await.expect("open on a Wednesday morning");
    suite.advance(8 * HOUR).await;
    let status = refused(visitors.cases().open_case(open("alfa-office", "hej")).await, Code::FailedPrecondition, "ENTRY_POINT_CLOSED");
    assert!(status.message().contains("2026-03-12T07:00:00Z") && status.message().contains("leave_message"), "{}", status.message());
    let door =
        visitors.cases().get_entry_point(GetEntryPointRequest { entry_point_id: "alfa-office".into(), language: String::new() }).await;
    let door = door.unwrap().into_inner().entry_point.unwrap();
    assert!(!door.open && time(door.next_opening_at.as_ref()) == OPENING, "{door:?}");
    let opening =
        visitors.scheduling().get_opening(GetOpeningRequest { calendar_id: "alfa-hours".into(), at: None }).await.unwrap().into_inner();
    assert!(!opening.open && time(opening.next_opening_at.as_ref()) == OPENING);

    // Left messages wait for the opening, even while somebody is there.
    let anna = suite.worker("alfa.anna").await;
    let left = suite.visitor_with(OpenCaseRequest { leave_message: true, ..open("alfa-office", "läs i morgon") }).await;
    assert_eq!(time(left.opened.next_opening_at.as_ref()), OPENING);
    anna.present(true).await;
    suite.settle().await;
    let offered: Vec<String> = anna.offers().await.into_iter().map(|offer| offer.case_id).collect();
    assert!(!offered.contains(&left.case_id), "nobody is called at night for a message");
    suite.advance(11 * HOUR).await;
    anna.present(true).await;
    suite.advance(3 * HOUR - Duration::from_secs(1)).await;
    assert!(anna.offers().await.iter().all(|offer| offer.case_id != left.case_id));
    suite.advance(Duration::from_secs(1)).await;
    assert!(anna.offers().await.iter().any(|offer| offer.case_id == left.case_id), "at the opening it is offered");
    visitors.cases().open_case(open("alfa-office", "hej")).await.expect("open again");
}

/// The numbers of the first flag.
fn numbers(notice: &SafetyNotice) -> Vec<&str> {
    notice.red_flags[0].numbers.iter().map(|line| line.number.as_str()).collect()
}

async fn p19_red_flags_show_the_right_numbers_at_once(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    // In the answer to the very first text; by the organisation's country.
    let swedish = suite.visitor("alfa-door", "alfa-cold", "jag har tänkt på att ta livet av mig").await;
    let notice = swedish.opened.safety.clone().expect("a notice");
    assert_eq!(notice.red_flags[0].category, "suicide");
    assert!(numbers(&notice).contains(&"112") && numbers(&notice).contains(&"90101"), "{notice:?}");
    assert!(notice.red_flags[0].numbers.iter().all(|line| !line.label.is_empty() && !line.checked_on.is_empty()));
    let norwegian = suite.visitor("beta-door", "beta-cold", "jeg har tenkt på å ta livet av meg").await;
    let notice = norwegian.opened.safety.clone().expect("a notice");
    assert!(numbers(&notice).contains(&"113") && !numbers(&notice).contains(&"90101"), "{notice:?}");

    // Triage raises it; a case that says nothing of the kind is left alone.
    let calm = suite.visitor("alfa-door", "alfa-cold", "jag är förkyld").await;
    assert_eq!(calm.opened.safety, None);
    let lea = suite.leader("alfa.lea").await;
    let graver = async |case_id: &str| {
        eventually("triage raises it", async || {
            let case = lea.case(case_id).await.unwrap();
            (case.severity() >= Severity::Urgent).then_some(case)
        })
        .await
    };
    assert_eq!(graver(&swedish.case_id).await.red_flags, ["suicide"]);
    let triage = lea.triage().get_triage(GetTriageRequest { case_id: swedish.case_id.clone() }).await.unwrap().into_inner().triage.unwrap();
    assert_eq!(triage.red_flags, ["suicide"]);
    // It goes ahead of the queue: Anna is offered it first although the list is as old as it is.
    let anna = suite.worker("alfa.anna").await;
    anna.present(true).await;
    anna.take(&calm.case_id).await;
    assert_eq!(lea.case(&calm.case_id).await.unwrap().severity(), Severity::Routine);

    // In the middle of a conversation; alerted only once she has it open.
    let post = async |client_id: &str, text: &str| calm.me.post(&calm.case_id, client_id, text).await.unwrap().safety;
    assert_eq!(post("v1", "tack för hjälpen").await, None);
    let notice = post("v2", "jag vill inte leva").await.expect("a notice");
    assert!(!notice.person_alerted, "nobody has it open");
    let subscribe = SubscribeRequest { case_id: calm.case_id.clone(), after_seq: 0 };
    let _screen = anna.conversations().subscribe(subscribe).await.unwrap();
    let notice = post("v3", "jag har tagit 30 alvedon").await.expect("a notice");
    assert!(notice.person_alerted && numbers(&notice).contains(&"112"), "{notice:?}");
    graver(&calm.case_id).await;
    // The same message again gives the same notice again: the first answer may have been lost.
    assert!(post("v3", "jag har tagit 30 alvedon").await.is_some());
    // Said by the worker it is theirs to answer for.
    assert_eq!(anna.post(&calm.case_id, "a1", "vill du ta livet av dig?").await.unwrap().safety, None);
}

async fn p19_red_flags_at_a_closed_door_say_when_somebody_reads_them(stack: Stack) {
    let suite = Setup::new(stack).manual().start().await;
    suite.advance(8 * HOUR).await;
    let left = suite.visitor_with(OpenCaseRequest { leave_message: true, ..open("alfa-office", "Jag vill bara dö") }).await;
    let notice = left.opened.safety.clone().expect("a notice");
    assert!(!notice.person_alerted && numbers(&notice).contains(&"112"), "{notice:?}");
    assert_eq!(time(notice.read_by_person_at.as_ref()), OPENING);
    let again = left.me.post(&left.case_id, "v1", "jag orkar inte leva längre").await.unwrap().safety.expect("a notice");
    assert_eq!(time(again.read_by_person_at.as_ref()), OPENING);
    // No timer closes it, however long it takes.
    suite.advance(40 * 24 * HOUR).await;
    let lea = suite.leader("alfa.lea").await;
    let case = lea.case(&left.case_id).await.unwrap();
    assert!(case.state() != CaseState::Closed && case.severity() >= Severity::Urgent && !case.erased, "{case:?}");
}
