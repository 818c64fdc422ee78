//! Scheduling: calendars, holidays, slots, bookings.

pub mod domain;
