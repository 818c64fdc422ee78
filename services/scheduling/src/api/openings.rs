//! GetOpening, ListOpenings. Opening hours are public facts.

use kernel::Result;
use kernel::error::Violations;
use proto::scheduling::{GetOpeningRequest, GetOpeningResponse, Interval, ListOpeningsRequest, ListOpeningsResponse};
use runtime::Node;

use super::MAX_NAME;
use crate::app::calendars;

pub fn get(node: &Node, request: &GetOpeningRequest) -> Result<GetOpeningResponse> {
    let mut found = Violations::default();
    found.text("calendar_id", &request.calendar_id, MAX_NAME);
    let at = request.at.as_ref().and_then(|at| super::moment(&mut found, "at", Some(at)));
    found.done()?;
    let region = node.region.get();
    let calendar = calendars::calendar(&region, &request.calendar_id)?;
    let (hours, at) = (calendar.hours(), at.unwrap_or_else(|| node.now()));
    let open = hours.is_open(at);
    Ok(GetOpeningResponse {
        open,
        closes_at: if open { hours.closes_at(at).map(proto::timestamp) } else { None },
        next_opening_at: if open { None } else { hours.next_opening(at).map(proto::timestamp) },
        closed_reason: calendar.closed_reason(at),
    })
}

pub fn list(node: &Node, request: &ListOpeningsRequest) -> Result<ListOpeningsResponse> {
    let mut found = Violations::default();
    found.text("calendar_id", &request.calendar_id, MAX_NAME);
    let (from, to) = super::window(&mut found, request.window.as_ref());
    found.done()?;
    let region = node.region.get();
    let calendar = calendars::calendar(&region, &request.calendar_id)?;
    let openings = calendar
        .hours()
        .openings(from, to)
        .into_iter()
        .map(|(from, to)| Interval { from: Some(proto::timestamp(from)), to: Some(proto::timestamp(to)) })
        .collect();
    let organisation_version = region.calendar(&request.calendar_id).map_or(0, |(organisation, _)| organisation.version());
    Ok(ListOpeningsResponse { openings, organisation_version })
}
