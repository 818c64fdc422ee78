//! Intake's tables.

pub mod attachments;
pub mod cases;
pub mod messages;
pub mod passkeys;
pub mod referrals;
pub mod rollout;
mod schema;
pub mod tokens;
pub mod transfers;
pub mod ways_in;
pub mod worklists;

pub use schema::TABLES;
