//! The gRPC services that every service has.

pub mod config;
pub mod event_log;
pub mod source;
mod watch;
