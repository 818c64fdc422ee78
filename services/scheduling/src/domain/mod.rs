//! When a door is open, what can be booked, and who has booked it. Pure: no IO, no clock, no randomness.

pub mod booking;
pub mod holidays;
pub mod hours;
pub mod slots;

use kernel::Time;

/// From the first moment up to, but not including, the second.
pub type Interval = (Time, Time);
