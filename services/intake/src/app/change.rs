//! Changing a case: lock, check, decide, write, say.

use kernel::{Error, Id, Result, Time};
use log::unit::Once;
use log::{Receipt, Unit};
use proto::intake::{Case, CaseClosed, CaseModeChanged, CaseReopened, SystemCode};
use rpc::Caller;

use crate::app::lines::{self, Line};
use crate::app::{App, live, retention, transfer};
use crate::domain::case::{By, Command, decide};
use crate::domain::terms::{Outcome, State};
use crate::store::cases::{self, Stored};

/// What a visitor may touch: only a case of their own.
pub fn check(caller: &Caller, rpc: &str, case: &Stored) -> Result<()> {
    let owner = case.visitor.to_string();
    caller.check_as(rpc, "case", &case.resource(&owner))
}

/// The case, locked, if this caller may do this to it.
pub async fn lock(unit: &mut Unit<'_>, caller: &Caller, rpc: &str, id: Id) -> Result<Stored> {
    let case = cases::lock(unit, id).await?.ok_or_else(|| Error::not_found("case"))?;
    check(caller, rpc, &case)?;
    if case.erased {
        // What is written now would never be erased again.
        return Err(Error::precondition("CASE_ERASED", "the case's retention is over and its text is erased; open a new case"));
    }
    Ok(case)
}

impl App {
    /// Runs a caller's command on a case and answers with the case.
    pub async fn change(&self, caller: Caller, once: Once, id: Id, command: Command) -> Result<(Case, Receipt)> {
        let app = self.clone();
        let origin = caller.origin();
        self.node
            .commit(id, origin, move |unit| {
                let (app, caller, once, command) = (app.clone(), caller.clone(), once.clone(), command.clone());
                Box::pin(async move {
                    if let Some(earlier) = unit.earlier_answer::<Case>(&once).await? {
                        return Ok(earlier);
                    }
                    let mut case = lock(unit, &caller, caller.rpc, id).await?;
                    let visitor = caller.role() == auth::Role::Visitor;
                    let command = match command {
                        Command::Close { outcome, .. } if visitor => Command::Close { by: By::Visitor, outcome },
                        Command::Reopen { .. } if visitor => Command::Reopen { until: retention::reopen_until(&app, &case) },
                        other => other,
                    };
                    let by = if visitor { "visitor" } else { "staff" }.to_owned();
                    case.life = decide(&case.life, &command, unit.now)?;
                    let scope = case.scope();
                    match &command {
                        Command::Close { .. } => {
                            let worker = if caller.role().is_staff() { caller.principal.id.as_str() } else { "" };
                            closed(unit, &app, &mut case, worker, &by).await?;
                        }
                        Command::Reopen { .. } => {
                            retention::reopened(unit, &app, &mut case).await?;
                            // What follows is not in the journal yet.
                            case.documented_at = None;
                            case.documented_by.clear();
                            unit.emit(id, &scope, &CaseReopened { mode: case.life.mode.to_wire() })?;
                            lines::say(unit, &app.node, &mut case, Line::new(SystemCode::Reopened, [("by", by)])).await?;
                        }
                        Command::SetMode { .. } => unit.emit(id, &scope, &mode_changed(&case))?,
                        _ => {}
                    }
                    unit.audit(id, &scope);
                    cases::update(unit, &case).await?;
                    let answer = case.to_proto();
                    live::case(unit, &app.node, answer.clone());
                    unit.remember_answer(&once, &id.to_string(), &answer).await?;
                    Ok(answer)
                })
            })
            .await
    }

    /// Takes over what triage or routing said at `at`, inside the transaction that moves the cursor.
    pub async fn projected(&self, unit: &mut Unit<'_>, id: Id, clinic: Option<&str>, command: &Command, at: Time) -> Result<()> {
        // Their event may come after an erasure, or from a restored past: then there is nothing to change.
        let Some(mut case) = cases::lock(unit, id).await? else { return Ok(()) };
        let next = decide(&case.life, command, at)?;
        let line = lines::of_change(&self.node.region.get(), &case.life.worker, &next.worker);
        let moved = clinic.is_some_and(|clinic| !clinic.is_empty() && clinic != case.clinic);
        if next == case.life && !moved {
            return Ok(());
        }
        case.life = next;
        if let Some(clinic) = clinic.filter(|_| moved) {
            clinic.clone_into(&mut case.clinic);
        }
        if let Some(line) = line {
            lines::say(unit, &self.node, &mut case, line).await?;
        }
        cases::update(unit, &case).await?;
        live::case(unit, &self.node, case.to_proto());
        Ok(())
    }
}

/// A case that was decided to be closed: its retention begins, what was proposed to its visitor ends, and everybody hears of it. The
/// caller writes the case back.
pub async fn closed(unit: &mut Unit<'_>, app: &App, case: &mut Stored, worker: &str, by: &str) -> Result<()> {
    transfer::taken_back(unit, app, case).await?;
    retention::closed(unit, app, case).await?;
    let closed = CaseClosed {
        outcome: case.life.outcome.map_or(0, Outcome::to_wire),
        worker_id: worker.to_owned(),
        erase_at: case.erase_at.map(proto::timestamp),
    };
    unit.emit(case.id, &case.scope(), &closed)?;
    lines::say(unit, &app.node, case, Line::new(SystemCode::Closed, [("by", by.to_owned())])).await?;
    Ok(())
}

/// What a case's mode and turn are now.
pub fn mode_changed(case: &Stored) -> CaseModeChanged {
    let due_at = if case.life.state == State::WaitingForUs { case.life.due_at } else { None };
    CaseModeChanged { mode: case.life.mode.to_wire(), state: case.life.state.to_wire(), due_at: due_at.map(proto::timestamp) }
}
