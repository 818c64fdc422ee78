//! What triage and routing say, taken over into intake's cases; and what scheduling says, told to open screens.

pub mod routing;
pub mod scheduling;
pub mod triage;

use kernel::{Error, Result, Time};
use proto::log::Envelope;

fn broken(error: prost::DecodeError) -> Error {
    Error::internal(format!("an event's payload cannot be read: {error}"))
}

/// When an event happened.
fn at(event: &Envelope) -> Result<Time> {
    Ok(proto::from_timestamp("occurred_at", event.occurred_at.as_ref())?.unwrap_or_default())
}
