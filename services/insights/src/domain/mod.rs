//! Figures out of counts. Pure: no IO, no clock.

pub mod cells;
pub mod figures;
