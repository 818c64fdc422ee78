//! Intake's RPCs.

pub mod access;
pub mod cases;
mod changes;
pub mod clinics;
pub mod conversations;
mod converse;
mod entry_point;
pub mod files;
pub mod invitations;
mod items;
mod lists;
mod notes;
pub mod passkeys;
pub mod referrals;
mod rollout;
mod sessions;
pub mod sign_in;
mod subscribe;
pub mod transfers;
