//! Between the wire's types and the kernel's.

use kernel::{Channel, Error, Result, Severity, Time};
use prost_types::Timestamp;

use crate::intake;

/// The wire's form of a moment.
pub fn timestamp(time: Time) -> Timestamp {
    Timestamp { seconds: time.secs(), nanos: (time.micros().rem_euclid(1_000_000) * 1_000) as i32 }
}

/// The moment that a caller gave in `field`, to the microsecond; absent is None.
pub fn from_timestamp(field: &str, stamp: Option<&Timestamp>) -> Result<Option<Time>> {
    let Some(stamp) = stamp else { return Ok(None) };
    // The years 1970 to 9999: outside them a calendar cannot follow.
    if !(0..253_402_300_800).contains(&stamp.seconds) || !(0..1_000_000_000).contains(&stamp.nanos) {
        return Err(Error::invalid(field, "is not a time between the years 1970 and 9999"));
    }
    Ok(Some(Time::from_micros(stamp.seconds * 1_000_000 + i64::from(stamp.nanos) / 1_000)))
}

impl From<Severity> for intake::Severity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Admin => Self::Admin,
            Severity::Routine => Self::Routine,
            Severity::Soon => Self::Soon,
            Severity::Urgent => Self::Urgent,
            Severity::Emergency => Self::Emergency,
        }
    }
}

impl intake::Severity {
    /// None if it is not said.
    pub const fn known(self) -> Option<Severity> {
        match self {
            Self::Unspecified => None,
            Self::Admin => Some(Severity::Admin),
            Self::Routine => Some(Severity::Routine),
            Self::Soon => Some(Severity::Soon),
            Self::Urgent => Some(Severity::Urgent),
            Self::Emergency => Some(Severity::Emergency),
        }
    }
}

impl From<Channel> for intake::Channel {
    fn from(channel: Channel) -> Self {
        match channel {
            Channel::Chat => Self::Chat,
            Channel::Email => Self::Email,
            Channel::Phone => Self::Phone,
            Channel::Video => Self::Video,
            Channel::Onsite => Self::Onsite,
        }
    }
}

impl intake::Channel {
    /// None if it is not said.
    pub const fn known(self) -> Option<Channel> {
        match self {
            Self::Unspecified => None,
            Self::Chat => Some(Channel::Chat),
            Self::Email => Some(Channel::Email),
            Self::Phone => Some(Channel::Phone),
            Self::Video => Some(Channel::Video),
            Self::Onsite => Some(Channel::Onsite),
        }
    }
}
