//! CountBookings: whom a closing would reach. A figure, and nothing of any of them.

use auth::Resource;
use kernel::error::Violations;
use kernel::{Error, Result};
use proto::scheduling::{CountBookingsRequest, CountBookingsResponse};
use runtime::Node;
use tonic::Request;

use super::MAX_NAME;
use crate::store::bookings;

pub async fn count(node: &Node, request: Request<CountBookingsRequest>) -> Result<CountBookingsResponse> {
    let caller = rpc::caller(&request)?;
    let request = request.into_inner();
    let mut found = Violations::default();
    found.text("calendar_id", &request.calendar_id, MAX_NAME);
    let window = super::window(&mut found, request.window.as_ref());
    found.done()?;
    let region = node.region.get();
    let missing = || Error::not_found("calendar");
    let (organisation, calendar) = region.calendar(&request.calendar_id).ok_or_else(missing)?;
    if organisation.id != caller.principal.organisation {
        return Err(missing());
    }
    let resources = organisation.resources.iter().filter(|resource| resource.calendar == calendar.id);
    let within = |clinic: &str| caller.check("calendar", &Resource { organisation: &organisation.id, clinic, ..Resource::default() });
    // Of clinics that the caller does not lead nothing is counted.
    let mine: Vec<&str> = resources.filter(|resource| within(&resource.clinic).is_ok()).map(|resource| resource.id.as_str()).collect();
    let bookings = bookings::confirmed(&node.of(&caller), &mine, window).await?;
    Ok(CountBookingsResponse { bookings })
}
