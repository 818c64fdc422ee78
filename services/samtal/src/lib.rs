//! The suite: all services in one process (`up`), one of them (`serve`), and the operator's tools. The binary is thin, and
//! tests build the same suite in their own process.

pub mod apply;
pub mod backup;
pub mod check;
pub mod client;
pub mod config;
pub mod demo;
pub mod folder;
pub mod metrics;
pub mod operate;
pub mod pace;
pub mod relocate;
pub mod simulate;
pub mod suite;
pub mod way;
