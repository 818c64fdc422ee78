//! Opening hours: from weekly hours, holidays and exceptions to moments.
//!
//! A calendar is **open at the moments at which a clock on its wall shows a time within the day's hours**. That is the
//! whole rule for days on which the clocks change: hours that fall into the skipped hour do not exist, hours in the
//! repeated one exist twice.

mod days;
#[cfg(test)]
pub(super) mod tests;

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use kernel::Time;
use region::{Calendar, Country};
use serde::{Deserialize, Serialize};

use super::Interval;
use super::holidays::Feast;
use days::Plan;

/// How many days ahead an opening is looked for: a year and some weeks.
pub const SEARCH_DAYS: usize = 400;
/// How many days a due time may take.
const DUE_DAYS: usize = 3_660;

/// A calendar with what its organisation adds to it.
#[derive(Clone, Copy, Debug)]
pub struct Hours<'a> {
    pub calendar: &'a Calendar,
    pub country: Country,
    pub tz: &'a TimeZone,
}

/// Why a calendar is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    Holiday(Feast),
    /// The reason that the calendar gives for this day.
    Exception(String),
    OutsideHours,
}

impl Hours<'_> {
    /// The opening intervals within `[from, to)`.
    ///
    /// Properties: sorted, disjoint with time between them, inside the window; a moment of the window lies in one
    /// of them just if it `is_open`; the answers for two adjoining windows make up the answer for both.
    pub fn openings(&self, from: Time, to: Time) -> Vec<Interval> {
        if from >= to {
            return Vec::new();
        }
        if self.calendar.always_open {
            return vec![(from, to)];
        }
        let last = self.date(to);
        let mut found: Vec<Interval> = Vec::new();
        for (start, end) in self.days_from(from).take_while(|date| *date <= last).flat_map(|date| self.day(date)) {
            let (start, end) = (start.max(from), end.min(to));
            if start >= end {
                continue;
            }
            match found.last_mut() {
                // Hours up to 24:00 and from 00:00 on are one opening.
                Some(before) if before.1 >= start => before.1 = before.1.max(end),
                _ => found.push((start, end)),
            }
        }
        found
    }

    /// Whether a clock on the wall shows a time within the hours.
    pub fn is_open(&self, at: Time) -> bool {
        let (date, second) = self.local(at);
        self.calendar.always_open
            || self.plan(date).spans().iter().any(|span| (i32::from(span.from) * 60..i32::from(span.to) * 60).contains(&second))
    }

    /// `at`, if it is open then; else the next moment at which it is; none within 400 days.
    ///
    /// Property: it is open at that moment, and at none from `at` until then.
    pub fn next_opening(&self, at: Time) -> Option<Time> {
        if self.calendar.always_open {
            return Some(at);
        }
        let ahead = self.days_from(at).take(SEARCH_DAYS).flat_map(|date| self.day(date));
        ahead.into_iter().find(|(_, end)| *end > at).map(|(start, _)| start.max(at))
    }

    /// When the opening around `at` ends; none if it is closed at `at`, or does not close within 400 days.
    ///
    /// Property: it is open from `at` until then, and closed then.
    pub fn closes_at(&self, at: Time) -> Option<Time> {
        if self.calendar.always_open {
            return None;
        }
        let mut closes: Option<Time> = None;
        for (start, end) in self.days_from(at).take(SEARCH_DAYS).flat_map(|date| self.day(date)).filter(|(_, end)| *end > at) {
            match closes {
                None if start <= at => closes = Some(end),
                Some(so_far) if start <= so_far => closes = Some(end.max(so_far)),
                _ => return closes,
            }
        }
        // Still open at the end of the search is no answer; closed for good is one.
        closes.filter(|closes| !self.is_open(*closes))
    }

    /// The first moment by which the calendar has been open for `minutes` since `start`; none within ten years.
    ///
    /// Property: the openings between `start` and that moment are `minutes` long in all, and it ends one of them or lies in it.
    pub fn open_minutes_after(&self, start: Time, minutes: u32) -> Option<Time> {
        let mut left = Duration::from_secs(u64::from(minutes) * 60);
        if self.calendar.always_open || left.is_zero() {
            return Some(start + left);
        }
        for (from, to) in self.days_from(start).take(DUE_DAYS).flat_map(|date| self.day(date)) {
            let from = from.max(start);
            let open = to.since(from);
            if open >= left {
                return Some(from + left);
            }
            left -= open;
        }
        None
    }

    /// Why it is closed at `at`; none if it is open. A day's exception explains it before a holiday does.
    pub fn why_closed(&self, at: Time) -> Option<Closed> {
        if self.is_open(at) {
            return None;
        }
        Some(match self.plan(self.date(at)) {
            Plan::Exception(exception) => Closed::Exception(exception.reason.clone()),
            Plan::Holiday(feast) => Closed::Holiday(feast),
            Plan::Week(_) | Plan::Always => Closed::OutsideHours,
        })
    }

    /// The local date at `at`.
    pub fn date(&self, at: Time) -> Date {
        self.local(at).0
    }
}
