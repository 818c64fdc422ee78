//! Who waits, who answers, who holds a case. Pure: no IO, no clock, no randomness.

pub mod case;
pub mod eligible;
pub mod queue;
pub mod why;
