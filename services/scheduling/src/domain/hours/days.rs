//! One local day: which hours hold on it, and which moments those are.

use jiff::Timestamp;
use jiff::civil::{Date, Weekday as Day};
use jiff::tz::TimeZone;
use kernel::Time;
use region::{Exception, Span, Week, Weekday};

use super::super::Interval;
use super::super::holidays::{self, Feast};
use super::Hours;

const DAY: i64 = 86_400;
/// 1900 and 9000: moments outside are taken as these, since dates end in the year 9999.
const KNOWN: (i64, i64) = (-2_208_988_800_000_000, 221_845_392_000_000_000);
const WHOLE_DAY: &[Span] = &[Span { from: 0, to: 1440 }];

/// What decides the hours of a day.
pub(super) enum Plan<'a> {
    Always,
    Exception(&'a Exception),
    Holiday(Feast),
    /// Empty if no version of the weekly hours holds yet, or the weekday is closed.
    Week(&'a [Span]),
}

impl<'a> Plan<'a> {
    pub fn spans(&self) -> &'a [Span] {
        match self {
            Self::Always => WHOLE_DAY,
            Self::Exception(exception) => &exception.hours,
            Self::Holiday(_) => &[],
            Self::Week(spans) => spans,
        }
    }
}

impl<'a> Hours<'a> {
    /// An exception overrides a holiday, which overrides the week.
    pub(super) fn plan(&self, date: Date) -> Plan<'a> {
        let calendar = self.calendar;
        if calendar.always_open {
            return Plan::Always;
        }
        if let Some(exception) = calendar.exceptions.iter().find(|e| e.date == date) {
            return Plan::Exception(exception);
        }
        if let Some(feast) = holidays::closing(calendar.holidays, self.country, date) {
            return Plan::Holiday(feast);
        }
        let week: Option<&Week> = calendar.weeks.iter().filter(|w| w.from.is_none_or(|from| from <= date)).max_by_key(|w| w.from);
        Plan::Week(week.and_then(|w| w.hours.get(&weekday(date))).map_or(&[], Vec::as_slice))
    }

    /// The openings of one local day, sorted and merged. An opening that runs past midnight ends here and goes on in the next day's.
    pub fn day(&self, date: Date) -> Vec<Interval> {
        let spans = self.plan(date).spans();
        let Some(midnight) = as_if_utc(date).filter(|_| !spans.is_empty()) else { return Vec::new() };
        let mut found: Vec<Interval> = Vec::new();
        for (from, to, offset) in self.offsets(midnight) {
            for span in spans {
                let start = (midnight + i64::from(span.from) * 60 - offset).max(from);
                let end = (midnight + i64::from(span.to) * 60 - offset).min(to);
                if start < end {
                    found.push((Time::from_secs(start), Time::from_secs(end)));
                }
            }
        }
        found.sort_unstable();
        let mut merged: Vec<Interval> = Vec::with_capacity(found.len());
        for (start, end) in found {
            match merged.last_mut() {
                Some(before) if before.1 >= start => before.1 = before.1.max(end),
                _ => merged.push((start, end)),
            }
        }
        merged
    }

    /// The stretches of time around a local day in which the zone keeps one offset: from, to and offset in seconds.
    fn offsets(&self, midnight: i64) -> Vec<(i64, i64, i64)> {
        // No zone is further than 26 hours from UTC.
        let (first, last) = (midnight - 26 * 3600, midnight + DAY + 26 * 3600);
        let Ok(start) = Timestamp::from_second(first) else { return Vec::new() };
        let mut stretches = Vec::with_capacity(2);
        let (mut from, mut offset) = (first, self.tz.to_offset(start));
        for change in self.tz.following(start).take_while(|change| change.timestamp().as_second() < last) {
            let at = change.timestamp().as_second();
            stretches.push((from, at, i64::from(offset.seconds())));
            (from, offset) = (at, change.offset());
        }
        stretches.push((from, last, i64::from(offset.seconds())));
        stretches
    }

    /// The local date and the second of that day that a clock on the wall shows.
    pub(super) fn local(&self, at: Time) -> (Date, i32) {
        let stamp = Timestamp::from_microsecond(at.micros().clamp(KNOWN.0, KNOWN.1)).unwrap_or(Timestamp::UNIX_EPOCH);
        let local = self.tz.to_offset(stamp).to_datetime(stamp);
        let second = i32::from(local.hour()) * 3600 + i32::from(local.minute()) * 60 + i32::from(local.second());
        (local.date(), second)
    }

    /// The days from the one before `at`: clocks that are put back over midnight return to it.
    pub fn days_from(&self, at: Time) -> impl Iterator<Item = Date> + use<> {
        let date = self.date(at);
        std::iter::successors(Some(date.yesterday().unwrap_or(date)), |date| date.tomorrow().ok())
    }
}

/// Midnight of `date`, in seconds, as if the day were UTC's.
fn as_if_utc(date: Date) -> Option<i64> {
    TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok().map(Timestamp::as_second)
}

fn weekday(date: Date) -> Weekday {
    match date.weekday() {
        Day::Monday => Weekday::Mon,
        Day::Tuesday => Weekday::Tue,
        Day::Wednesday => Weekday::Wed,
        Day::Thursday => Weekday::Thu,
        Day::Friday => Weekday::Fri,
        Day::Saturday => Weekday::Sat,
        Day::Sunday => Weekday::Sun,
    }
}
