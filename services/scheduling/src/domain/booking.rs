//! Who has which slot. A hold keeps it for a few minutes, a confirmation for good.

mod decide;
#[cfg(test)]
mod tests;

use kernel::{Error, Id, Time};
use serde::{Deserialize, Serialize};

pub use self::decide::{decide, hold};
use super::slots::overlaps;

/// A stretch of a resource's time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    pub resource: String,
    pub from: Time,
    pub to: Time,
}

impl Slot {
    pub fn meets(&self, other: &Self) -> bool {
        self.resource == other.resource && overlaps((self.from, self.to), (other.from, other.to))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    pub id: Id,
    pub slot: Slot,
    pub state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Kept from others until then.
    Held {
        until: Time,
    },
    Confirmed,
    Cancelled,
    /// Not confirmed in time.
    Expired,
}

impl Booking {
    /// Whether it keeps others from its slot at `now`. A hold ends at `until`, even if its timer has not yet fired.
    pub fn occupies(&self, now: Time) -> bool {
        match self.state {
            State::Held { until } => now < until,
            State::Confirmed => true,
            State::Cancelled | State::Expired => false,
        }
    }

    /// When the hold's timer fires; it then gives `Command::Expire`.
    pub const fn timer(&self) -> Option<Time> {
        match self.state {
            State::Held { until } => Some(until),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    Confirm,
    Cancel,
    Move {
        to: Slot,
    },
    /// The timer of a hold.
    Expire,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    Held {
        until: Time,
    },
    Confirmed,
    Cancelled,
    Moved {
        from: Slot,
    },
    /// This booking's hold is over; it may be another one than that which was asked about.
    Expired {
        booking: Id,
    },
}

/// What to write. For every `Expired` of another booking that one is to be written as `State::Expired` first, in the
/// same transaction: a database that forbids overlaps does not know that its hold is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub booking: Booking,
    /// Empty: nothing changes.
    pub effects: Vec<Effect>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody else has it.
    SlotTaken,
    /// It has begun, or ends before it begins.
    SlotPassed,
    /// Confirmed too late.
    HoldExpired,
    Cancelled,
    /// A timer came early.
    NotDue,
}

impl Refusal {
    pub const fn reason(self) -> &'static str {
        match self {
            Self::SlotTaken => "SLOT_TAKEN",
            Self::SlotPassed => "SLOT_PASSED",
            Self::HoldExpired => "HOLD_EXPIRED",
            Self::Cancelled => "BOOKING_CANCELLED",
            Self::NotDue => "NOT_DUE",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::SlotTaken => "somebody else has booked this time; choose another",
            Self::SlotPassed => "this time has passed; choose another",
            Self::HoldExpired => "the time was not confirmed soon enough; choose it again if it is still free",
            Self::Cancelled => "the booking is cancelled",
            Self::NotDue => "it is too early",
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::precondition(refusal.reason(), refusal.text())
    }
}
