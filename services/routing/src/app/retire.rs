//! Workers whom the region's description does not have any more.
//!
//! Nobody can open what they had, so it goes on to others at once: presence ends, offers are taken back, and all cases wait again at
//! their age, those too that would stay with their owner over nights and days. The look is at what is, not at what changed, so that
//! a crash between the apply and the look loses nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use kernel::Result;
use log::Origin;
use region::Region;

use super::App;
use super::desk::{Desk, Note};
use super::presence::{EXPIRY, VANISHED};
use crate::domain::case::Command;
use crate::store::presence::{self, timer_key};
use crate::store::{cases, offers};

/// After a look that failed.
const RETRY: Duration = Duration::from_secs(1);

/// Looks at the start and whenever the region changes, until the process ends.
pub async fn run(app: App) {
    let mut changes = app.node.region.changes();
    let shutdown = app.node.platform.shutdown.clone();
    loop {
        changes.mark_unchanged();
        let done = app.retire().await;
        let again = async {
            match &done {
                Ok(()) => changes.changed().await.is_ok(),
                Err(error) => {
                    tracing::warn!(%error, "workers whom the region does not have any more were not looked for; it is tried again");
                    tokio::time::sleep(RETRY).await;
                    true
                }
            }
        };
        let goes_on = tokio::select! {
            goes_on = again => goes_on,
            () = shutdown.cancelled() => false,
        };
        if !goes_on {
            return;
        }
    }
}

/// Whether the organisation is described and this worker of it is not. Of an organisation that is gone altogether nobody could take
/// anything over.
fn is_gone(region: &Region, organisation: &str, worker: &str) -> bool {
    region.organisation(organisation).is_some_and(|one| one.worker(worker).is_none())
}

impl App {
    /// Ends everything that workers have whom the region does not have any more.
    pub async fn retire(&self) -> Result<()> {
        let busy = presence::busy(&self.node.db().of(self.node.everybody())).await?;
        let region = self.region();
        for (organisation, worker) in busy.into_iter().filter(|(organisation, worker)| is_gone(&region, organisation, worker)) {
            let (desks, whose) = (self.desks.clone(), organisation.clone());
            self.commit(&organisation, Origin::system("worker_removed").of(&organisation), move |unit| {
                let (desks, organisation, worker) = (desks.clone(), whose.clone(), worker.clone());
                Box::pin(async move {
                    let mut desk = desks.open(unit);
                    // Described again meanwhile.
                    if is_gone(&desk.region, &organisation, &worker) {
                        desk.retire(&worker).await?;
                    }
                    desk.settle().await
                })
            })
            .await?;
        }
        Ok(())
    }
}

impl Desk<'_, '_> {
    async fn retire(&mut self, worker: &str) -> Result<()> {
        let held = cases::held_by(self.unit.tx, worker).await?;
        let mut queues: BTreeSet<String> = held.iter().map(|row| row.case.needs.queue.clone()).collect();
        for (_, case) in offers::open_to(self.unit.tx, worker).await? {
            queues.extend(cases::peek(self.unit.tx, case).await?.map(|[queue, ..]| queue));
        }
        self.lock_queues(&queues).await?;
        if let Some(mut one) = presence::lock(self.unit.tx, &[worker]).await?.remove(worker) {
            one.present = false;
            one.vanished = false;
            presence::save(self.unit.tx, &one).await?;
        }
        for kind in [EXPIRY, VANISHED] {
            self.unit.cancel_timer(kind, timer_key(worker)).await?;
        }
        self.rescind_offers(worker).await?;
        for seen in cases::held_by(self.unit.tx, worker).await? {
            let Some(mut row) = self.case(seen.id).await? else { continue };
            if row.case.holder() == Some(worker) {
                let note = Note { why: "the region's description does not have the worker any more".to_owned(), ..Note::default() };
                self.act(&mut row, &Command::Release { worker: worker.to_owned() }, note).await?;
            }
        }
        Ok(())
    }
}
