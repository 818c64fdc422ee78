//! Times where Samtal's clinics are.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Sweden and Norway keep the same time. None on a machine that knows no time zones.
pub fn zone() -> Option<TimeZone> {
    TimeZone::get("Europe/Stockholm").ok()
}

/// That moment on the clinics' clocks.
pub fn zoned(stamp: &prost_types::Timestamp) -> Option<Zoned> {
    Some(Timestamp::new(stamp.seconds, stamp.nanos).ok()?.to_zoned(zone()?))
}
