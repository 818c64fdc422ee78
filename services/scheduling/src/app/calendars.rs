//! The region's calendars and resources as the domain wants them.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use kernel::{Error, Result, Time};
use region::{Calendar, Organisation, Region, Resource};

use crate::domain::Interval;
use crate::domain::hours::{Closed, Hours};
use crate::domain::slots::slots;

/// A calendar with whose it is, found in one region.
pub struct Found<'r> {
    pub organisation: &'r Organisation,
    pub calendar: &'r Calendar,
    tz: TimeZone,
}

impl<'r> Found<'r> {
    pub fn new(organisation: &'r Organisation, calendar: &'r Calendar) -> Result<Self> {
        let tz = zone(organisation).ok_or_else(|| Error::internal(format!("the zone '{}' is unknown", organisation.timezone)))?;
        Ok(Self { organisation, calendar, tz })
    }

    pub fn hours(&self) -> Hours<'_> {
        Hours { calendar: self.calendar, country: self.organisation.country, tz: &self.tz }
    }

    /// Why it is closed at `at`, as visitors of the organisation read it; empty if it is open or outside ordinary hours.
    pub fn closed_reason(&self, at: Time) -> String {
        match self.hours().why_closed(at) {
            Some(Closed::Holiday(feast)) => feast.name(self.organisation.default_language()).to_owned(),
            Some(Closed::Exception(reason)) => reason,
            Some(Closed::OutsideHours) | None => String::new(),
        }
    }
}

/// The zone, from inside the binary: a container image may have none.
pub fn zone(organisation: &Organisation) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(&organisation.timezone).ok()
}

pub fn calendar<'r>(region: &'r Region, id: &str) -> Result<Found<'r>> {
    let (organisation, calendar) = region.calendar(id).ok_or_else(|| Error::not_found("calendar"))?;
    Found::new(organisation, calendar)
}

/// The calendar of a resource.
pub fn calendar_of<'r>(organisation: &'r Organisation, resource: &Resource) -> Result<Found<'r>> {
    let calendar = organisation.calendar(&resource.calendar).ok_or_else(|| Error::not_found("calendar"))?;
    Found::new(organisation, calendar)
}

/// The slot of `resource` that begins at `from`, if its calendar offers one there.
pub fn slot_at(organisation: &Organisation, resource: &Resource, from: Time) -> Result<Option<Interval>> {
    let found = calendar_of(organisation, resource)?;
    let to = from + std::time::Duration::from_secs(u64::from(resource.slot_minutes) * 60);
    Ok(slots(&found.hours(), resource.slot_minutes, from, to, &[]).into_iter().find(|slot| *slot == (from, to)))
}
