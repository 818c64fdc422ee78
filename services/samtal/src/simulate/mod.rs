//! `samtal simulate halland`: nine weeks of a region's chat, played through the public gRPC API, counted independently,
//! and read back.
//!
//! - [`plan`]: what will happen, from a seed; pure. [`region`]: where.
//! - [`actor`]: the calls, repeated until they are answered, into [`ledger`].
//! - [`paced`]: on a simulated clock, in this process. [`flat_out`]: against a running suite, as fast as it goes.
//! - [`check`]: reads everything back. [`report`]: what came out, and whether the suite's own figures agree.

pub mod actor;
mod check;
mod figures;
mod flat_out;
mod ledger;
mod paced;
mod places;
pub mod plan;
mod progress;
mod random;
mod report;
mod run;

pub use actor::Addresses;
pub use report::Outcome;
pub use run::{Settings, Target, run};
