//! What leaders do beside the description, how a clinic becomes live, and where people are guided on to.

mod leaders;
mod practice;
mod transfer_between;

use proto::config::DiffRegionRequest;
use proto::intake::{
    ChangeKind, GetEntryPointRequest, ListCannedRepliesRequest, ListChangesRequest, ListReferralTargetsRequest, ListRolloutRequest,
    Outcome, ReferCaseRequest, ReferralOutcome, ReportReferralRequest, RevertChangeRequest, RolloutStep, SetChangeRequest,
    SetRolloutStepRequest, SystemCode,
};
use proto::scheduling::GetOpeningRequest;
use samtal_tests::suite::{Person, Setup, Stack, TestSuite, eventually, refused, region_yaml};
use std::time::Duration;
use tonic::Code;

on_both_stacks!(
    a_leader_closes_today_and_the_description_stays,
    staff_and_texts_change_within_the_leaders_clinics,
    a_clinic_goes_live_step_by_step,
    whoever_is_guided_on_can_be_heard_of,
);

fn change(kind: ChangeKind, item: &str, body: &str) -> SetChangeRequest {
    SetChangeRequest { request_id: String::new(), kind: kind.into(), item_id: item.into(), body_json: body.into(), ..Default::default() }
}

/// Whether scheduling has the office open now.
async fn open(person: &Person) -> bool {
    let request = GetOpeningRequest { calendar_id: "alfa-hours".into(), at: None };
    person.scheduling().get_opening(request).await.unwrap().into_inner().open
}

async fn a_leader_closes_today_and_the_description_stays(stack: Stack) {
    let mut suite = Setup::new(stack).manual().start().await;
    let (lea, anyone) = (suite.leader("alfa.lea").await, suite.anonymous());
    assert!(open(&anyone).await);
    let day = r#"{"date":"2026-03-11","reason":"Vattenläcka"}"#;
    let closing = change(ChangeKind::Exception, "alfa-hours/2026-03-11", day);
    refused(suite.worker("alfa.anna").await.clinics().set_change(closing.clone()).await, Code::PermissionDenied, "NOT_ALLOWED");
    refused(suite.leader("beta.lea").await.clinics().set_change(closing.clone()).await, Code::NotFound, "NOT_FOUND");
    let wrong = change(ChangeKind::Exception, "alfa-hours/2026-03-12", day);
    refused(lea.clinics().set_change(wrong).await, Code::InvalidArgument, "INVALID_FIELD");
    let set = lea.clinics().set_change(closing).await.unwrap().into_inner().change.unwrap();
    assert_eq!((set.set_by.as_str(), set.described_json.as_str()), ("alfa.lea", ""));
    let door = async || {
        let request = GetEntryPointRequest { entry_point_id: "alfa-office".into(), language: String::new() };
        anyone.cases().get_entry_point(request).await.unwrap().into_inner().entry_point.unwrap()
    };
    // Somebody looks before scheduling has heard of it: what they are told must not stay.
    door().await;
    eventually("scheduling follows", async || (!open(&anyone).await).then_some(())).await;
    let door = eventually("the door is closed", async || Some(door().await).filter(|door| !door.open)).await;
    assert_eq!(door.closed_reason, "Vattenläcka");

    // Applying the same description, or another version of it, changes nothing of it; the difference shows it.
    let another = region_yaml().replace("name: Alfa norr,", "name: Alfa norr vid ån,");
    suite.apply(&another).await;
    assert!(!open(&anyone).await);
    let document = region::parse("tests.yaml", &another).unwrap();
    let region_json = serde_json::to_string(&document.region).unwrap();
    for service in ["intake", "scheduling"] {
        let request = DiffRegionRequest { service: service.into(), region_json: region_json.clone() };
        let diff = suite.operator().config().diff_region(request).await.unwrap().into_inner();
        assert!(diff.changes.is_empty(), "{:?}", diff.changes);
        assert_eq!(diff.drift[0].path, "alfa.calendars[alfa-hours].exceptions[2026-03-11]");
    }
    // It outlives the process, and goes when it is taken back.
    suite.down().await;
    suite.up().await;
    let (lea, anyone) = (suite.with_token(&lea.token), suite.anonymous());
    assert!(!open(&anyone).await);
    let revert =
        || RevertChangeRequest { kind: ChangeKind::Exception.into(), item_id: "alfa-hours/2026-03-11".into(), etag: String::new() };
    lea.clinics().revert_change(revert()).await.unwrap();
    refused(lea.clinics().revert_change(revert()).await, Code::NotFound, "NOT_FOUND");
    eventually("scheduling follows", async || open(&anyone).await.then_some(())).await;
}

async fn staff_and_texts_change_within_the_leaders_clinics(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let lea = suite.leader("alfa.lea").await;
    let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    // A new colleague can sign in, is offered cases, and can be taken away again.
    let colleague = |clinics: &str, role: &str| {
        format!(
            r#"{{"id":"alfa.nina","name":"Nina Ny","clinics":[{clinics}],"profession":"nurse","languages":["sv","en"],"queues":["alfa-push"]{role}}}"#
        )
    };
    let worker = |body: &str| change(ChangeKind::Worker, "alfa.nina", body);
    refused(lea.clinics().set_change(worker(&colleague("\"beta-norr\"", ""))).await, Code::InvalidArgument, "INVALID_FIELD");
    refused(
        lea.clinics().set_change(worker(&colleague("\"alfa-norr\"", ",\"role\":\"leader\""))).await,
        Code::FailedPrecondition,
        "ROLE_DESCRIBED",
    );
    lea.clinics().set_change(worker(&colleague("\"alfa-norr\"", ""))).await.unwrap();
    let nina = suite.worker("alfa.nina").await;
    let present = proto::routing::SetPresenceRequest { present: true, hold_seconds: 3600, ..Default::default() };
    eventually("routing knows her", async || nina.routing().set_presence(present.clone()).await.ok()).await;
    nina.take(&visitor.case_id).await;

    let text = r#"{"id":"alfa-norr-lab","clinic":"alfa-norr","title":{"sv":"Prov","en":"Test"},"text":{"sv":"Hej {visitor}!","en":"Hi"}}"#;
    let odd = text.replace("{visitor}", "{doctor}");
    refused(lea.clinics().set_change(change(ChangeKind::CannedReply, "alfa-norr-lab", &odd)).await, Code::InvalidArgument, "INVALID_FIELD");
    // A text for all clinics is the description's.
    refused(lea.clinics().set_change(change(ChangeKind::CannedReply, "alfa-hello", "")).await, Code::NotFound, "NOT_FOUND");
    lea.clinics().set_change(change(ChangeKind::CannedReply, "alfa-norr-lab", text)).await.unwrap();
    let list = ListCannedRepliesRequest { case_id: visitor.case_id.clone(), language: String::new() };
    let replies = nina.clinics().list_canned_replies(list).await.unwrap().into_inner().canned_replies;
    assert_eq!((replies[0].title.as_str(), replies[0].text.as_str()), ("Prov", "Hej!"));
    // What stands is listed, with what the description has.
    let changes = lea.clinics().list_changes(ListChangesRequest {}).await.unwrap().into_inner().changes;
    let items: Vec<&str> = changes.iter().map(|one| one.item_id.as_str()).collect();
    assert_eq!(items, ["alfa-norr-lab", "alfa.nina"]);
    assert!(changes[0].described_json.contains("Dina prover") && changes.iter().all(|one| one.in_effect));
    assert!(suite.leader("beta.lea").await.clinics().list_changes(ListChangesRequest {}).await.unwrap().into_inner().changes.is_empty());
    // A description in which it does not fit leaves it without effect, and says so.
    suite.apply(&region_yaml().replace("alfa-push, clinic: alfa-norr", "alfa-push, clinic: alfa-soder")).await;
    lea.clinics()
        .revert_change(RevertChangeRequest { kind: ChangeKind::Worker.into(), item_id: "alfa.nina".into(), ..Default::default() })
        .await
        .unwrap();
    eventually("her token ends with her", async || {
        nina.case(&visitor.case_id).await.err().filter(|status| status.code() == Code::Unauthenticated)
    })
    .await;
}

async fn a_clinic_goes_live_step_by_step(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let lea = suite.leader("alfa.lea").await;
    let step = |clinic: &str, step: RolloutStep, done: bool| SetRolloutStepRequest {
        request_id: String::new(),
        clinic_id: clinic.into(),
        step: step.into(),
        done,
    };
    refused(lea.clinics().set_rollout_step(step("alfa-norr", RolloutStep::Live, true)).await, Code::FailedPrecondition, "NOT_READY");
    refused(lea.clinics().set_rollout_step(step("beta-norr", RolloutStep::Trained, true)).await, Code::NotFound, "NOT_FOUND");
    for one in [RolloutStep::Trained, RolloutStep::Configured, RolloutStep::Tested] {
        lea.clinics().set_rollout_step(step("alfa-norr", one, true)).await.unwrap();
    }
    let live = suite.operator().clinics().set_rollout_step(step("alfa-norr", RolloutStep::Live, true)).await.unwrap().into_inner();
    let done: Vec<(RolloutStep, String)> = live.rollout.unwrap().done.into_iter().map(|one| (one.step(), one.set_by)).collect();
    assert_eq!(
        (done.len(), done[0].clone(), done[3].clone()),
        (4, (RolloutStep::Trained, "alfa.lea".into()), (RolloutStep::Live, "operator".into()))
    );
    refused(lea.clinics().set_rollout_step(step("alfa-norr", RolloutStep::Tested, false)).await, Code::FailedPrecondition, "CLINIC_LIVE");
    let mine = lea.clinics().list_rollout(ListRolloutRequest {}).await.unwrap().into_inner().clinics;
    assert_eq!(mine.iter().map(|one| (one.clinic_id.as_str(), one.done.len())).collect::<Vec<_>>(), [("alfa-norr", 4), ("alfa-soder", 0)]);
    assert_eq!(suite.operator().clinics().list_rollout(ListRolloutRequest {}).await.unwrap().into_inner().clinics.len(), 4);
}

async fn whoever_is_guided_on_can_be_heard_of(stack: Stack) {
    let suite = Setup::new(stack).manual().start().await;
    let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    let (anna, case) = (suite.worker("alfa.anna").await, visitor.case_id.clone());
    anna.present(true).await;
    anna.take(&case).await;
    let list = ListReferralTargetsRequest { case_id: case.clone(), language: "en".into() };
    let targets = anna.referrals().list_referral_targets(list).await.unwrap().into_inner().targets;
    assert_eq!(targets.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["Quit smoking", "The help line"]);
    let refer = |target: &str| ReferCaseRequest { request_id: "r1".into(), case_id: case.clone(), referral_target_id: target.into() };
    refused(anna.referrals().refer_case(refer("beta-quit")).await, Code::NotFound, "NOT_FOUND");
    let card = anna.referrals().refer_case(refer("alfa-other")).await.unwrap().into_inner().message.unwrap();
    assert_eq!(anna.referrals().refer_case(refer("alfa-other")).await.unwrap().into_inner().message.unwrap(), card);
    let line = visitor.me.messages(&case).await.unwrap().pop().unwrap().system.unwrap();
    assert_eq!(line.code(), SystemCode::Referral);
    assert_eq!((line.params["name"].as_str(), line.params["phone"].as_str()), ("Hjälplinjen", "020123456"));

    // Whoever has the code tells what became of it, even when nobody knows any more whose it was.
    anna.cases().close_case(crate::journey::close(&case, Outcome::Referred)).await.unwrap();
    suite.advance(Duration::from_secs(7 * 86_400)).await;
    assert!(suite.leader("alfa.lea").await.case(&case).await.unwrap().erased);
    let report = |code: &str, outcome: ReferralOutcome| ReportReferralRequest { referral_code: code.into(), outcome: outcome.into() };
    let anyone = suite.anonymous();
    // Other tests come from this address too, and share its limit.
    let tell = async |code: &str| {
        eventually("the limit on tries lets one through", async || {
            let answer = anyone.referrals().report_referral(report(code, ReferralOutcome::Arrived)).await;
            Some(answer).filter(|answer| !matches!(answer, Err(status) if status.code() == Code::ResourceExhausted))
        })
        .await
    };
    refused(tell("22222-22222").await, Code::NotFound, "NOT_FOUND");
    let code = line.params["code"].to_lowercase().replace('-', " ");
    tell(&code).await.unwrap();
    tell(&code).await.unwrap();
    let mut told = Vec::new();
    for shard in 0..4 {
        let read = proto::log::ReadRequest { service: "intake".into(), shard, from: 1, limit: 0 };
        let batch = suite.service("insights").log().read(read).await.unwrap().into_inner().batch.unwrap();
        told.extend(batch.events.iter().filter_map(|event| event.event::<proto::intake::ReferralReported>().unwrap()));
    }
    assert_eq!(told.len(), 1, "once, whoever says it twice");
    assert_eq!((told[0].referral_target_id.as_str(), told[0].outcome()), ("alfa-other", ReferralOutcome::Arrived));
    // Guessing is slow.
    let limited = eventually("too many tries", async || {
        anyone
            .referrals()
            .report_referral(report("33333-33333", ReferralOutcome::Arrived))
            .await
            .err()
            .filter(|status| status.code() != Code::NotFound)
    })
    .await;
    assert_eq!(limited.code(), Code::ResourceExhausted);
}
