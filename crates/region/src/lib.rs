//! The description of a region: its types, how a YAML file becomes one, what makes it valid, and how two differ. Pure.

mod conversation;
mod date;
pub mod diff;
pub mod drift;
pub mod lookup;
pub mod model;
mod nearest;
pub mod parse;
mod people;
mod protocol;
mod span;
pub mod validate;
mod version;
pub mod write;

pub use diff::{Change, diff};
pub use drift::Drift;
pub use model::*;
pub use parse::{Document, Finding, merge, parse};
pub use protocol::Answered;
pub use validate::validate;
pub use write::write;

#[cfg(test)]
mod tests;
