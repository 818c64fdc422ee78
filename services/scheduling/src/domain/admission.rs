//! Whether a visitor who comes now can still be answered before the door closes.

use std::time::Duration;

use kernel::Time;
use serde::{Deserialize, Serialize};

use super::hours::Hours;

/// An entry point at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    Closed {
        next_opening: Option<Time>,
    },
    Open {
        /// None: it does not close.
        closes_at: Option<Time>,
        /// The first opening after that.
        next_opening: Option<Time>,
    },
}

impl Door {
    pub fn at(hours: &Hours<'_>, now: Time) -> Self {
        if hours.is_open(now) {
            let closes_at = hours.closes_at(now);
            Self::Open { closes_at, next_opening: closes_at.and_then(|at| hours.next_opening(at)) }
        } else {
            Self::Closed { next_opening: hours.next_opening(now) }
        }
    }
}

/// From the most to the least welcoming.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    Open,
    /// Admitted, and warned that the door closes at this time: there is room for this conversation, hardly for another.
    ClosingSoon {
        closes_at: Time,
    },
    /// No waiting room; a message can be left. None: nobody can say when it is read.
    LeaveMessage {
        why: Why,
        next_opening: Option<Time>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The conversation would not end before closing time.
    TooLate,
    /// It is open by the calendar, but nobody is there.
    Unstaffed,
    Closed,
}

/// Decides on a visitor with `waiting_ahead` cases before them, when `places` conversations can be held at a time.
/// Asked again for somebody who waits already, `LeaveMessage` means: offer it, turn nobody out.
///
/// Every place is taken as busy for a whole `expected_service`, so that nobody is let in on hope. Emergencies are none of this
/// function's business: the caller lets them pass.
///
/// Properties: later, more people ahead, longer conversations or fewer places never make the answer more welcoming;
/// whoever is admitted is expected to be done by closing time.
pub fn admit(now: Time, door: &Door, expected_service: Duration, waiting_ahead: u32, places: u32) -> Admission {
    let (closes_at, next_opening) = match *door {
        Door::Closed { next_opening } => return Admission::LeaveMessage { why: Why::Closed, next_opening },
        Door::Open { .. } if places == 0 => return Admission::LeaveMessage { why: Why::Unstaffed, next_opening: None },
        Door::Open { closes_at: None, .. } => return Admission::Open,
        Door::Open { closes_at: Some(closes_at), next_opening } => (closes_at, next_opening),
    };
    let rounds = waiting_ahead.checked_div(places).unwrap_or(u32::MAX).saturating_add(1);
    let done = now + expected_service.saturating_mul(rounds);
    if done > closes_at {
        Admission::LeaveMessage { why: Why::TooLate, next_opening }
    } else if done + expected_service > closes_at {
        Admission::ClosingSoon { closes_at }
    } else {
        Admission::Open
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEN: Duration = Duration::from_secs(600);

    fn minute(n: i64) -> Time {
        Time::from_secs(n * 60)
    }

    #[test]
    fn near_closing_the_answer_depends_on_who_is_ahead() {
        let door = Door::Open { closes_at: Some(minute(60)), next_opening: Some(minute(900)) };
        assert_eq!(admit(minute(0), &door, TEN, 0, 1), Admission::Open);
        assert_eq!(admit(minute(45), &door, TEN, 0, 1), Admission::ClosingSoon { closes_at: minute(60) });
        assert_eq!(admit(minute(50), &door, TEN, 0, 1), Admission::ClosingSoon { closes_at: minute(60) });
        let late = Admission::LeaveMessage { why: Why::TooLate, next_opening: Some(minute(900)) };
        assert_eq!(admit(minute(51), &door, TEN, 0, 1), late);
        assert_eq!(admit(minute(0), &door, TEN, 6, 1), late);
        assert_eq!(admit(minute(0), &door, TEN, 6, 3), Admission::Open);
    }

    #[test]
    fn nobody_waits_where_nobody_is() {
        let door = Door::Open { closes_at: None, next_opening: None };
        assert_eq!(admit(minute(0), &door, TEN, 0, 0), Admission::LeaveMessage { why: Why::Unstaffed, next_opening: None });
        assert_eq!(admit(minute(0), &door, TEN, 1_000, 1), Admission::Open);
        let closed = Door::Closed { next_opening: Some(minute(9)) };
        assert_eq!(admit(minute(0), &closed, TEN, 0, 0), Admission::LeaveMessage { why: Why::Closed, next_opening: Some(minute(9)) });
    }

    proptest! {
        #[test]
        fn it_never_becomes_more_welcoming(now in 0_i64..130, service in 0_u64..40, ahead in 0_u32..12, places in 0_u32..5) {
            let door = Door::Open { closes_at: Some(minute(120)), next_opening: None };
            let service = Duration::from_secs(service * 60);
            let answer = admit(minute(now), &door, service, ahead, places);
            prop_assert!(admit(minute(now + 1), &door, service, ahead, places) >= answer);
            prop_assert!(admit(minute(now), &door, service + Duration::from_secs(60), ahead, places) >= answer);
            prop_assert!(admit(minute(now), &door, service, ahead + 1, places) >= answer);
            prop_assert!(admit(minute(now), &door, service, ahead, places + 1) <= answer);
            if !matches!(answer, Admission::LeaveMessage { .. }) {
                prop_assert!(minute(now) + service * (ahead / places + 1) <= minute(120));
            }
        }
    }
}
