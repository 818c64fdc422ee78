//! The log: every state change commits in one transaction with its events, and every event takes effect exactly once in
//! every service that consumes it.
//!
//! - [`unit`]: one command's writes, events, audit rows and timers; [`committer`]: many of them in one commit.
//! - [`relay`]: from the log to the bus. [`consumer`]: from the bus, or from the source's log, into effects.
//!   Both are state machines without IO; [`relay_driver`] and [`consumer_driver`] do what they ask for, and the
//!   simulation in `tests/simulation` plays them against loss, crashes and restores.
//! - [`lease`]: which replica may work on which shard. [`timers`]: what happens at a time.
//! - [`dead_letter`]: events that can never take effect. [`guard`], [`rejoin`]: a log that was restored from a backup.
//! - [`audit`]: seals that show whether an audit row was changed. [`housekeeping`]: what is kept for a while only.

mod append;
pub mod audit;
pub mod committer;
pub mod consumer;
pub mod consumer_driver;
pub mod dead_letter;
mod effects;
pub mod gauges;
pub mod guard;
pub mod housekeeping;
pub mod lease;
mod log;
pub mod progress;
pub mod reader;
pub mod rejoin;
pub mod relay;
pub mod relay_driver;
mod schema;
pub mod timers;
pub mod trace;
pub mod unit;

pub use committer::{Committer, Receipt};
pub use consumer_driver::{Handler, Source};
pub use log::{Log, Settings};
pub use schema::TABLES;
pub use unit::{Origin, Scope, Unit};
