//! Intake's rules, without IO.

pub mod case;
pub mod people;
pub mod terms;
