//! Test support: private servers ([`servers`]), the real binary as a process ([`process`]), and ports that stay one's own ([`ports`]).
//! Everything started here dies with the test process, however that one ends, and its files are removed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "test support"
)]

pub mod browser;
pub mod cluster;
pub mod http;
mod person;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod remote;
pub mod servers;
pub mod shim;
pub mod smtp;
mod spawn;
pub mod suite;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// True in `make nemesis`: tests that have a long form (more seeds, rounds, faults) run that one.
pub fn long() -> bool {
    std::env::var_os("SAMTAL_LONG").is_some_and(|value| value == "1")
}

/// A number that whoever starts the tests has set, such as a seed to play again.
pub fn number(variable: &str) -> Option<u64> {
    std::env::var_os(variable).map(|value| value.to_string_lossy().parse().unwrap_or_else(|_| panic!("{variable} must be a number")))
}

/// The folder of the workspace's `Cargo.toml`.
pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_path_buf()
}

/// Waits until `condition` holds; panics with `what` after `deadline`. For conditions outside async code.
pub fn wait_until(what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < deadline, "after {deadline:?} still not: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
