//! Intake's RPCs.

pub mod access;
pub mod cases;
pub mod clinics;
pub mod conversations;
mod converse;
mod entry_point;
mod lists;
mod notes;
mod subscribe;
