//! Intake's RPCs.

pub mod access;
pub mod cases;
pub mod conversations;
mod converse;
mod entry_point;
mod lists;
mod notes;
mod sessions;
mod subscribe;
