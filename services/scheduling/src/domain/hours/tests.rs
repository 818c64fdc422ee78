use std::collections::BTreeMap;

use proptest::prelude::*;
use region::{Exception, Holidays, Week, Weekday};

use super::*;

/// A moment given as local time in Stockholm; in the repeated hour the first.
pub fn at(local: &str) -> Time {
    let local: jiff::civil::DateTime = local.parse().unwrap();
    Time::from_micros(stockholm().to_ambiguous_timestamp(local).earlier().unwrap().as_microsecond())
}

pub fn stockholm() -> TimeZone {
    TimeZone::get("Europe/Stockholm").unwrap()
}

fn spans(texts: &[&str]) -> Vec<region::Span> {
    texts.iter().map(|t| t.parse().unwrap()).collect()
}

fn week(from: Option<&str>, days: &[(Weekday, &[&str])]) -> Week {
    Week { from: from.map(|d| d.parse().unwrap()), hours: days.iter().map(|(day, texts)| (*day, spans(texts))).collect() }
}

/// Split Mondays, a night from Friday to Saturday, an open Sunday night; longer Tuesdays from March 2026 on; Christmas open an hour.
pub fn calendar() -> Calendar {
    use Weekday::{Fri, Mon, Sat, Sun, Tue, Wed};
    let split: (Weekday, &[&str]) = (Mon, &["13:00-15:00", "09:00-12:00"]);
    let nights: [(Weekday, &[&str]); 3] = [(Fri, &["20:00-24:00"]), (Sat, &["00:00-02:30"]), (Sun, &["01:00-02:15", "02:30-05:00"])];
    Calendar {
        id: "day".into(),
        weeks: vec![
            week(Some("2026-03-01"), &[&[split, (Tue, &["08:00-20:00"])][..], &nights].concat()),
            week(None, &[&[split, (Tue, &["09:00-12:00"]), (Wed, &["09:00-12:00"])][..], &nights].concat()),
        ],
        holidays: Holidays::ClosedWithEves,
        exceptions: vec![
            Exception { date: Date::constant(2026, 3, 16), hours: vec![], reason: "planning day".into() },
            Exception { date: Date::constant(2025, 12, 25), hours: spans(&["10:00-11:00"]), reason: "Christmas".into() },
        ],
        always_open: false,
    }
}

fn with<T>(test: impl FnOnce(Hours<'_>) -> T) -> T {
    let (calendar, tz) = (calendar(), stockholm());
    test(Hours { calendar: &calendar, country: Country::SE, tz: &tz })
}

fn hours_of(from: &str, to: &str) -> Vec<u64> {
    with(|h| h.openings(at(from), at(to)).iter().map(|(a, b)| b.since(*a).as_secs() / 60).collect())
}

#[test]
fn split_days_versions_and_exceptions() {
    assert_eq!(hours_of("2026-03-02T00:00", "2026-03-03T00:00"), [180, 120]);
    assert_eq!(hours_of("2026-02-24T00:00", "2026-02-26T00:00"), [180, 180], "the version before March");
    assert_eq!(hours_of("2026-03-03T00:00", "2026-03-05T00:00"), [720], "the version from March on");
    assert_eq!(hours_of("2026-03-16T00:00", "2026-03-17T00:00"), [0_u64; 0]);
    assert_eq!(hours_of("2025-12-25T00:00", "2025-12-26T00:00"), [60], "an exception opens a holiday");
    assert_eq!(hours_of("2026-03-06T00:00", "2026-03-08T00:00"), [390], "one opening over midnight");
}

#[test]
fn a_closed_door_says_why() {
    with(|h| {
        let why = |local| h.why_closed(at(local));
        assert_eq!(why("2026-03-16T10:00"), Some(Closed::Exception("planning day".into())));
        assert_eq!(why("2025-12-25T12:00"), Some(Closed::Exception("Christmas".into())));
        assert_eq!(why("2026-04-06T10:00"), Some(Closed::Holiday(Feast::EasterMonday)));
        assert_eq!(why("2026-03-02T12:30"), Some(Closed::OutsideHours));
        assert_eq!(why("2026-03-02T11:59"), None);
    });
}

#[test]
fn the_clock_on_the_wall_decides_when_clocks_change() {
    // 29 March 2026, 02:00 becomes 03:00: of 01:00-02:15 and 02:30-05:00 one hour and two are left, without a break.
    assert_eq!(hours_of("2026-03-29T00:00", "2026-03-30T00:00"), [180]);
    // 26 October 2025, 03:00 becomes 02:00: the quarter's break at 02:15 comes twice.
    assert_eq!(hours_of("2025-10-26T00:00", "2025-10-27T00:00"), [75, 30 + 15, 150]);
    // A clinic that is open from 09:00 is so on both sides of the change.
    with(|h| {
        for monday in ["2026-03-23", "2026-03-30"] {
            let opens = h.next_opening(at(&format!("{monday}T06:00"))).unwrap();
            assert_eq!(opens, at(&format!("{monday}T09:00")));
        }
    });
    let (calendar, tz) = (Calendar { weeks: vec![week(None, &[(Weekday::Sun, &["00:00-24:00"])])], ..calendar() }, stockholm());
    let h = Hours { calendar: &calendar, country: Country::SE, tz: &tz };
    let length = |date| h.day(date).iter().map(|(a, b)| b.since(*a).as_secs() / 3600).collect::<Vec<_>>();
    assert_eq!(length(Date::constant(2026, 3, 29)), [23]);
    assert_eq!(length(Date::constant(2025, 10, 26)), [25]);
}

#[test]
fn due_times_count_in_open_minutes() {
    with(|h| {
        let due = |start, minutes| h.open_minutes_after(at(start), minutes);
        assert_eq!(due("2026-03-02T11:00", 90), Some(at("2026-03-02T13:30")));
        assert_eq!(due("2026-03-02T11:00", 180), Some(at("2026-03-02T15:00")), "at closing, not at the next opening");
        assert_eq!(due("2026-03-02T11:00", 181), Some(at("2026-03-03T08:01")));
        assert_eq!(due("2026-03-01T12:00", 0), Some(at("2026-03-01T12:00")));
    });
}

#[test]
fn a_calendar_that_never_opens_and_one_that_never_closes() {
    let tz = stockholm();
    let now = at("2026-03-02T12:30");
    let never = Calendar { weeks: vec![], exceptions: vec![], ..calendar() };
    let h = Hours { calendar: &never, country: Country::SE, tz: &tz };
    assert_eq!((h.next_opening(now), h.closes_at(now), h.open_minutes_after(now, 1)), (None, None, None));
    let always = Calendar { always_open: true, ..calendar() };
    let h = Hours { calendar: &always, country: Country::SE, tz: &tz };
    assert_eq!((h.next_opening(now), h.closes_at(now)), (Some(now), None));
    assert_eq!(h.openings(now, now + Duration::from_secs(9)), [(now, now + Duration::from_secs(9))]);
    assert_eq!(h.open_minutes_after(now, 5), Some(now + Duration::from_secs(300)));
    // Round the clock by its weeks, not by its name.
    let all: &[&str] = &["00:00-24:00"];
    let days = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];
    let round = Calendar { weeks: vec![week(None, &days.map(|d| (d, all)))], holidays: Holidays::Open, exceptions: vec![], ..calendar() };
    let h = Hours { calendar: &round, country: Country::SE, tz: &tz };
    assert_eq!(h.closes_at(now), None);
    for extreme in [Time::ZERO, Time::MAX, Time::from_micros(i64::MIN)] {
        let _ = (h.is_open(extreme), h.next_opening(extreme), h.closes_at(extreme));
    }
}

/// A minute between October 2025 and November 2026.
fn minutes() -> impl Strategy<Value = Time> {
    // Half of them close to a change of clocks, around which most goes wrong.
    let changes = [at("2025-10-26T00:00"), at("2026-03-29T00:00"), at("2026-10-25T00:00")];
    prop_oneof![
        (0_u64..395 * 24 * 60).prop_map(|m| at("2025-10-20T00:00") + Duration::from_secs(m * 60)),
        (prop::sample::select(changes.to_vec()), 0_u64..600).prop_map(|(day, m)| day + Duration::from_secs(m * 60)),
    ]
}

fn calendars() -> impl Strategy<Value = Calendar> {
    let span = (0_u16..96, 1_u16..40).prop_map(|(from, long)| region::Span { from: from * 15, to: (from * 15 + long * 15).min(1440) });
    let hours = prop::collection::btree_map(
        prop::sample::select(vec![Weekday::Mon, Weekday::Wed, Weekday::Sat, Weekday::Sun]),
        prop::collection::vec(span, 0..4),
        0..4,
    );
    let random = hours.prop_map(|hours: BTreeMap<_, _>| Calendar { weeks: vec![Week { from: None, hours }], ..calendar() });
    prop_oneof![Just(calendar()), random]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn intervals_are_sorted_apart_inside_and_agree_with_is_open(
        calendar in calendars(),
        from in minutes(),
        days in 0_u64..9,
        steps in prop::collection::vec(0_u64..9 * 24 * 60, 40),
    ) {
        let tz = stockholm();
        let h = Hours { calendar: &calendar, country: Country::SE, tz: &tz };
        let to = from + Duration::from_secs(days * 86_400);
        let found = h.openings(from, to);
        prop_assert!(found.iter().all(|(a, b)| from <= *a && a < b && *b <= to));
        prop_assert!(found.windows(2).all(|two| two[0].1 < two[1].0));
        let edges = found.iter().flat_map(|(a, b)| [*a, *a - Duration::from_secs(60), *b, *b - Duration::from_secs(60)]);
        for moment in steps.iter().map(|m| from + Duration::from_secs(m * 60)).chain(edges).filter(|m| (from..to).contains(m)) {
            let inside = found.iter().any(|(a, b)| (*a..*b).contains(&moment));
            prop_assert_eq!(h.is_open(moment), inside, "at {:?}", moment);
            prop_assert_eq!(h.why_closed(moment).is_none(), inside);
        }
    }

    #[test]
    fn a_split_question_has_the_whole_answer(calendar in calendars(), mut cuts in prop::array::uniform3(minutes())) {
        let tz = stockholm();
        let h = Hours { calendar: &calendar, country: Country::SE, tz: &tz };
        cuts.sort();
        // Some days around the cut will do: the whole of a year costs the test a second.
        let [from, to] = [cuts[1] - Duration::from_secs(4 * 86_400), cuts[1] + Duration::from_secs(4 * 86_400)];
        let mut joined = h.openings(from, cuts[1]);
        for (start, end) in h.openings(cuts[1], to) {
            match joined.last_mut() {
                Some(last) if last.1 == start => last.1 = end,
                _ => joined.push((start, end)),
            }
        }
        prop_assert_eq!(joined, h.openings(from, to));
    }

    #[test]
    fn the_next_opening_is_open_and_nothing_before_it(calendar in calendars(), now in minutes()) {
        let tz = stockholm();
        let h = Hours { calendar: &calendar, country: Country::SE, tz: &tz };
        match h.next_opening(now) {
            None => prop_assert_eq!(h.openings(now, now + Duration::from_secs(60 * 86_400)), []),
            Some(opening) => {
                prop_assert!(opening >= now && h.is_open(opening));
                prop_assert_eq!(h.openings(now, opening), []);
                let closes = h.closes_at(opening).unwrap();
                prop_assert!(!h.is_open(closes));
                prop_assert_eq!(h.openings(opening, closes), [(opening, closes)]);
                prop_assert_eq!(h.closes_at(now).is_some(), opening == now);
            }
        }
    }

    #[test]
    fn due_times_leave_just_that_many_open_minutes(calendar in calendars(), start in minutes(), minutes in 1_u32..600) {
        let tz = stockholm();
        let h = Hours { calendar: &calendar, country: Country::SE, tz: &tz };
        let wanted = Duration::from_secs(u64::from(minutes) * 60);
        let total = |open: &[Interval]| open.iter().map(|(a, b)| b.since(*a)).sum::<Duration>();
        match h.open_minutes_after(start, minutes) {
            Some(due) => {
                let open = h.openings(start, due);
                prop_assert_eq!(total(&open), wanted);
                prop_assert_eq!(open.last().unwrap().1, due);
            }
            // A calendar without weekly hours, whose one exception is too short or over.
            None => prop_assert!(total(&h.openings(start, start + Duration::from_secs(400 * 86_400))) < wanted),
        }
    }
}
