//! Where the simulation plays: the region of `docs/examples/halland.yaml`, as it is, or beside what a running suite has.

use region::{Organisation, Region};

/// The region's description, compiled in.
pub const HALLAND: &str = include_str!("../../../../docs/examples/halland.yaml");

/// Put before every id when the simulation is a guest in a running suite.
const PREFIX: &str = "sim-";

/// The organisation that is simulated.
pub fn organisation() -> kernel::Result<Organisation> {
    let document = region::parse("halland.yaml", HALLAND).map_err(|findings| crate::apply::refused(&findings))?;
    document.region.organisations.into_iter().next().ok_or_else(|| kernel::Error::internal("halland.yaml describes no organisation"))
}

/// The same organisation under other ids, whose doors never close and whose clinics are all live.
pub fn guest(organisation: &Organisation) -> Organisation {
    let mut guest = organisation.clone();
    let rename = |id: &mut String| *id = format!("{PREFIX}{id}");
    rename(&mut guest.id);
    for clinic in &mut guest.clinics {
        rename(&mut clinic.id);
        clinic.live_from = None;
    }
    for calendar in &mut guest.calendars {
        rename(&mut calendar.id);
        calendar.always_open = true;
        calendar.weeks.clear();
        calendar.exceptions.clear();
    }
    for queue in &mut guest.queues {
        rename(&mut queue.id);
        rename(&mut queue.clinic);
    }
    for worker in &mut guest.workers {
        rename(&mut worker.id);
        worker.clinics.iter_mut().for_each(rename);
        worker.queues.iter_mut().for_each(rename);
        // As fast as it goes: nobody waits for a worker's hands.
        worker.capacity = 1000;
    }
    for protocol in &mut guest.protocols {
        rename(&mut protocol.id);
        protocol.rules.iter_mut().filter_map(|rule| rule.queue.as_mut()).for_each(rename);
        protocol.tests.iter_mut().filter_map(|test| test.queue.as_mut()).for_each(rename);
    }
    for resource in &mut guest.resources {
        rename(&mut resource.id);
        rename(&mut resource.clinic);
        rename(&mut resource.calendar);
    }
    for entry_point in &mut guest.entry_points {
        rename(&mut entry_point.id);
        rename(&mut entry_point.clinic);
        rename(&mut entry_point.queue);
        rename(&mut entry_point.calendar);
        entry_point.protocol.iter_mut().for_each(rename);
    }
    guest
}

/// `region` with `organisation` in it, in place of an earlier one of the same id.
pub fn with(mut region: Region, organisation: Organisation) -> Region {
    if region.region.is_empty() {
        region.region = "halland".to_owned();
    }
    region.organisations.retain(|other| other.id != organisation.id);
    region.organisations.push(organisation);
    region
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_that_of_the_text_and_its_guest_is_valid() {
        let organisation = organisation().unwrap();
        assert_eq!(organisation.clinics.len(), 23);
        assert_eq!(organisation.catalogue.reasons.len(), 160);
        let both = with(with(Region::default(), organisation.clone()), guest(&organisation));
        assert_eq!(region::validate(&both), Vec::new());
    }
}
