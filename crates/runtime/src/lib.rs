//! From a service's own code to a running process: what services share at run time, and how they are served.
//!
//! - [`Platform`]: what a process has (stores, bus, clock, secret, peers); [`Node`]: one service's share of it.
//! - [`RegionStore`]: the region's description as this service knows it.
//! - [`case_facts`]: whose a case is, for services that are not intake.
//! - [`services`]: the gRPC services that every service has: its log, its configuration.
//! - [`serve`]: listen, answer, stop in order.

pub mod case_facts;
pub mod gauges;
mod guard;
mod node;
mod peers;
mod platform;
mod region_store;
pub mod serve;
pub mod services;

pub use node::{Built, Node};
pub use peers::{Peer, Peers};
pub use platform::Platform;
pub use region_store::{Check, RegionStore};
pub use serve::{Server, serve};
pub use tonic::service::RoutesBuilder;

/// Largest message that a server takes: a chat text is 16 KiB, a region's description can be large.
pub const MAX_REQUEST: usize = 64 * 1024;
pub const MAX_CONFIG_REQUEST: usize = 4 * 1024 * 1024;
/// Largest message that a server gives: a batch of events is 256 KiB.
pub const MAX_RESPONSE: usize = 4 * 1024 * 1024;
