//! Times that can be booked.

use std::time::Duration;

use kernel::Time;

use super::Interval;
use super::hours::Hours;

/// Whether two intervals share a moment; the end of one may be the start of the other.
pub fn overlaps(a: Interval, b: Interval) -> bool {
    a.0 < b.1 && b.0 < a.1
}

/// The free slots of a resource that lie wholly within `[from, to)`, by time.
///
/// Slots are cut from the start of each opening of the day, anew every local day, so that they do not depend on the window that is
/// asked for; what is left at the end of an opening is no slot.
///
/// Properties: every slot has the full length, lies within an opening and meets nothing taken; slots do not overlap;
/// a smaller window gives just those of its slots that lie within it; taking one slot removes that one only.
pub fn slots(hours: &Hours<'_>, slot_minutes: u16, from: Time, to: Time, taken: &[Interval]) -> Vec<Interval> {
    let length = Duration::from_secs(u64::from(slot_minutes) * 60);
    if slot_minutes == 0 || from >= to {
        return Vec::new();
    }
    let last = hours.date(to);
    let mut found = Vec::new();
    for (start, end) in hours.days_from(from).take_while(|date| *date <= last).flat_map(|date| hours.day(date)) {
        let cut = std::iter::successors(Some((start, start + length)), |(_, next)| Some((*next, *next + length)));
        found.extend(cut.take_while(|slot| slot.1 <= end.min(to)).filter(|slot| slot.0 >= from));
    }
    found.retain(|slot| !taken.iter().any(|busy| overlaps(*slot, *busy)));
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::hours::tests::{at, calendar, stockholm};
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn slots_are_whole_open_free_and_the_same_from_every_window(
            start in 0_i64..400 * 24 * 60,
            hours_long in 1_i64..200,
            inner in (0_i64..100, 0_i64..100),
            length in 1_u16..120,
            pick in any::<prop::sample::Index>(),
        ) {
            let (calendar, tz) = (calendar(), stockholm());
            let hours = Hours { calendar: &calendar, country: region::Country::SE, tz: &tz };
            let from = at("2025-12-20T00:00") + Duration::from_secs(start as u64 * 60);
            let to = from + Duration::from_secs(hours_long as u64 * 3600);
            let all = slots(&hours, length, from, to, &[]);
            let openings = hours.openings(from, to);
            for slot in &all {
                prop_assert_eq!(slot.1.since(slot.0), Duration::from_secs(u64::from(length) * 60));
                prop_assert!(openings.iter().any(|o| o.0 <= slot.0 && slot.1 <= o.1));
            }
            prop_assert!(all.windows(2).all(|two| two[0].1 <= two[1].0));

            let (a, b) = (from + Duration::from_secs(inner.0 as u64 * 900), to - Duration::from_secs(inner.1 as u64 * 900));
            let within: Vec<_> = all.iter().copied().filter(|s| s.0 >= a && s.1 <= b).collect();
            prop_assert_eq!(slots(&hours, length, a, b, &[]), within);

            if !all.is_empty() {
                let taken = all[pick.index(all.len())];
                let rest: Vec<_> = all.iter().copied().filter(|s| *s != taken).collect();
                prop_assert_eq!(slots(&hours, length, from, to, &[taken]), rest);
            }
        }
    }

    #[test]
    fn half_hours_of_a_split_day() {
        let (calendar, tz) = (calendar(), stockholm());
        let hours = Hours { calendar: &calendar, country: region::Country::SE, tz: &tz };
        let free = slots(&hours, 45, at("2026-03-02T00:00"), at("2026-03-03T00:00"), &[(at("2026-03-02T09:30"), at("2026-03-02T10:00"))]);
        let starts: Vec<_> = free.iter().map(|s| s.0).collect();
        // Open 09:00-12:00 and 13:00-15:00.
        let expected = ["10:30", "11:15", "13:00", "13:45"].map(|t| at(&format!("2026-03-02T{t}")));
        assert_eq!(starts, expected);
        assert!(slots(&hours, 0, at("2026-03-02T00:00"), at("2026-03-03T00:00"), &[]).is_empty());
    }
}
