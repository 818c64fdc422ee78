//! Who sees which figures, and what is left out.

use super::*;

fn asking(organisation: &str, clinic: &str) -> GetReportRequest {
    GetReportRequest { organisation_id: organisation.into(), clinic_id: clinic.into(), ..GetReportRequest::default() }
}

/// `count` cases of a clinic.
async fn fill(world: &World, organisation: &'static str, clinic: &'static str, count: u64) {
    for minute in 0..count {
        world.feed(&Story::open(organisation, clinic, minute, "talk", 20).message().closed(Outcome::Advice).rated(4).events).await;
    }
}

fn shown(report: &GetReportResponse) -> Vec<(&str, i64, bool)> {
    report.clinics.iter().map(|clinic| (clinic.clinic_id.as_str(), clinic.cases, clinic.suppressed)).collect()
}

#[tokio::test]
async fn nothing_counted_is_an_empty_report() {
    let world = World::new().await;
    assert_eq!(world.report().await, GetReportResponse::default());
}

#[tokio::test]
async fn practice_is_left_out_of_every_figure() {
    let world = World::new().await;
    let story = Story::open("care", "sea", 0, "cough", 30).message().assigned(30).closed(Outcome::Advice).rated(5).booked().practice();
    world.feed(&story.events).await;
    assert_eq!(world.report().await, GetReportResponse::default());
}

#[tokio::test]
async fn what_is_only_assigned_or_booked_waits_for_its_opening() {
    let world = World::new().await;
    let story = Story::open("care", "sea", 0, "cough", 30).assigned(30).booked();
    let (opening, rest) = story.events.split_first().unwrap();
    world.feed(rest).await;
    assert_eq!(world.report().await, GetReportResponse::default());
    world.feed(std::slice::from_ref(opening)).await;
    let report = world.report().await;
    assert_eq!((report.cases, report.answered, report.bookings, report.p90_wait_seconds), (1, 1, 1, 30.0));
}

#[tokio::test]
async fn a_left_message_waits_from_the_next_opening() {
    let world = World::new().await;
    let night = CaseOpened {
        left_message: true,
        opens_at: Some(proto::timestamp(START + Duration::from_secs(3_600))),
        age_band: -1,
        ..CaseOpened::default()
    };
    world.feed(&Story::of("care", "sea", 0, &night).assigned(3_700).events).await;
    assert_eq!(world.report().await.mean_wait_seconds, 100.0);
    // Somebody who came early found no wait at all.
    world.feed(&Story::of("care", "sea", 0, &night).assigned(10).events).await;
    assert_eq!(world.report().await.mean_wait_seconds, 50.0);
}

#[tokio::test]
async fn an_erased_case_stays_counted_and_keeps_no_detail() {
    let world = World::new().await;
    world.feed(&Story::open("care", "sea", 0, "cough", 30).message().closed(Outcome::Advice).rated(5).events).await;
    let before = world.report().await;
    let mut story = Story::open("care", "sea", 0, "cough", 30);
    story.case = world.node.db().of("care").row("SELECT case_id FROM fact_case", ::store::args![]).await.unwrap().unwrap().id(0).unwrap();
    let erased = story.then(0, &CaseErased {}).events.pop().unwrap();
    world.feed(&[erased]).await;
    assert_eq!(world.report().await, before);
    let row = world.node.db().of("care").row("SELECT entry_point, channel FROM fact_case", ::store::args![]).await.unwrap().unwrap();
    assert_eq!((row.text(0).unwrap(), row.text(1).unwrap()), (String::new(), String::new()));
}

#[tokio::test]
async fn tombstones_still_say_how_many_came() {
    let world = World::new().await;
    let mut events = Story::open("care", "sea", 0, "cough", 30).message().assigned(5).closed(Outcome::Advice).rated(5).booked().events;
    for event in &mut events {
        event.payload.clear();
        event.erased = true;
    }
    world.feed(&events).await;
    let report = world.report().await;
    assert_eq!((report.cases, report.messages, report.bookings, report.unique_contact_reasons, report.rated), (1, 1, 1, 0, 0));
    assert_eq!((report.age_bands[0].from_age, report.clinics[0].closed), (-1, 1));
}

#[tokio::test]
async fn each_role_sees_its_own() {
    let world = World::new().await;
    fill(&world, "care", "sea", 6).await;
    fill(&world, "care", "forest", 7).await;
    fill(&world, "chat", "north", 8).await;
    let integrator = Principal { role: Role::Integrator, ..leader("care", &[]) };
    for (principal, asked, cases) in [
        (leader("care", &["sea"]), asking("", ""), 6),
        (leader("care", &["sea"]), asking("care", "sea"), 6),
        (leader("care", &["sea", "forest"]), asking("", ""), 13),
        (leader("care", &["sea", "forest"]), asking("", "forest"), 7),
        (leader("care", &[]), asking("", ""), 0),
        (integrator.clone(), asking("", ""), 13),
        (integrator.clone(), asking("care", "forest"), 7),
        (operator(), asking("", ""), 21),
        (operator(), asking("chat", ""), 8),
        (operator(), asking("", "north"), 8),
    ] {
        assert_eq!(world.ask(principal.clone(), asked.clone()).await.unwrap().cases, cases, "{principal:?} {asked:?}");
    }
    for (principal, asked) in [
        (leader("care", &["sea"]), asking("chat", "")),
        (leader("care", &["sea"]), asking("", "forest")),
        (leader("care", &["sea"]), asking("", "north")),
        (leader("care", &["sea"]), asking("nonsense", "")),
        (leader("", &["sea"]), asking("", "")),
        (integrator.clone(), asking("chat", "")),
        (integrator, asking("", "north")),
        (operator(), asking("nonsense", "")),
        (operator(), asking("", "nonsense")),
        (operator(), asking("care", "north")),
    ] {
        assert_eq!(world.ask(principal.clone(), asked.clone()).await.unwrap_err().code(), Code::NotFound, "{principal:?} {asked:?}");
    }
    let worker = Principal { role: Role::Worker, ..leader("care", &["sea"]) };
    assert_eq!(world.ask(worker, asking("", "")).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn from_and_to_ask_for_cases_by_their_opening() {
    let world = World::new().await;
    fill(&world, "care", "sea", 10).await;
    let minute = |minute: u64| Some(proto::timestamp(START + Duration::from_secs(minute * 60)));
    for (from, to, cases) in
        [(None, None, 10), (minute(3), None, 7), (None, minute(3), 3), (minute(2), minute(5), 3), (minute(4), minute(4), 0)]
    {
        let report = world.ask(operator(), GetReportRequest { from, to, ..GetReportRequest::default() }).await.unwrap();
        assert_eq!((report.cases, report.messages), (cases, cases), "{from:?} {to:?}");
    }
}

#[tokio::test]
async fn nonsense_is_refused_by_its_field() {
    let world = World::new().await;
    let at = |seconds: i64| Some(stamp(seconds));
    for (request, field) in [
        (GetReportRequest { from: at(20), to: at(10), ..GetReportRequest::default() }, "to"),
        (GetReportRequest { from: at(-1), ..GetReportRequest::default() }, "from"),
        (GetReportRequest { to: at(i64::MAX), ..GetReportRequest::default() }, "to"),
        (asking(&"x".repeat(65), ""), "organisation_id"),
        (asking("", "\u{7}"), "clinic_id"),
    ] {
        assert_eq!(fields(world.ask(operator(), request).await), [field]);
    }
}

#[tokio::test]
async fn small_cells_of_anonymous_services_are_left_out() {
    let world = World::new().await;
    fill(&world, "care", "sea", 1).await;
    fill(&world, "chat", "north", 9).await;
    fill(&world, "chat", "south", 3).await;
    let report = world.report().await;
    assert_eq!(shown(&report), [("north", 9, false), ("sea", 1, false), ("south", 0, true)]);
    assert_eq!((report.cases, report.rated, report.messages), (10, 10, 10), "the total does not tell what was left out");
    let alone = world.ask(leader("chat", &["south"]), asking("", "")).await.unwrap();
    assert_eq!(shown(&alone), [("south", 0, true)]);
    let nothing = GetReportResponse { clinics: alone.clinics.clone(), ..GetReportResponse::default() };
    assert_eq!(alone, nothing);
    fill(&world, "chat", "south", 2).await;
    assert_eq!(world.ask(leader("chat", &["south"]), asking("", "")).await.unwrap().cases, 5);
}

#[tokio::test]
async fn ages_of_few_people_are_shown_in_wider_bands() {
    let world = World::new().await;
    fill(&world, "chat", "north", 6).await;
    world.feed(&Story::open("chat", "north", 9, "talk", 90).events).await;
    let report = world.ask(operator(), asking("chat", "")).await.unwrap();
    assert_eq!(
        (report.age_bands.len(), report.age_bands[0].from_age, report.age_bands[0].to_age, report.age_bands[0].cases),
        (1, 20, 99, 7)
    );
}

fn stamp(seconds: i64) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds, nanos: 0 }
}
