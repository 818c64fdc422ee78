//! Callers: who may, what is refused, what repeats.

use proto::intake::CaseClosed;
use proto::triage::{NextQuestionRequest, NextQuestionResponse};

use super::*;

const NEXT: &str = "samtal.triage.v1.TriageService/NextQuestion";

async fn next(world: &World, message: NextQuestionRequest) -> Result<NextQuestionResponse, Status> {
    world.api.next_question(request(NEXT, Principal::anonymous(), message)).await.map(tonic::Response::into_inner)
}

fn asking(answers: &[(&str, &str)]) -> NextQuestionRequest {
    let answers = opened("door", answers, &[]).answers;
    NextQuestionRequest {
        entry_point_id: "door".into(),
        contact_reason_id: "cough".into(),
        answers,
        age: -1,
        language: "en".into(),
        age_known: false,
    }
}

#[tokio::test]
async fn questions_come_in_the_asked_language_until_none_is_left() {
    let world = World::new().await;
    let question = next(&world, asking(&[])).await.unwrap();
    assert_eq!((question.done, question.text.as_str(), question.options.len()), (false, "Hard to breathe?", 2));
    for language in ["", "xx", "nb"] {
        let question = next(&world, NextQuestionRequest { language: language.into(), ..asking(&[]) }).await.unwrap();
        assert_eq!(question.text, "Svårt att andas?", "the organisation's own language stands in for {language:?}");
    }
    let done = next(&world, asking(&[("breath", "yes")])).await.unwrap();
    assert!(done.done && done.severity() >= proto::intake::Severity::Urgent, "the answers already tell how grave it is: {done:?}");
    let plain = NextQuestionRequest { entry_point_id: "plain".into(), contact_reason_id: "invoice".into(), ..asking(&[]) };
    assert!(next(&world, plain).await.unwrap().done);
}

#[tokio::test]
async fn age_is_asked_for_where_something_depends_on_it_and_an_infant_has_one() {
    let world = World::new().await;
    let ask = asking(&[("breath", "no")]);
    let unknown = next(&world, ask.clone()).await.unwrap();
    assert!(unknown.done && unknown.asks_age && unknown.severity() == proto::intake::Severity::Routine, "{unknown:?}");
    // proto3 cannot tell 0 from nothing: only a known 0 is an age.
    let zero = next(&world, NextQuestionRequest { age: 0, ..ask.clone() }).await.unwrap();
    assert_eq!(zero.severity(), proto::intake::Severity::Routine);
    let infant = next(&world, NextQuestionRequest { age: 0, age_known: true, ..ask }).await.unwrap();
    assert_eq!(infant.severity(), proto::intake::Severity::Urgent);
    let plain = NextQuestionRequest { entry_point_id: "plain".into(), contact_reason_id: "invoice".into(), ..asking(&[]) };
    assert!(!next(&world, plain).await.unwrap().asks_age);
}

#[tokio::test]
async fn nonsense_is_refused_by_its_field() {
    let world = World::new().await;
    let ask = asking(&[]);
    for (message, field) in [
        (NextQuestionRequest { entry_point_id: String::new(), ..ask.clone() }, "entry_point_id"),
        (NextQuestionRequest { contact_reason_id: "gone".into(), ..ask.clone() }, "contact_reason_id"),
        (NextQuestionRequest { age: 400, ..ask.clone() }, "age"),
        (asking(&[("colour", "red")]), "answers[0].question_id"),
        (asking(&[("breath", "perhaps")]), "answers[0].option_id"),
    ] {
        assert_eq!(fields(next(&world, message).await), [field]);
    }
    let gone = next(&world, NextQuestionRequest { entry_point_id: "gone".into(), ..ask }).await;
    assert_eq!(gone.unwrap_err().code(), Code::NotFound);

    world.open(&[("breath", "yes")], &[]).await;
    let set = world.setting(Severity::Soon, "because");
    for (message, field) in [
        (SetSeverityRequest { case_id: "x".into(), ..set.clone() }, "case_id"),
        (SetSeverityRequest { severity: 0, ..set.clone() }, "severity"),
        (SetSeverityRequest { severity: 99, ..set.clone() }, "severity"),
        (SetSeverityRequest { reason: "x".repeat(2_001), ..set.clone() }, "reason"),
        (SetSeverityRequest { reason: " - ".into(), ..set.clone() }, "reason"),
        (SetSeverityRequest { request_id: "two words".into(), ..set.clone() }, "request_id"),
    ] {
        assert_eq!(fields(world.set_as(worker("anna", "care", "sea"), message).await), [field]);
    }
    let nobody = GetTriageRequest { case_id: String::new() };
    assert_eq!(fields(world.api.get_triage(request(GET, worker("anna", "care", "sea"), nobody)).await), ["case_id"]);
    assert_eq!(world.told().await.len(), 1, "nothing of it took effect");
}

#[tokio::test]
async fn a_worker_raises_freely_and_lowers_with_a_reason() {
    let world = World::new().await;
    world.open(&[("breath", "no")], &[]).await;
    let raised = world.set(Severity::Urgent, "").await.unwrap();
    assert_eq!((raised.severity(), raised.set_by_worker_id.as_str()), (Severity::Urgent, "anna"));
    assert_eq!(fields(world.set(Severity::Soon, "").await), ["reason"]);
    let lowered = world.set(Severity::Soon, " she sounds well ").await.unwrap();
    assert_eq!((lowered.severity(), lowered.set_reason.as_str()), (Severity::Soon, "she sounds well"));
    let told: Vec<_> = world.told().await.iter().map(|told| (told.severity(), told.lowered_by_worker)).collect();
    assert_eq!(told, [(Severity::Routine, false), (Severity::Urgent, false), (Severity::Soon, true)]);
    assert_eq!(world.get().await, lowered);
    assert_eq!(
        world.count("SELECT COUNT(*) FROM audit_log WHERE organisation = 'care'").await,
        3,
        "both changes and the read are recorded"
    );
}

#[tokio::test]
async fn a_repeated_call_gets_the_same_answer_and_another_one_is_refused() {
    let world = World::new().await;
    world.open(&[("breath", "yes")], &[]).await;
    let message = SetSeverityRequest { request_id: "once".into(), ..world.setting(Severity::Soon, "talked") };
    let first = world.set_as(worker("anna", "care", "sea"), message.clone()).await.unwrap();
    world.flag(&["suicide"]).await;
    let again = world.set_as(worker("anna", "care", "sea"), message.clone()).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(world.get().await.severity(), Severity::Emergency, "the repetition lowered nothing");
    let other = SetSeverityRequest { severity: Severity::Admin.into(), ..message };
    assert_eq!(world.set_as(worker("anna", "care", "sea"), other).await.unwrap_err().code(), Code::AlreadyExists);
}

#[tokio::test]
async fn a_foreign_case_does_not_exist() {
    let world = World::new().await;
    world.open(&[], &[]).await;
    let integrator = Principal { role: Role::Integrator, id: "journal".into(), organisation: "other".into(), clinics: Vec::new() };
    for principal in [worker("anna", "other", "sea"), worker("olle", "care", "forest"), integrator] {
        let foreign = world.get_as(principal).await.unwrap_err();
        let missing = {
            let message = GetTriageRequest { case_id: Id::new(world.node.now()).to_string() };
            world.api.get_triage(request(GET, worker("anna", "care", "sea"), message)).await.unwrap_err()
        };
        assert_eq!((foreign.code(), foreign.message()), (Code::NotFound, missing.message()));
    }
    let set = world.set_as(worker("anna", "other", "sea"), world.setting(Severity::Emergency, "")).await;
    assert_eq!(set.unwrap_err().code(), Code::NotFound);
    let own = Principal { role: Role::Integrator, id: "journal".into(), organisation: "care".into(), clinics: Vec::new() };
    world.get_as(own).await.unwrap();
}

#[tokio::test]
async fn a_closed_case_keeps_its_severity() {
    let world = World::new().await;
    world.open(&[], &[]).await;
    world.intake(&CaseClosed::default()).await;
    assert_eq!(world.set(Severity::Urgent, "").await.unwrap_err().code(), Code::FailedPrecondition);
}
