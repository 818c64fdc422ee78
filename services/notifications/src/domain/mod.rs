//! When a delivery is tried and how it ends; what a mail says. Pure: no IO, no clock, no randomness.

pub mod delivery;
pub mod texts;
pub mod way_in;
