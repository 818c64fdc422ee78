//! Entry points: whose they are, and whether they are open.

use std::sync::Arc;

use kernel::{Error, Result, Time};
use proto::intake::ForWhom;
use region::{EntryPoint, Organisation, Region};

use crate::app::App;
use crate::app::openings::Opening;

/// The contract's word for whom somebody comes.
pub fn for_whom(one: region::ForWhom) -> ForWhom {
    match one {
        region::ForWhom::Oneself => ForWhom::Self_,
        region::ForWhom::Child => ForWhom::Child,
        region::ForWhom::Relative => ForWhom::Relative,
    }
}

/// An entry point with all that belongs to it.
pub struct Door {
    pub region: Arc<Region>,
    organisation: usize,
    entry_point: usize,
}

impl Door {
    /// The entry point with this id; NOT_FOUND if there is none.
    pub fn find(region: Arc<Region>, id: &str) -> Result<Self> {
        let found = region.organisations.iter().enumerate().find_map(|(organisation, one)| {
            one.entry_points.iter().position(|entry_point| entry_point.id == id).map(|entry_point| (organisation, entry_point))
        });
        let (organisation, entry_point) = found.ok_or_else(|| Error::not_found("entry point"))?;
        Ok(Self { region, organisation, entry_point })
    }

    pub fn organisation(&self) -> Result<&Organisation> {
        self.region.organisations.get(self.organisation).ok_or_else(|| Error::not_found("entry point"))
    }

    pub fn entry_point(&self) -> Result<&EntryPoint> {
        self.organisation()?.entry_points.get(self.entry_point).ok_or_else(|| Error::not_found("entry point"))
    }

    /// The first moment at which the clinic takes cases; None: it always has.
    fn live_from(&self) -> Result<Option<Time>> {
        let organisation = self.organisation()?;
        let clinic = self.entry_point()?.clinic.clone();
        let Some(date) = organisation.clinic(&clinic).and_then(|clinic| clinic.live_from) else { return Ok(None) };
        let zone = jiff::tz::TimeZone::get(&organisation.timezone).map_err(|error| Error::internal(format!("time zone: {error}")))?;
        let start = date.to_zoned(zone).map_err(|error| Error::internal(format!("date: {error}")))?;
        Ok(Some(Time::from_micros(start.timestamp().as_microsecond())))
    }

    pub fn in_region(region: Arc<Region>, organisation: usize, entry_point: usize) -> Self {
        Self { region, organisation, entry_point }
    }

    /// The next times at which it is open, the present one first; an end that is not known is left out.
    pub async fn next_openings(&self, app: &App, now: Time, most: usize) -> Result<Vec<(Time, Option<Time>)>> {
        let from = self.live_from()?.map_or(now, |live_from| live_from.max(now));
        app.openings.next(&self.entry_point()?.calendar, &self.region, from, most).await
    }

    /// Whether it is open at `now`.
    pub async fn opening(&self, app: &App, now: Time) -> Result<Opening> {
        let calendar = self.entry_point()?.calendar.clone();
        if let Some(live_from) = self.live_from()?.filter(|live_from| *live_from > now) {
            // Its hours before that day do not count.
            return Ok(match app.openings.at(&calendar, &self.region, live_from).await? {
                Opening::Open { .. } => Opening::Closed { opens_at: Some(live_from) },
                closed => closed,
            });
        }
        app.openings.at(&calendar, &self.region, now).await
    }
}
