//! The RPCs of `samtal.scheduling.v1.SchedulingService`.

mod bookings;
mod count;
mod hold;
mod openings;
mod slots;

use std::time::Duration;

use kernel::error::Violations;
use kernel::{Channel, Time};
use proto::scheduling as wire;
use proto::scheduling::scheduling_service_server::SchedulingService;
use region::Region;
use rpc::{Answer, status};
use runtime::Node;
use tonic::Request;

use crate::domain::Interval;
use crate::domain::booking::State;
use crate::store::bookings::Record;

/// Longest window of a list.
const MAX_WINDOW: Duration = Duration::from_secs(100 * 86_400);
/// Longest id of a thing in the region.
const MAX_NAME: usize = 64;

/// Answers scheduling's RPCs.
pub struct Api {
    pub node: Node,
}

#[tonic::async_trait]
impl SchedulingService for Api {
    async fn get_opening(&self, request: Request<wire::GetOpeningRequest>) -> Answer<wire::GetOpeningResponse> {
        openings::get(&self.node, request.get_ref()).map(tonic::Response::new).map_err(status)
    }

    async fn list_openings(&self, request: Request<wire::ListOpeningsRequest>) -> Answer<wire::ListOpeningsResponse> {
        openings::list(&self.node, request.get_ref()).map(tonic::Response::new).map_err(status)
    }

    async fn list_slots(&self, request: Request<wire::ListSlotsRequest>) -> Answer<wire::ListSlotsResponse> {
        slots::list(&self.node, request).await.map(tonic::Response::new).map_err(status)
    }

    async fn hold_slot(&self, request: Request<wire::HoldSlotRequest>) -> Answer<wire::HoldSlotResponse> {
        hold::hold(&self.node, request).await.map_err(status)
    }

    async fn confirm_booking(&self, request: Request<wire::ConfirmBookingRequest>) -> Answer<wire::ConfirmBookingResponse> {
        bookings::confirm(&self.node, request).await.map_err(status)
    }

    async fn cancel_booking(&self, request: Request<wire::CancelBookingRequest>) -> Answer<wire::CancelBookingResponse> {
        bookings::cancel(&self.node, request).await.map_err(status)
    }

    async fn get_booking(&self, request: Request<wire::GetBookingRequest>) -> Answer<wire::GetBookingResponse> {
        bookings::get(&self.node, request).await.map(tonic::Response::new).map_err(status)
    }

    async fn list_bookings(&self, request: Request<wire::ListBookingsRequest>) -> Answer<wire::ListBookingsResponse> {
        bookings::list(&self.node, request).await.map(tonic::Response::new).map_err(status)
    }

    async fn count_bookings(&self, request: Request<wire::CountBookingsRequest>) -> Answer<wire::CountBookingsResponse> {
        count::count(&self.node, request).await.map(tonic::Response::new).map_err(status)
    }
}

/// The window of a list, or what is wrong with it.
fn window(found: &mut Violations, window: Option<&wire::Interval>) -> Interval {
    let Some(window) = window else {
        found.add("window", "is required");
        return (Time::ZERO, Time::ZERO);
    };
    let from = moment(found, "window.from", window.from.as_ref());
    let to = moment(found, "window.to", window.to.as_ref());
    if let (Some(from), Some(to)) = (from, to) {
        found.check(from < to, "window.to", "must be later than window.from");
        found.check(to.since(from) <= MAX_WINDOW, "window", "may be at most 100 days long");
        return (from, to);
    }
    (Time::ZERO, Time::ZERO)
}

/// A moment that must be given.
fn moment(found: &mut Violations, field: &str, stamp: Option<&prost_types::Timestamp>) -> Option<Time> {
    match proto::from_timestamp(field, stamp) {
        Ok(Some(time)) => return Some(time),
        Ok(None) => found.add(field, "is required"),
        Err(error) => error.violations.into_iter().for_each(|violation| found.add(violation.field, violation.description)),
    }
    None
}

fn slot_of(region: &Region, resource: &str, place: &str, channel: Channel, time: Interval) -> wire::Slot {
    wire::Slot {
        resource_id: resource.to_owned(),
        // A resource that is gone from the region has no name any more.
        resource_name: region.resource(resource).map_or_else(String::new, |(_, resource)| resource.name.clone()),
        clinic_id: place.to_owned(),
        channel: proto::intake::Channel::from(channel).into(),
        time: Some(wire::Interval { from: Some(proto::timestamp(time.0)), to: Some(proto::timestamp(time.1)) }),
    }
}

/// A booking as callers see it: a hold that is over reads as expired, even if its timer has not yet fired.
fn booking_of(region: &Region, record: &Record, now: Time) -> wire::Booking {
    let (booking, slot) = (&record.booking, &record.booking.slot);
    let (state, held_until) = match booking.state {
        State::Held { until } if now < until => (wire::BookingState::Held, Some(until)),
        State::Held { .. } | State::Expired => (wire::BookingState::Expired, None),
        State::Confirmed => (wire::BookingState::Confirmed, None),
        State::Cancelled => (wire::BookingState::Cancelled, None),
    };
    wire::Booking {
        booking_id: booking.id.to_string(),
        case_id: record.case.to_string(),
        organisation_id: record.scope.organisation.clone(),
        slot: Some(slot_of(region, &slot.resource, &record.place, record.channel, (slot.from, slot.to))),
        state: state.into(),
        held_until: held_until.map(proto::timestamp),
        external_ref: record.external_ref.clone(),
    }
}
