//! Closed doors, and words of danger at open and closed ones (P19).

use kernel::Time;
use proto::intake::{Answer, CaseState, GetEntryPointRequest, OpenCaseRequest, SafetyNotice, Severity, SubscribeRequest};
use proto::routing::watch_offers_response::Event;
use proto::routing::{ListQueueRequest, SetPresenceRequest, WatchOffersRequest, WatchOffersResponse};
use proto::scheduling::GetOpeningRequest;
use proto::triage::GetTriageRequest;
use samtal_tests::suite::{MORNING, SOON, Setup, Stack, TestSuite, eventually, refused, time};
use std::time::Duration;
use tonic::Code;

on_both_stacks!(
    a_closed_door_takes_a_message_for_its_opening,
    p19_red_flags_show_the_right_numbers_at_once,
    p19_red_flags_at_a_closed_door_say_when_somebody_reads_them,
    p19_red_flags_alert_whoever_is_there,
    p19_an_answer_that_means_danger_is_a_red_flag,
    p19_nobody_is_said_to_be_alerted_while_routing_is_away,
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

    // In the middle of a conversation, and Anna has gone; alerted only if she has it open all the same.
    anna.present(false).await;
    let post = async |client_id: &str, text: &str| calm.me.post(&calm.case_id, client_id, text).await.unwrap().safety;
    assert_eq!(post("v1", "tack för hjälpen").await, None);
    let notice = post("v2", "jag vill inte leva").await.expect("a notice");
    assert!(!notice.person_alerted, "nobody is there");
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
    let request_id = kernel::Id::new(MORNING).to_string();
    // Not asked whether to leave it: nobody in danger is sent away.
    let request = OpenCaseRequest { request_id, ..open("alfa-office", "Jag vill bara dö") };
    let left = suite.visitor_with(request.clone()).await;
    let notice = left.opened.safety.clone().expect("a notice");
    let repeated = suite.anonymous().cases().open_case(request).await.unwrap().into_inner();
    assert_eq!(
        (&repeated.safety, &repeated.next_opening_at),
        (&left.opened.safety, &left.opened.next_opening_at),
        "asked again, said again"
    );
    assert_eq!(repeated.case, left.opened.case);
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

const DANGER: &str = "jag vill inte leva";

/// What a worker's stream says next.
async fn said(offers: &mut tonic::Streaming<WatchOffersResponse>) -> Event {
    let event = tokio::time::timeout(SOON, offers.message()).await.expect("the worker is told");
    event.unwrap().expect("the stream goes on").event.unwrap()
}

/// The case of the next alert, whatever comes before it.
async fn alerted(offers: &mut tonic::Streaming<WatchOffersResponse>) -> String {
    loop {
        if let Event::Alert(alert) = said(offers).await {
            assert!(alert.severity() >= Severity::Urgent);
            return alert.case_id;
        }
    }
}

async fn p19_red_flags_alert_whoever_is_there(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    // Nobody is there, and it is said.
    let alone = suite.visitor_with(open("alfa-door", DANGER)).await;
    let notice = alone.opened.safety.clone().expect("a notice");
    assert!(!notice.person_alerted && numbers(&notice).contains(&"112"), "{notice:?}");
    let cia = suite.worker("alfa.cia").await;
    cia.present(true).await;
    let again = alone.me.post(&alone.case_id, "v1", DANGER).await.unwrap().safety.expect("a notice");
    assert!(!again.person_alerted, "Cia is there, but answers another queue");

    // Anna is there and has no conversation open: her stream tells her, and the case is offered to her before older ones.
    let anna = suite.worker("alfa.anna").await;
    let mut offers = anna.routing().watch_offers(WatchOffersRequest {}).await.unwrap().into_inner();
    anna.present(true).await;
    let visitor = suite.visitor_with(open("alfa-door", DANGER)).await;
    assert!(visitor.opened.safety.clone().expect("a notice").person_alerted);
    assert_eq!(alerted(&mut offers).await, visitor.case_id);
    anna.take(&visitor.case_id).await;
    // In a case that she has, too, though she does not look at it.
    assert!(visitor.me.post(&visitor.case_id, "v1", DANGER).await.unwrap().safety.expect("a notice").person_alerted);
    assert_eq!(alerted(&mut offers).await, visitor.case_id);

    // She has no room left: she is told and asked all the same, and it is the first in the queue.
    let capacity = |capacity| SetPresenceRequest { present: true, capacity, ..SetPresenceRequest::default() };
    anna.routing().set_presence(capacity(30)).await.unwrap();
    let calm = suite.visitor_with(open("alfa-door", "jag är förkyld")).await;
    let lea = suite.leader("alfa.lea").await;
    let queue = async || {
        let list = ListQueueRequest { queue_id: "alfa-push".into() };
        lea.routing().list_queue(list).await.unwrap().into_inner().cases
    };
    eventually("the calm one waits", async || queue().await.into_iter().find(|one| one.case_id == calm.case_id)).await;
    let full = suite.visitor_with(open("alfa-door", DANGER)).await;
    assert!(full.opened.safety.clone().expect("a notice").person_alerted);
    assert_eq!(alerted(&mut offers).await, full.case_id);
    let waiting = queue().await;
    let place = |case: &str| waiting.iter().position(|one| one.case_id == case).expect("it waits");
    assert!(place(&full.case_id) < place(&calm.case_id), "ahead of who came before it");
    let asked: Vec<String> = anna.offers().await.into_iter().map(|offer| offer.case_id).collect();
    assert!(asked.contains(&full.case_id) && !asked.contains(&calm.case_id), "an emergency asks for nobody's room: {asked:?}");
    // She leaves: from then on nobody is alerted.
    anna.present(false).await;
    assert!(!full.me.post(&full.case_id, "v1", DANGER).await.unwrap().safety.expect("a notice").person_alerted);
}

async fn p19_an_answer_that_means_danger_is_a_red_flag(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let answered = |option: &str| OpenCaseRequest {
        answers: vec![Answer { question_id: "danger".into(), option_id: option.into() }],
        ..open("alfa-door", "jag är förkyld")
    };
    let anna = suite.worker("alfa.anna").await;
    let mut offers = anna.routing().watch_offers(WatchOffersRequest {}).await.unwrap().into_inner();
    anna.present(true).await;
    let visitor = suite.visitor_with(answered("yes")).await;
    let notice = visitor.opened.safety.clone().expect("a notice");
    assert_eq!(notice.red_flags[0].category, "danger_to_life");
    assert!(notice.person_alerted && numbers(&notice).contains(&"112"), "{notice:?}");
    assert_eq!(alerted(&mut offers).await, visitor.case_id);
    // Its leader counts it, and triage says so too.
    let lea = suite.leader("alfa.lea").await;
    let case = lea.case(&visitor.case_id).await.unwrap();
    assert_eq!(case.red_flags, ["danger_to_life"]);
    let triage = eventually("triage has seen it", async || {
        let triage = lea.triage().get_triage(GetTriageRequest { case_id: visitor.case_id.clone() }).await.ok()?;
        triage.into_inner().triage
    });
    assert_eq!(triage.await.red_flags, ["danger_to_life"]);
    let calm = suite.visitor_with(answered("no")).await;
    assert_eq!(calm.opened.safety, None);
    assert!(lea.case(&calm.case_id).await.unwrap().red_flags.is_empty());
}

async fn p19_nobody_is_said_to_be_alerted_while_routing_is_away(stack: Stack) {
    let mut suite = TestSuite::start(stack).await;
    let mut visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    let anna = suite.worker("alfa.anna").await;
    anna.present(true).await;
    anna.take(&visitor.case_id).await;
    suite.down().await;
    suite.up_without("routing").await;
    visitor.me = suite.with_token(&visitor.me.token);
    let anna = suite.with_token(&anna.token);
    let notice = visitor.me.post(&visitor.case_id, "v1", DANGER).await.unwrap().safety.expect("a notice");
    assert!(!notice.person_alerted && numbers(&notice).contains(&"112"), "{notice:?}");
    let opened = suite.visitor_with(open("alfa-door", DANGER)).await.opened;
    assert!(!opened.safety.expect("a notice").person_alerted);
    // Who has the conversation open sees it without routing.
    let subscribe = SubscribeRequest { case_id: visitor.case_id.clone(), after_seq: 0 };
    let _screen = anna.conversations().subscribe(subscribe).await.unwrap();
    assert!(visitor.me.post(&visitor.case_id, "v2", DANGER).await.unwrap().safety.expect("a notice").person_alerted);
    // Nothing is lost: routing comes back and the case that was opened meanwhile waits at the front.
    suite.down().await;
    suite.up().await;
    let anna = suite.with_token(&anna.token);
    anna.offer(&opened.case.expect("a case").case_id).await;
}
