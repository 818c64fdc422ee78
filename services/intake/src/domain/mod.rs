//! Intake's rules, without IO.

pub mod case;
pub mod code;
pub mod language;
pub mod media;
pub mod passkey;
pub mod people;
pub mod person_number;
pub mod search;
pub mod terms;
pub mod transfer;
