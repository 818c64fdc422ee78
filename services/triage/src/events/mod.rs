//! What triage takes over from other services' logs.

pub mod intake;
pub mod routing;
