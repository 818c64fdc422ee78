//! Holding a slot for a case.

use std::time::Duration;

use kernel::{Channel, Error, Id, Result, Time};
use log::Unit;
use proto::scheduling::SlotHeld;
use region::Region;
use runtime::case_facts::Facts;

use super::{calendars, change};
use crate::domain::booking::{Booking, Effect, Slot, hold};
use crate::store::bookings::{self, Record};

/// A slot that a calendar offers.
#[derive(Clone, Debug)]
pub struct Offered {
    pub organisation: String,
    pub place: String,
    pub channel: Channel,
    pub slot: Slot,
}

/// The slot of `resource` at `from`, as the region has it.
pub fn offered(region: &Region, resource: &str, from: Time) -> Result<Offered> {
    let (organisation, resource) = region.resource(resource).ok_or_else(|| Error::not_found("resource"))?;
    let (from, to) = calendars::slot_at(organisation, resource, from)?
        .ok_or_else(|| Error::precondition("SLOT_NOT_OFFERED", "no bookable time begins then; choose one that ListSlots gives"))?;
    Ok(Offered {
        organisation: organisation.id.clone(),
        place: resource.clinic.clone(),
        channel: resource.channel,
        slot: Slot { resource: resource.id.clone(), from, to },
    })
}

/// Holds `offered` for the case, whose facts are locked. Two who come at once are served one after the other.
pub async fn hold_slot(unit: &mut Unit<'_>, facts: &Facts, offered: Offered, seconds: u32) -> Result<Record> {
    bookings::lock_resource(unit.tx, &offered.slot.resource).await?;
    let in_way = bookings::lock_meeting(unit.tx, &offered.slot, facts.practice).await?;
    let others: Vec<Booking> = in_way.iter().map(|record| record.booking.clone()).collect();
    let until = unit.now + Duration::from_secs(u64::from(seconds));
    let decision = hold(Id::new(unit.now), offered.slot, until, &others, unit.now)?;

    for effect in &decision.effects {
        // Others' holds that are over leave first: the table of live slots does not know of time.
        if let Effect::Expired { booking } = effect {
            for record in in_way.iter().filter(|record| record.booking.id == *booking) {
                change::expire(unit, record).await?;
            }
        }
    }
    let record = Record {
        booking: decision.booking,
        case: facts.case,
        scope: facts.scope(),
        place: offered.place,
        channel: offered.channel,
        external_ref: String::new(),
    };
    bookings::insert(unit.tx, &record).await?;
    unit.set_timer(change::HOLD, record.booking.id, until).await?;
    let event = SlotHeld {
        booking_id: record.booking.id.to_string(),
        resource_id: record.booking.slot.resource.clone(),
        starts_at: Some(proto::timestamp(record.booking.slot.from)),
        held_until: Some(proto::timestamp(until)),
    };
    unit.emit(record.case, &record.scope, &event)?;
    Ok(record)
}
