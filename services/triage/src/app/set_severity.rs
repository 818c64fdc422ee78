//! A worker sets a case's severity.

use kernel::{Error, Id, Result, Severity};
use log::Unit;
use log::unit::Once;
use proto::triage::SetSeverityResponse;
use rpc::Caller;
use runtime::case_facts;

use super::wire;
use crate::domain::lower::{By, Change, change};
use crate::store;

#[derive(Clone)]
pub struct Command {
    pub once: Once,
    pub case: Id,
    pub severity: Severity,
    pub reason: String,
}

pub async fn run(unit: &mut Unit<'_>, caller: &Caller, command: &Command) -> Result<SetSeverityResponse> {
    if let Some(answer) = unit.earlier_answer(&command.once).await? {
        return Ok(answer);
    }
    let facts = case_facts::lock(unit, command.case).await?;
    caller.check("case", &facts.resource())?;
    let before = store::lock(unit, command.case).await?.ok_or_else(|| Error::not_found("case"))?;
    if facts.closed {
        return Err(Error::precondition("CASE_CLOSED", "the case is closed; reopen it to change how grave it is"));
    }
    let change = change(before.severity, command.severity, By::Worker(&caller.principal.id), &command.reason)?;
    let mut after = before.clone();
    match &change {
        // A person has looked at it and agrees: that is all it waited for.
        Change::Kept => after.untriaged = false,
        Change::Raised { to, .. } | Change::Lowered { to, .. } => {
            after.severity = *to;
            after.untriaged = false;
            after.set_by = caller.principal.id.clone();
            after.set_reason = command.reason.trim().to_owned();
            after.triaged_at = unit.now;
        }
    }
    let scope = facts.scope();
    let answer = SetSeverityResponse { triage: Some(wire::message(&after)) };
    if after != before {
        store::put(unit, &after).await?;
    }
    if change != Change::Kept {
        let lowered = matches!(change, Change::Lowered { .. });
        unit.emit(command.case, &scope, &wire::event(&after, lowered))?;
    }
    unit.audit(command.case, &scope);
    unit.remember_answer(&command.once, &command.case.to_string(), &answer).await?;
    Ok(answer)
}
