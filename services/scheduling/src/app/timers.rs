//! Holds that run out.

use futures::future::BoxFuture;
use kernel::{Id, Result};
use log::Unit;
use log::timers::Fire;

use super::change;
use crate::domain::booking::{Command, decide};
use crate::store::bookings;

/// Ends a hold when its time is over.
pub struct Holds;

impl Fire for Holds {
    fn fire<'a>(&'a self, unit: &'a mut Unit<'_>, kind: &'a str, key: Id) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if kind != change::HOLD {
                return Ok(());
            }
            let Some(seen) = bookings::peek(unit.tx, key).await? else { return Ok(()) };
            let Some(mut record) = change::lock(unit, key, &seen.booking.slot.resource).await? else { return Ok(()) };
            match decide(&record.booking, &[], &Command::Expire, unit.now) {
                Ok(decision) => {
                    let scope = record.scope.clone();
                    change::write(unit, &mut record, decision, &scope).await
                }
                // Confirmed meanwhile; or a clock that was put back, and then it is asked again when it is due.
                Err(_) => match record.booking.timer() {
                    Some(due) => unit.set_timer(change::HOLD, key, due).await,
                    None => Ok(()),
                },
            }
        })
    }
}
