//! Retention: a timer erases a closed case's text and identity when the entry point's setting says so.

use std::time::Duration;

use futures::future::BoxFuture;
use kernel::{Id, Result, Time};
use log::Unit;
use log::timers::Fire;
use proto::intake::CaseErased;

use crate::app::{App, attachments, transfer};
use crate::store::{attachments as files, cases, messages, referrals, tokens, transfers};

/// Kind of the timer, keyed by the case.
const ERASE: &str = "erase";
/// For an entry point that is no longer described.
const DEFAULT_DAYS: u32 = 30;

/// Sets the erasure of a case that was just closed.
pub async fn closed(unit: &mut Unit<'_>, app: &App, case: &mut cases::Stored) -> Result<()> {
    let region = app.node.region.get();
    let days = region.entry_point(&case.entry_point).map_or(DEFAULT_DAYS, |(_, entry_point)| entry_point.retention_days);
    let due = unit.now + Duration::from_secs(u64::from(days) * 86_400);
    case.erase_at = Some(due);
    unit.set_timer(ERASE, case.id, due).await
}

/// Until when a visitor may open a closed case again.
pub fn reopen_until(app: &App, case: &cases::Stored) -> Option<Time> {
    let region = app.node.region.get();
    let days = region.entry_point(&case.entry_point).map_or(0, |(_, entry_point)| entry_point.reopen_days);
    case.life.closed_at.map(|closed| closed + Duration::from_secs(u64::from(days) * 86_400))
}

/// A case that is open again is not erased.
pub async fn reopened(unit: &mut Unit<'_>, case: &mut cases::Stored) -> Result<()> {
    case.erase_at = None;
    unit.cancel_timer(ERASE, case.id).await
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
            let Some(case) = cases::lock(unit, key).await?.filter(|case| !case.erased && case.life.closed_at.is_some()) else {
                return Ok(());
            };
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
