//! What happens at a time: a row per timer, deleted in the transaction in which it takes effect. So a timer takes effect
//! once, however many replicas try, and never early.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use kernel::{Error, Id, Result, Time};
use store::args;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::committer::Committer;
use crate::unit::{Origin, Unit};

/// Most timers that are started at a time.
const BATCH: i64 = 64;
/// How often the table is looked at without anybody saying so: other replicas set timers too.
const POLL: Duration = Duration::from_secs(1);
/// After a failure, so that a broken timer does not spin.
const PAUSE: Duration = Duration::from_secs(1);

/// Does what is due.
pub trait Fire: Send + Sync + 'static {
    /// The timer `kind` of `key` is due. A failure that no retry can mend must be settled by the handler itself, or the
    /// timer is tried for ever.
    fn fire<'a>(&'a self, unit: &'a mut Unit<'_>, kind: &'a str, key: Id) -> BoxFuture<'a, Result<()>>;
}

/// Where a service's timers stand, for a simulated clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// When the next timer is due; `Time::MAX` if there is none.
    pub next: Time,
    /// How many commits with changed timers this takes into account; see [`crate::Log::timer_changes`].
    pub changes: u64,
}

/// Runs a service's timers.
pub struct Timers {
    committer: Committer,
    fire: Arc<dyn Fire>,
    standing: watch::Sender<Standing>,
}

impl Timers {
    pub fn new(committer: Committer, fire: Arc<dyn Fire>) -> Self {
        let standing = watch::Sender::new(Standing { next: Time::ZERO, changes: 0 });
        Self { committer, fire, standing }
    }

    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Fires what is due until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let clock = self.committer.log().clock().clone();
        loop {
            let wait = match self.settle().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(service = self.committer.log().service(), %error, "timers wait");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            tokio::select! {
                () = self.committer.log().inner().timers_changed.notified() => {}
                () = clock.sleep_until(wait) => {}
                () = tokio::time::sleep(POLL) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Fires everything that is due now; answers when the next is.
    async fn settle(&self) -> Result<Time> {
        loop {
            let now = self.committer.now();
            // Read before the table, so that a change in between is not passed over.
            let changes = self.committer.log().timer_changes();
            let rows = self
                .committer
                .log()
                .machinery()
                .rows("SELECT kind, key, due_at, organisation FROM timer WHERE due_at <= $1 ORDER BY due_at LIMIT $2", args![now, BATCH])
                .await?;
            if rows.is_empty() {
                let row = self.committer.log().machinery().row("SELECT MIN(due_at) FROM timer", args![]).await?;
                let next = row.map(|row| row.opt_time(0)).transpose()?.flatten().unwrap_or(Time::MAX);
                if next > now {
                    self.standing.send_replace(Standing { next, changes });
                    return Ok(next);
                }
                continue;
            }
            let due = rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?, row.time(2)?, row.text(3)?))).collect::<Result<Vec<_>>>()?;
            let fired = futures::future::join_all(due.into_iter().map(|(kind, key, due, of)| self.fire_one(kind, key, due, of))).await;
            for done in fired {
                done?;
            }
        }
    }

    /// Every organisation that the service knows.
    async fn organisations(&self) -> Result<Vec<String>> {
        let rows = self.committer.log().machinery().rows("SELECT organisation FROM region_part", args![]).await?;
        rows.iter().map(|row| row.text(0)).collect()
    }

    async fn fire_one(&self, kind: String, key: String, due: Time, organisation: String) -> Result<()> {
        let id: Id = key.parse().map_err(|_| Error::internal(format!("the timer {kind} has the key {key}, which is no id")))?;
        let fire = self.fire.clone();
        let lane = key.clone();
        let mut origin = Origin::system(format!("timer {kind}")).of(&organisation);
        if organisation.is_empty() {
            // Set before timers knew whose they are: it may be anybody's.
            origin.organisations.extend(self.organisations().await?);
        }
        self.committer
            .run(&lane, origin, move |unit| {
                let (fire, kind, key) = (fire.clone(), kind.clone(), key.clone());
                Box::pin(async move {
                    // Whoever deletes the row fires: a stale owner, or a twin, finds it gone or set anew.
                    let gone =
                        unit.tx.exec("DELETE FROM timer WHERE kind = $1 AND key = $2 AND due_at = $3", args![&kind, &key, due]).await?;
                    if gone == 1 {
                        fire.fire(unit, &kind, id).await?;
                        kernel::failpoint::pass("timer.before_commit");
                    }
                    Ok(())
                })
            })
            .await?;
        kernel::failpoint::pass("timer.after_commit");
        Ok(())
    }
}
