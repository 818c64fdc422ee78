//! Confirmed bookings, from scheduling.

use futures::future::BoxFuture;
use kernel::{Id, Result};
use log::{Handler, Unit};
use proto::Event;
use proto::log::Envelope;
use proto::scheduling::BookingConfirmed;

use super::{case, payload};
use crate::store::facts;

pub struct Scheduling;

impl Handler for Scheduling {
    fn source(&self) -> &'static str {
        "scheduling"
    }

    fn wants(&self, event: &Envelope) -> bool {
        event.r#type == BookingConfirmed::TYPE
    }

    fn apply<'a>(&'a self, unit: &'a mut Unit<'_>, event: &'a Envelope) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            // An erased booking has lost its id; the event's own tells it from others as well.
            let booking = match payload::<BookingConfirmed>(event)? {
                Some(confirmed) => Id::parse("booking_id", &confirmed.booking_id)?,
                None => Id::parse("event_id", &event.event_id)?,
            };
            facts::booked(unit, booking, case(event)?).await
        })
    }
}
