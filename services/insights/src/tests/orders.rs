//! In whatever order events come, they count the same.

use proptest::prelude::*;

use super::*;

/// Five cases with everything that can happen to a case.
fn stories() -> Vec<Story> {
    vec![
        Story::open("care", "sea", 0, "cough", 30).message().assigned(30).message().closed(Outcome::Advice).rated(5).booked(),
        Story::open("care", "sea", 1, "cough", -1).message().closed(Outcome::Abandoned),
        Story::open("care", "forest", 2, "back", 60)
            .assigned(90)
            .closed(Outcome::Treated)
            .rated(2)
            .then(9, &CaseReopened::default())
            .assigned(9)
            .closed(Outcome::Booked)
            .booked(),
        Story::open("care", "forest", 3, "back", 60).assigned(10).closed(Outcome::Advice).then(5, &CaseReopened::default()).message(),
        Story::open("care", "sea", 4, "cough", 30)
            .assigned(600)
            .referred(&[ReferralOutcome::Declined, ReferralOutcome::Arrived])
            .referred(&[ReferralOutcome::Arrived, ReferralOutcome::NotSuitable])
            .referred(&[])
            .closed(Outcome::Referred)
            .then(9, &CaseErased {}),
    ]
}

fn expected(report: &GetReportResponse) {
    assert_eq!((report.cases, report.answered, report.abandoned, report.rated), (5, 4, 1, 2));
    assert_eq!((report.messages, report.bookings, report.unique_contact_reasons), (4, 2, 2));
    assert_eq!((report.referrals, report.arrived), (3, 1));
    assert_eq!((report.mean_rating, report.mean_wait_seconds, report.p90_wait_seconds), (3.5, 182.5, 600.0));
    // Closed and not abandoned: the first, the third and the fifth; two of them are rated.
    assert!((report.response_rate - 2.0 / 3.0).abs() < 1e-9);
    let bands: Vec<_> = report.age_bands.iter().map(|band| (band.from_age, band.to_age, band.cases)).collect();
    assert_eq!(bands, [(-1, -1, 1), (30, 39, 2), (60, 69, 2)]);
    let clinics: Vec<_> =
        report.clinics.iter().map(|c| (c.clinic_id.as_str(), c.cases, c.closed, c.abandoned, c.rated, c.rating_sum)).collect();
    assert_eq!(clinics, [("forest", 2, 1, 0, 1, 2), ("sea", 3, 3, 1, 1, 5)]);
    assert_eq!(report.clinics.iter().map(|c| (c.referrals, c.arrived)).collect::<Vec<_>>(), [(0, 0), (3, 1)]);
}

fn run(events: Vec<Envelope>) -> GetReportResponse {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let world = World::new().await;
        world.feed(&events).await;
        world.report().await
    })
}

#[test]
fn in_the_order_in_which_it_happened() {
    expected(&run(stories().into_iter().flat_map(|story| story.events).collect()));
}

#[test]
fn one_service_after_another_in_every_order() {
    let all: Vec<Envelope> = stories().into_iter().flat_map(|story| story.events).collect();
    for order in [
        ["intake", "routing", "scheduling"],
        ["routing", "scheduling", "intake"],
        ["scheduling", "intake", "routing"],
        ["routing", "intake", "scheduling"],
    ] {
        let of = |source: &str| all.iter().filter(|event| event.r#type.split('.').nth(1) == Some(source)).cloned().collect::<Vec<_>>();
        expected(&run(order.into_iter().flat_map(of).collect()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn in_any_order_at_all(events in Just(stories().into_iter().flat_map(|story| story.events).collect::<Vec<_>>()).prop_shuffle()) {
        expected(&run(events));
    }
}
