//! Routing's own tables. Everything here runs inside a unit's transaction unless it takes a `Db`.

pub mod alerts;
pub mod cases;
pub mod decisions;
pub mod loads;
pub mod locks;
pub mod offers;
pub mod presence;
mod schema;
pub mod verdicts;

pub use schema::TABLES;

/// Placeholders `$first,$first+1,…` for a list of `count` values.
fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(",")
}
