//! What triage makes of intake's and routing's events.

use proto::intake::{CaseClosed, CaseErased};
use proto::routing::CaseAssigned;

use super::*;

#[tokio::test]
async fn a_protocol_s_rule_gives_severity_and_queue() {
    let world = World::new().await;
    world.open(&[("breath", "yes")], &[]).await;
    let told = world.told().await;
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].severity(), told[0].queue_id.as_str()), (Severity::Emergency, "sea-acute"));
    assert_eq!((told[0].protocol_id.as_str(), told[0].protocol_version), ("first", 2));
    let triage = world.get().await;
    assert_eq!((triage.rule_ids, triage.queue_id.as_str(), triage.untriaged), (strings(&["breathless"]), "sea-acute", false));
}

#[tokio::test]
async fn a_mild_case_waits_for_its_reason_s_profession() {
    let world = World::new().await;
    world.open(&[("breath", "no")], &[]).await;
    let told = world.told().await;
    assert_eq!((told[0].severity(), told[0].queue_id.as_str(), told[0].profession.as_str()), (Severity::Routine, "sea-nurse", "nurse"));
    assert_eq!(world.get().await.queue_id, "", "no rule named a queue");
}

#[tokio::test]
async fn a_door_without_a_protocol_takes_its_reason_s_severity() {
    let world = World::new().await;
    world.intake(&opened("plain", &[], &[])).await;
    let told = world.told().await;
    assert_eq!((told[0].severity(), told[0].queue_id.as_str(), told[0].protocol_id.as_str()), (Severity::Admin, "sea-all", ""));
}

#[tokio::test]
async fn red_flags_raise_and_nothing_automatic_ever_lowers() {
    let world = World::new().await;
    world.open(&[("breath", "no")], &["self_harm"]).await;
    assert_eq!(world.get().await.severity(), Severity::Urgent);
    world.flag(&["suicide"]).await;
    world.flag(&["violence"]).await;
    world.flag(&[]).await;
    world.flag(&["suicide"]).await;
    let severities: Vec<_> = world.told().await.iter().map(CaseTriaged::severity).collect();
    assert_eq!(severities, [Severity::Urgent, Severity::Emergency]);
    assert_eq!(world.get().await.red_flags, strings(&["self_harm", "suicide", "violence"]));
}

#[tokio::test]
async fn an_unknown_category_is_danger_too() {
    let world = World::new().await;
    world.open(&[("breath", "no")], &[]).await;
    world.flag(&["something_new"]).await;
    assert_eq!(world.get().await.severity(), Severity::Urgent);
}

#[tokio::test]
async fn what_a_worker_lowered_is_raised_by_new_words_alone() {
    let world = World::new().await;
    world.open(&[("breath", "no")], &["suicide"]).await;
    world.set(Severity::Soon, "talked, no danger").await.unwrap();
    world.flag(&["violence"]).await;
    let triage = world.get().await;
    assert_eq!(triage.severity(), Severity::Urgent, "the earlier flag stays judged; the new one counts");
    assert_eq!((triage.set_by_worker_id.as_str(), triage.set_reason.as_str()), ("anna", "talked, no danger"));
    world.flag(&["suicide"]).await;
    assert_eq!(world.get().await.severity(), Severity::Emergency, "the same category in new words is new danger");
    let lowered: Vec<_> = world.told().await.iter().map(|told| told.lowered_by_worker).collect();
    assert_eq!(lowered, [false, true, false, false]);
}

#[tokio::test]
async fn a_case_that_cannot_be_judged_goes_to_a_person() {
    let world = World::bare().await;
    world.open(&[("breath", "no")], &[]).await;
    let told = world.told().await;
    assert_eq!((told[0].severity(), told[0].queue_id.as_str()), (Severity::Urgent, ""));
    assert!(world.get().await.untriaged);
    // The region arrives; somebody looks at the case and agrees with URGENT.
    world.apply(&test_region()).await.unwrap();
    let triage = world.set(Severity::Urgent, "").await.unwrap();
    assert!(!triage.untriaged);
    assert_eq!(world.told().await.len(), 1, "the severity is the same");
}

#[tokio::test]
async fn unknown_protocol_data_waits_at_its_own_door() {
    let world = World::new().await;
    world.open(&[("breath", "perhaps")], &["suicide"]).await;
    let told = world.told().await;
    assert_eq!((told[0].severity(), told[0].queue_id.as_str()), (Severity::Emergency, "sea-all"));
    assert!(world.get().await.untriaged);
}

#[tokio::test]
async fn an_opening_that_cannot_be_read_still_reaches_a_person() {
    let world = World::new().await;
    let event = Envelope { payload: vec![0xff; 9], ..world.event(&CaseOpened::default()) };
    world.feed(&world.intake, event).await;
    assert_eq!(world.told().await[0].severity(), Severity::Urgent);
    assert!(world.get().await.untriaged);
}

#[tokio::test]
async fn a_red_flag_without_an_opening_is_not_lost() {
    let world = World::new().await;
    world.flag(&["suicide"]).await;
    assert_eq!(world.told().await[0].severity(), Severity::Emergency);
}

#[tokio::test]
async fn a_volunteer_sees_the_case_that_routing_gave_them() {
    let world = World::new().await;
    world.open(&[], &[]).await;
    let vera = Principal { role: Role::Volunteer, ..worker("vera", "care", "sea") };
    assert_eq!(world.get_as(vera.clone()).await.unwrap_err().code(), Code::NotFound);
    world.feed(&world.routing, world.event(&CaseAssigned { worker_id: "vera".into(), ..CaseAssigned::default() })).await;
    world.get_as(vera).await.unwrap();
}

#[tokio::test]
async fn erasure_leaves_nothing_that_tells_of_the_visitor() {
    let world = World::new().await;
    world.open(&[("breath", "yes")], &["suicide"]).await;
    let message = SetSeverityRequest { request_id: "once".into(), ..world.setting(Severity::Soon, "CANARY said so") };
    world.set_as(worker("anna", "care", "sea"), message).await.unwrap();
    world.intake(&CaseClosed::default()).await;
    world.intake(&CaseErased {}).await;
    let triage = world.get().await;
    assert_eq!((triage.rule_ids.len(), triage.red_flags.len(), triage.set_reason.as_str()), (0, 0, ""));
    assert_eq!(world.count("SELECT COUNT(*) FROM idempotency").await, 0);
    assert_eq!(world.count("SELECT COUNT(*) FROM triage WHERE set_reason <> '' OR red_flags <> '[]'").await, 0);
    assert!(world.told().await.iter().all(|told| told.rule_ids.is_empty()), "its events are tombstones");
    // A tombstone that a late consumer meets changes nothing.
    let tombstone = Envelope { payload: Vec::new(), erased: true, ..world.event(&opened("door", &[], &[])) };
    world.feed(&world.intake, tombstone).await;
    assert_eq!(world.told().await.len(), 2);
}

#[tokio::test]
async fn a_region_whose_protocol_fails_its_tests_is_refused() {
    let world = World::bare().await;
    let mut region = test_region();
    region.organisations[0].protocols[0].tests[1].severity = kernel::Severity::Soon;
    assert_eq!(fields(world.apply(&region).await), ["organisations[0].protocols[0].tests[1]"]);
    // Nobody uses it: it may wait for its approval.
    region.organisations[0].entry_points[0].protocol = None;
    world.apply(&region).await.unwrap();
}
