//! What is counted from other services' logs. Tombstones count too: a projection that is built anew after an erasure still
//! says how many came, though no longer why.

pub mod intake;
pub mod routing;
pub mod scheduling;

use kernel::{Error, Id, Result, Time};
use proto::Event;
use proto::log::Envelope;

/// The case that an event is about.
fn case(event: &Envelope) -> Result<Id> {
    Id::parse("key", &event.key)
}

fn at(event: &Envelope) -> Result<Time> {
    proto::from_timestamp("occurred_at", event.occurred_at.as_ref())?.ok_or_else(|| Error::internal("an event says not when it happened"))
}

/// The payload; None if erasure has taken it away.
fn payload<E: Event>(event: &Envelope) -> Result<Option<E>> {
    if event.erased {
        return Ok(None);
    }
    event.event::<E>().map_err(|error| Error::internal(format!("an event's payload cannot be read: {error}")))
}
