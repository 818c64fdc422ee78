//! How far a caller sees, and the report.

pub mod report;
pub mod scope;
