//! Retention: a timer erases a closed case's text and identity when the entry point's setting says so. A case that nobody closes lapses after
//! as long a silence, unless somebody still waits for an answer, or danger was in it: what was not read must not vanish.

use std::time::Duration;

use futures::future::BoxFuture;
use kernel::{Id, Result, Time};
use log::Unit;
use log::timers::Fire;
use proto::intake::CaseErased;

use crate::app::{App, attachments, change, transfer};
use crate::domain::case::{Command, decide};
use crate::domain::terms;
use crate::store::{attachments as files, cases, messages, referrals, tokens, transfers};

/// Kind of the timer, keyed by the case.
const ERASE: &str = "erase";
/// How often a case is looked at whose visitor still waits.
const AGAIN: Duration = Duration::from_secs(86_400);
/// For an entry point that is no longer described.
const DEFAULT_DAYS: u32 = 30;

/// How long the texts of a case are kept.
fn kept(app: &App, case: &cases::Stored) -> Duration {
    let region = app.node.region.get();
    let days = region.entry_point(&case.entry_point).map_or(DEFAULT_DAYS, |(_, entry_point)| entry_point.retention_days);
    Duration::from_secs(u64::from(days) * 86_400)
}

/// Looks at a case again that was just opened, lest it lie for ever.
pub async fn opened(unit: &mut Unit<'_>, app: &App, case: &cases::Stored) -> Result<()> {
    unit.set_timer(ERASE, case.id, unit.now + kept(app, case)).await
}

/// Sets the erasure of a case that was just closed.
pub async fn closed(unit: &mut Unit<'_>, app: &App, case: &mut cases::Stored) -> Result<()> {
    let due = unit.now + kept(app, case);
    case.erase_at = Some(due);
    unit.set_timer(ERASE, case.id, due).await
}

/// Closes a case of which nobody has said anything for as long as its texts are kept, to be erased now; or looks again later.
async fn lapse(unit: &mut Unit<'_>, app: &App, mut case: cases::Stored) -> Result<()> {
    let last = messages::last_word(unit, case.id).await?;
    let silent_since = last.map_or(case.opened_at, |(at, _)| at);
    let due = silent_since + kept(app, &case);
    let answered = case.red_flags.is_empty() && last.is_some_and(|(_, sender)| sender != terms::Sender::Visitor);
    let next = decide(&case.life, &Command::Lapse, unit.now)?;
    if unit.now < due || !answered || next == case.life {
        return unit.set_timer(ERASE, case.id, due.max(unit.now + AGAIN)).await;
    }
    case.life = next;
    change::closed(unit, app, &mut case, "", "nobody").await?;
    case.erase_at = Some(unit.now);
    unit.set_timer(ERASE, case.id, unit.now).await?;
    unit.audit(case.id, &case.scope());
    cases::update(unit, &case).await
}

/// Until when a visitor may open a closed case again.
pub fn reopen_until(app: &App, case: &cases::Stored) -> Option<Time> {
    let region = app.node.region.get();
    let days = region.entry_point(&case.entry_point).map_or(0, |(_, entry_point)| entry_point.reopen_days);
    case.life.closed_at.map(|closed| closed + Duration::from_secs(u64::from(days) * 86_400))
}

/// A case that is open again is not erased.
pub async fn reopened(unit: &mut Unit<'_>, app: &App, case: &mut cases::Stored) -> Result<()> {
    case.erase_at = None;
    opened(unit, app, case).await
}

/// Intake's timers.
pub struct Retention {
    pub app: App,
}

impl Fire for Retention {
    fn fire<'a>(&'a self, unit: &'a mut Unit<'_>, kind: &'a str, key: Id) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if kind == attachments::SWEEP {
                return attachments::unused(unit, &self.app.files, key).await;
            }
            if kind == transfer::EXPIRY {
                return transfer::expired(unit, &self.app, key).await;
            }
            if kind != ERASE {
                return Ok(());
            }
            let Some(case) = cases::lock(unit, key).await?.filter(|case| !case.erased) else { return Ok(()) };
            if case.life.closed_at.is_none() {
                return lapse(unit, &self.app, case).await;
            }
            messages::erase(unit, case.id).await?;
            files::doom_case(unit, case.id).await?;
            self.app.files.wake_after(unit);
            referrals::forget_case(unit, case.id).await?;
            transfers::forget_case(unit, case.id).await?;
            if cases::erase(unit, &case).await? {
                tokens::forget_visitor(unit, &case.organisation, case.visitor).await?;
            }
            unit.erase_key(case.id).await?;
            let scope = case.scope();
            unit.emit(case.id, &scope, &CaseErased {})?;
            unit.audit(case.id, &scope);
            Ok(())
        })
    }
}
