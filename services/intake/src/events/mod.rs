//! What triage and routing say, taken over into intake's cases.

pub mod routing;
pub mod triage;

use kernel::Error;

fn broken(error: prost::DecodeError) -> Error {
    Error::internal(format!("an event's payload cannot be read: {error}"))
}
