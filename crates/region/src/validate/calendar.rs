//! Opening hours that can be followed.

use super::{Found, Scope};
use crate::model::{Calendar, Span};

pub(super) fn check(scope: &Scope<'_>, found: &mut Found, i: usize, calendar: &Calendar) {
    let path = scope.at(format_args!("calendars[{i}]"));
    let opens = calendar.weeks.iter().any(|week| week.hours.values().any(|spans| !spans.is_empty()));
    if calendar.always_open && !calendar.weeks.is_empty() {
        found.add(format!("{path}.weeks"), "must be empty in a calendar that is always open; remove the hours or always_open");
    } else if !calendar.always_open && !opens {
        found.add(format!("{path}.weeks"), "has no opening hours; give at least one span on one day, or always_open: true");
    }
    let mut last = None;
    for (j, week) in calendar.weeks.iter().enumerate() {
        let here = format!("{path}.weeks[{j}]");
        match (week.from, last) {
            (None, _) if j > 0 => found.add(format!("{here}.from"), "is missing; only the first hours may leave out their first day"),
            (Some(from), Some(earlier)) if from <= earlier => {
                found.add(
                    format!("{here}.from"),
                    format!("{from} must be later than {earlier}, the first day of the hours before; put them in order"),
                );
            }
            _ => {}
        }
        last = week.from.or(last);
        for (day, spans) in &week.hours {
            // The same word as in the file.
            let day = format!("{day:?}").to_lowercase();
            check_spans(found, &format!("{here}.hours.{day}"), spans);
        }
    }
    for (j, exception) in calendar.exceptions.iter().enumerate() {
        let here = format!("{path}.exceptions[{j}]");
        check_spans(found, &format!("{here}.hours"), &exception.hours);
        found.filled(format!("{here}.reason"), &exception.reason);
        if calendar.exceptions.iter().take(j).any(|earlier| earlier.date == exception.date) {
            found.add(format!("{here}.date"), format!("{} has an exception already; put all its hours into one", exception.date));
        }
    }
}

/// The spans of one day are in order and do not overlap.
fn check_spans(found: &mut Found, path: &str, spans: &[Span]) {
    for (i, pair) in spans.windows(2).enumerate() {
        if let [before, after] = pair {
            if after.from < before.from {
                found.add(format!("{path}[{}]", i + 1), format!("{after} begins before {before}; put the spans in order"));
            } else if after.from < before.to {
                found.add(format!("{path}[{}]", i + 1), format!("{after} overlaps {before}; write them as one span"));
            }
        }
    }
    for (i, span) in spans.iter().enumerate() {
        // Only a span that was not read from text can be like this.
        if span.from >= span.to || span.to > 24 * 60 {
            found.add(format!("{path}[{i}]"), format!("{span} is no span of one day"));
        }
    }
}
