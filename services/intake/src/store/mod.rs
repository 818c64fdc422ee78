//! Intake's tables.

pub mod cases;
pub mod messages;
mod schema;
pub mod tokens;

pub use schema::TABLES;
