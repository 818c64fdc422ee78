//! What is due. A timer whose command is refused was overtaken by something else, and nothing is left to do.

use futures::future::BoxFuture;
use kernel::{Id, Result};
use log::Unit;
use log::timers::Fire;

use super::Desks;
use super::desk::{Desk, Note};
use super::perform::{AGAIN, OFFER, OPENS, TRIAGE};
use super::presence::{EXPIRY, VANISHED};
use crate::domain::case::{Command, State, decide};
use crate::store::{offers, presence};

pub struct Due(pub Desks);

impl Fire for Due {
    fn fire<'a>(&'a self, unit: &'a mut Unit<'_>, kind: &'a str, key: Id) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut desk = self.0.open(unit);
            match kind {
                TRIAGE => desk.triage_late(key).await?,
                OFFER => desk.offer_timed_out(key).await?,
                OPENS | AGAIN => desk.may_be_offered(key).await?,
                EXPIRY | VANISHED => {
                    if let Some(worker) = presence::worker_of(desk.unit.tx, key).await? {
                        if kind == EXPIRY { desk.presence_expired(&worker).await? } else { desk.vanished(&worker).await? }
                    }
                }
                _ => tracing::warn!(kind, "a timer of an unknown kind was dropped"),
            }
            desk.settle().await
        })
    }
}

impl Desk<'_, '_> {
    async fn offer_timed_out(&mut self, offer: Id) -> Result<()> {
        let Some(case) = offers::case_of(self.unit.tx, offer).await? else { return Ok(()) };
        let Some(mut row) = self.case(case).await? else { return Ok(()) };
        match decide(&row.case, &Command::OfferTimedOut { offer }, self.unit.now) {
            Ok(decision) => self.perform(&mut row, decision, Note::default()).await,
            Err(_) => Ok(()),
        }
    }

    async fn may_be_offered(&mut self, case: Id) -> Result<()> {
        if let Some(row) = self.case(case).await?
            && row.case.state == State::Waiting
        {
            self.stir(&row.case.needs.queue);
        }
        Ok(())
    }
}
