//! What happens in intake and triage, and what it means here.

mod intake;
mod triage;

pub use intake::Intake;
pub use triage::Triage;

use kernel::{Error, Id, Result};
use proto::log::Envelope;

/// The case of an event.
fn case_of(event: &Envelope) -> Result<Id> {
    Id::parse("key", &event.key)
}

fn broken(error: prost::DecodeError) -> Error {
    Error::internal(format!("an event's payload cannot be read: {error}"))
}
