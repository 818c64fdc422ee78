//! Load, decide, commit.

pub mod erase;
pub mod open;
pub mod raise;
pub mod set_severity;
pub mod wire;

use kernel::Severity;
use log::Scope;
use proto::log::Envelope;
use screening::Category;

/// For an event that follows from `event`.
fn scope(event: &Envelope) -> Scope {
    Scope { organisation: event.organisation_id.clone(), clinic: event.clinic_id.clone(), practice: event.practice }
}

/// How grave each red flag is. A category that this version does not know is still a sign of danger.
fn severities(red_flags: &[String]) -> Vec<Severity> {
    red_flags.iter().map(|code| Category::from_code(code).map_or(Severity::Urgent, Category::severity)).collect()
}

/// Adds what is new in `more`, in order.
fn add_flags(red_flags: &mut Vec<String>, more: &[String]) {
    for code in more {
        if !red_flags.contains(code) {
            red_flags.push(code.clone());
        }
    }
}
