//! What scheduling finds wrong with a region beyond what `region::validate` finds.

use std::collections::BTreeSet;

use kernel::{Clock, Time};
use region::{Calendar, Organisation, Region};

use super::calendars::{Found, zone};
use crate::domain::hours::SEARCH_DAYS;

/// A check gets no clock. The machine's is good enough for a span of 400 days, and decides nothing about any case.
pub fn check(region: &Region) -> Vec<(String, String)> {
    problems(region, Clock::system().now())
}

/// Zones that cannot be followed, and doors that never open.
pub fn problems(region: &Region, now: Time) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    for (i, organisation) in region.organisations.iter().enumerate() {
        if zone(organisation).is_none() {
            let wrong = format!("'{}' is no known zone; write an IANA name such as Europe/Stockholm", organisation.timezone);
            problems.push((format!("organisations[{i}].timezone"), wrong));
            continue;
        }
        let used: BTreeSet<&str> = organisation.entry_points.iter().map(|entry_point| entry_point.calendar.as_str()).collect();
        for (j, calendar) in organisation.calendars.iter().enumerate() {
            if used.contains(calendar.id.as_str()) && !opens(organisation, calendar, now) {
                let wrong = format!(
                    "does not open once in the next {SEARCH_DAYS} days, and an entry point uses it; give it hours or exceptions that come"
                );
                problems.push((format!("organisations[{i}].calendars[{j}]"), wrong));
            }
        }
    }
    problems
}

/// Whether the calendar opens within 400 days; one whose first hours hold only later is looked at from that day on.
fn opens(organisation: &Organisation, calendar: &Calendar, now: Time) -> bool {
    let Ok(found) = Found::new(organisation, calendar) else { return false };
    let first = calendar.weeks.first().and_then(|week| week.from).and_then(|date| {
        let start = date.to_zoned(zone(organisation)?).ok()?;
        Some(Time::from_micros(start.timestamp().as_microsecond()))
    });
    found.hours().next_opening(first.map_or(now, |first| first.max(now))).is_some()
}
