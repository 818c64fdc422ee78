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
mod span;
pub mod validate;

pub use diff::{Change, diff};
pub use drift::Drift;
pub use model::*;
pub use parse::{Document, Finding, merge, parse};
pub use validate::validate;

#[cfg(test)]
mod tests;
