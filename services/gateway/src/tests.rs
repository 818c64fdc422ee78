//! The pages without services: what holds on every route, whatever it shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod refused;
mod shared;
mod texts;
