//! ListSlots.

use std::collections::HashMap;
use std::time::Duration;

use kernel::error::Violations;
use kernel::{Error, Result, Time};
use proto::intake::Channel;
use proto::scheduling::{ListSlotsRequest, ListSlotsResponse, Slot};
use region::{Organisation, Region, Resource};
use runtime::Node;
use tonic::Request;

use super::MAX_NAME;
use crate::app::calendars;
use crate::domain::Interval;
use crate::domain::slots::slots;
use crate::store::bookings;

const DEFAULT_PAGE: usize = 100;
const MAX_PAGE: i32 = 500;
/// Slots are looked for day by day until the page is full: a long window of a large clinic holds very many.
const STEP: Duration = Duration::from_secs(86_400);

pub async fn list(node: &Node, request: Request<ListSlotsRequest>) -> Result<ListSlotsResponse> {
    let caller = rpc::caller(&request)?;
    let request = request.into_inner();
    let mut found = Violations::default();
    found.text("clinic_id", &request.clinic_id, MAX_NAME);
    let channel = Channel::try_from(request.channel);
    found.check(channel.is_ok(), "channel", "is no channel");
    found.check((0..=MAX_PAGE).contains(&request.page_size), "page_size", "must be between 0 and 500");
    let window = super::window(&mut found, request.window.as_ref());
    found.done()?;
    let wanted = channel.ok().and_then(Channel::known);
    let page = if request.page_size == 0 { DEFAULT_PAGE } else { request.page_size as usize };

    let region = node.region.get();
    let (organisation, clinic) = region.clinic(&request.clinic_id).ok_or_else(|| Error::not_found("clinic"))?;
    let resource = auth::Resource { organisation: &organisation.id, clinic: &clinic.id, ..auth::Resource::default() };
    caller.check("clinic", &resource)?;
    let resources: Vec<&Resource> = organisation
        .resources
        .iter()
        .filter(|resource| resource.clinic == clinic.id && wanted.is_none_or(|channel| channel == resource.channel))
        .collect();
    let now = node.now();
    // What has begun cannot be held any more.
    let window = (window.0.max(now), window.1);
    let ids: Vec<&str> = resources.iter().map(|resource| resource.id.as_str()).collect();
    let mut taken: HashMap<String, Vec<Interval>> = HashMap::new();
    for (resource, time) in bookings::taken(&node.of(&caller), &ids, window, now).await? {
        taken.entry(resource).or_default().push(time);
    }
    Ok(ListSlotsResponse { slots: free(&region, organisation, &resources, window, &taken, page)? })
}

/// The first `page` free slots of the window, by time and then by resource.
fn free(
    region: &Region,
    organisation: &Organisation,
    resources: &[&Resource],
    window: Interval,
    taken: &HashMap<String, Vec<Interval>>,
    page: usize,
) -> Result<Vec<Slot>> {
    let calendars = resources.iter().map(|resource| calendars::calendar_of(organisation, resource)).collect::<Result<Vec<_>>>()?;
    let mut found: Vec<Slot> = Vec::new();
    let mut from = window.0;
    while from < window.1 && found.len() < page {
        let step = (from, (from + STEP).min(window.1));
        let mut some: Vec<(Time, &Resource, Interval)> = Vec::new();
        for (resource, calendar) in resources.iter().zip(&calendars) {
            // A slot belongs to the step in which it begins, and may reach beyond it.
            let reach = (step.1 + Duration::from_secs(u64::from(resource.slot_minutes) * 60)).min(window.1);
            let busy = taken.get(&resource.id).map_or(&[][..], Vec::as_slice);
            let times = slots(&calendar.hours(), resource.slot_minutes, step.0, reach, busy);
            some.extend(times.into_iter().filter(|time| time.0 < step.1).map(|time| (time.0, *resource, time)));
        }
        some.sort_by(|a, b| (a.0, &a.1.id).cmp(&(b.0, &b.1.id)));
        let room = page - found.len();
        found.extend(
            some.into_iter()
                .take(room)
                .map(|(_, resource, time)| super::slot_of(region, &resource.id, &resource.clinic, resource.channel, time)),
        );
        from = step.1;
    }
    Ok(found)
}
