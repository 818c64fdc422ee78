//! Writing what was decided about a booking, and saying so.

use kernel::{Error, Id, Result};
use log::{Scope, Unit};
use proto::scheduling::{BookingCancelled, BookingConfirmed};

use crate::domain::booking::{Booking, Command, Decision, Effect, State, decide};
use crate::store::bookings::{self, Record};

/// Timer of a hold, keyed by the booking. That of a hold that is over is left alone: it is due by now and finds nothing to
/// do. Taking it away would wait for the one who fires it, while that one waits for the resource.
pub const HOLD: &str = "hold";

/// Writes `decision` about `record`, and its events under `scope`. The resource and the record are locked.
pub async fn write(unit: &mut Unit<'_>, record: &mut Record, decision: Decision, scope: &Scope) -> Result<()> {
    for effect in &decision.effects {
        match effect {
            Effect::Confirmed => {
                let slot = &decision.booking.slot;
                let event = BookingConfirmed {
                    booking_id: record.booking.id.to_string(),
                    resource_id: slot.resource.clone(),
                    channel: proto::intake::Channel::from(record.channel).into(),
                    starts_at: Some(proto::timestamp(slot.from)),
                    ends_at: Some(proto::timestamp(slot.to)),
                };
                unit.emit(record.case, scope, &event)?;
            }
            Effect::Cancelled => unit.emit(record.case, scope, &ended(record.booking.id, false))?,
            Effect::Expired { booking } if *booking == record.booking.id => unit.emit(record.case, scope, &ended(*booking, true))?,
            // Holding and moving are written where they are decided.
            Effect::Expired { .. } | Effect::Held { .. } | Effect::Moved { .. } => {
                return Err(Error::internal("a change of a booking had an effect that is not its own"));
            }
        }
    }
    if !decision.effects.is_empty() {
        bookings::set_state(unit.tx, &decision.booking).await?;
        if decision.booking.state != State::Expired {
            unit.cancel_timer(HOLD, decision.booking.id).await?;
        }
    }
    record.booking = decision.booking;
    Ok(())
}

fn ended(booking: Id, expired: bool) -> BookingCancelled {
    BookingCancelled { booking_id: booking.to_string(), expired }
}

/// Ends a hold that is over, found in the way of another.
pub async fn expire(unit: &mut Unit<'_>, record: &Record) -> Result<()> {
    unit.emit(record.case, &record.scope, &ended(record.booking.id, true))?;
    bookings::set_state(unit.tx, &Booking { state: State::Expired, ..record.booking.clone() }).await
}

/// Locks the booking `id` with its resource. Locks are always taken in the order case, resource, booking.
pub async fn lock(unit: &mut Unit<'_>, id: Id, resource: &str) -> Result<Option<Record>> {
    bookings::lock_resource(unit.tx, resource).await?;
    bookings::lock(unit.tx, id).await
}

/// Gives up a case's holds; what is confirmed stays.
pub async fn release_holds(unit: &mut Unit<'_>, case: Id) -> Result<()> {
    for (id, resource) in bookings::holds_of_case(unit.tx, case).await? {
        let Some(mut record) = lock(unit, id, &resource).await? else { continue };
        if matches!(record.booking.state, State::Held { .. }) {
            let decision = decide(&record.booking, &[], &Command::Cancel, unit.now)?;
            let scope = record.scope.clone();
            write(unit, &mut record, decision, &scope).await?;
        }
    }
    Ok(())
}
