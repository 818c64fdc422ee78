//! Red flags in a message raise a case's severity. They never lower it.

use kernel::{Id, Profession, Result, Severity};
use log::Unit;
use proto::intake::MessagePosted;
use proto::log::Envelope;

use super::{add_flags, scope, severities, wire};
use crate::domain::lower::{By, Change, change};
use crate::store::{self, Triaged};

pub async fn take(unit: &mut Unit<'_>, event: &Envelope, posted: &MessagePosted) -> Result<()> {
    let case = Id::parse("key", &event.key)?;
    let before = store::lock(unit, case).await?;
    let known = before.is_some();
    let mut after = before.unwrap_or_else(|| untriaged(case, unit.now));
    let had = after.red_flags.len();
    add_flags(&mut after.red_flags, &posted.red_flags);
    // Only this message's flags count: what a worker has judged and lowered is raised by new words alone.
    let gravest = severities(&posted.red_flags).into_iter().fold(Severity::Admin, Severity::max);
    let raised = match change(after.severity, gravest, By::Automation, "")? {
        Change::Raised { to, .. } => {
            after.severity = to;
            after.triaged_at = unit.now;
            true
        }
        Change::Kept | Change::Lowered { .. } => false,
    };
    if raised || !known || after.red_flags.len() > had {
        store::put(unit, &after).await?;
    }
    if raised || !known {
        unit.emit(case, &scope(event), &wire::event(&after, false))?;
    }
    Ok(())
}

/// A case whose opening was given up as a dead letter: a person looks at it.
fn untriaged(case: Id, now: kernel::Time) -> Triaged {
    Triaged {
        case,
        severity: Severity::Urgent,
        profession: Profession::Any,
        rule_queue: String::new(),
        queue: String::new(),
        protocol: String::new(),
        protocol_version: 0,
        rules: Vec::new(),
        red_flags: Vec::new(),
        set_by: String::new(),
        set_reason: String::new(),
        triaged_at: now,
        untriaged: true,
    }
}
