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

use kernel::Severity;
pub use schema::TABLES;

/// Placeholders `$first,$first+1,…` for a list of `count` values.
fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(",")
}

/// A severity as a number that sorts by it.
fn severity_number(severity: Severity) -> i64 {
    Severity::ALL.iter().position(|one| *one == severity).map_or(0, |at| at as i64)
}

/// The severity of such a number.
fn severity_of(number: i64) -> Option<Severity> {
    usize::try_from(number).ok().and_then(|at| Severity::ALL.get(at)).copied()
}
