//! Workers come and go.
//!
//! Presence is a promise to answer, so it is kept in the ledger like everything that offers depend on, and it has to be
//! renewed: `SetPresence(present: true)` holds for 10 minutes, or for the time that the caller names. A worker whose presence runs out has vanished: their offers
//! go on to others at once, their live cases after 2 more minutes; their asynchronous cases stay. A worker who says that
//! they leave keeps all cases, and only the offers go on. A worker whom the region's description does not have any more keeps nothing
//! (see [`super::retire`]).

use std::time::Duration;

use kernel::{Error, Result};

use super::desk::{Desk, Note};
use super::{GRACE, roster};
use crate::domain::case::Command;
use crate::store::presence::{self, Presence, timer_key};
use crate::store::{cases, offers};

pub const EXPIRY: &str = "presence";
pub const VANISHED: &str = "vanished";

impl Desk<'_, '_> {
    /// A worker says whether they take cases, real ones or practice, for how many points (0: the worker's own), and for how long.
    pub async fn set_presence(
        &mut self,
        worker: &str,
        (present, practising): (bool, bool),
        capacity: u32,
        hold: Duration,
    ) -> Result<Presence> {
        let region = self.region.clone();
        let (organisation, described) = region.worker(worker).ok_or_else(|| {
            Error::precondition("WORKER_UNKNOWN", "the region's description has no such worker; ask for being added to it")
        })?;
        self.lock_queues(&roster::queues_of(&region, worker)).await?;
        let before = presence::lock(self.unit.tx, &[worker]).await?.remove(worker);
        let now = self.unit.now;
        let came = present && !before.as_ref().is_some_and(|one| one.present);
        // What they were asked on the other side goes on to others.
        let turned = before.as_ref().is_some_and(|one| one.present && one.practising != practising);
        let unoccupied_since = before.filter(|_| !came).map_or(now, |one| one.unoccupied_since);
        let one = Presence {
            worker: worker.to_owned(),
            organisation: organisation.id.clone(),
            present,
            practising,
            vanished: false,
            capacity: if capacity == 0 { described.capacity } else { capacity },
            since: now,
            unoccupied_since,
            expires_at: now + hold,
        };
        presence::save(self.unit.tx, &one).await?;
        let key = timer_key(worker);
        self.unit.cancel_timer(VANISHED, key).await?;
        if present && turned {
            self.rescind_offers(worker).await?;
        }
        if present {
            self.unit.set_timer(EXPIRY, key, one.expires_at).await?;
            self.stir_worker(worker);
        } else {
            self.unit.cancel_timer(EXPIRY, key).await?;
            self.rescind_offers(worker).await?;
        }
        Ok(one)
    }

    /// The timer of a presence that was not renewed.
    pub async fn presence_expired(&mut self, worker: &str) -> Result<()> {
        self.lock_queues(&roster::queues_of(&self.region, worker)).await?;
        let Some(mut one) = presence::lock(self.unit.tx, &[worker]).await?.remove(worker) else { return Ok(()) };
        if !one.present || one.expires_at > self.unit.now {
            return Ok(());
        }
        one.present = false;
        one.vanished = true;
        presence::save(self.unit.tx, &one).await?;
        self.unit.set_timer(VANISHED, timer_key(worker), self.unit.now + GRACE).await?;
        self.rescind_offers(worker).await
    }

    /// The worker has not come back in the grace: visitors who wait at a screen go on to others.
    pub async fn vanished(&mut self, worker: &str) -> Result<()> {
        self.lock_queues(&roster::queues_of(&self.region, worker)).await?;
        let still = presence::lock(self.unit.tx, &[worker]).await?.remove(worker).is_some_and(|one| one.vanished);
        if !still {
            return Ok(());
        }
        for id in cases::live_of(self.unit.tx, worker).await? {
            let Some(mut row) = self.case(id).await? else { continue };
            let why = format!("the worker's presence ran out and they did not come back within {} s", GRACE.as_secs());
            let note = Note { why, ..Note::default() };
            if row.case.holder() == Some(worker) && !row.asynchronous {
                self.act(&mut row, &Command::Release { worker: worker.to_owned() }, note).await?;
            }
        }
        Ok(())
    }

    /// Takes back what the worker is asked, since they are not there to answer.
    pub(super) async fn rescind_offers(&mut self, worker: &str) -> Result<()> {
        for (offer, case) in offers::open_to(self.unit.tx, worker).await? {
            let Some(mut row) = self.case(case).await? else { continue };
            if row.case.offer().is_some_and(|open| open.offer == offer) {
                let note = Note { rescind: true, ..Note::default() };
                self.act(&mut row, &Command::Decline { offer }, note).await?;
            }
        }
        Ok(())
    }
}
