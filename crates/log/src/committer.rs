//! Committer lanes: commands that wait are committed together.
//!
//! Each lane owns a group of shards and drains what waits for them into one transaction, so that the price of a commit is
//! shared. Commands on one aggregate run in the order in which they came. If the batch fails, its commands run singly, so
//! that one bad command fails alone.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use kernel::error::Code;
use kernel::{Error, Result, Time};
use store::Whose;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::append::{Added, Appended};
use crate::guard;
use crate::log::Log;
use crate::unit::{Origin, Unit, shard_of};

/// Most commands in one transaction.
const MAX_BATCH: usize = 256;
/// Commands that may wait in one lane; beyond that callers wait for room.
const LANE_QUEUE: usize = 4096;
/// How often a command is tried again that somebody else's lock made fail.
const CONFLICT_TRIES: u32 = 5;

/// Where a command's events went: for position tokens.
#[derive(Clone, Debug, Default)]
pub struct Receipt {
    /// (shard, last position) of what was committed together with the command; empty if it changed nothing.
    pub positions: Vec<(u32, i64)>,
}

/// Runs commands against a log. Cheap to clone.
#[derive(Clone)]
pub struct Committer {
    log: Log,
    lanes: Arc<Vec<mpsc::Sender<Box<dyn Job>>>>,
}

/// What a command returns; it borrows the unit it works in.
pub type Work<'u, T> = BoxFuture<'u, Result<T>>;

trait Job: Send {
    fn origin(&self) -> &Origin;
    fn apply<'u>(&'u mut self, unit: &'u mut Unit<'_>) -> BoxFuture<'u, Result<()>>;
    /// Gives the caller its answer: what `apply` kept, or the batch's error.
    fn answer(&mut self, committed: Result<Receipt>);
}

struct Command<T, F> {
    origin: Origin,
    work: F,
    kept: Option<Result<T>>,
    reply: Option<oneshot::Sender<Result<(T, Receipt)>>>,
}

impl<T, F> Job for Command<T, F>
where
    T: Send,
    F: for<'u, 't> Fn(&'u mut Unit<'t>) -> Work<'u, T> + Send + Sync,
{
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn apply<'u>(&'u mut self, unit: &'u mut Unit<'_>) -> BoxFuture<'u, Result<()>> {
        Box::pin(async move {
            let done = (self.work)(unit).await;
            let outcome = done.as_ref().map(|_| ()).map_err(Clone::clone);
            self.kept = Some(done);
            outcome
        })
    }

    fn answer(&mut self, committed: Result<Receipt>) {
        let Some(reply) = self.reply.take() else { return };
        let answer = committed.and_then(|receipt| match self.kept.take() {
            Some(done) => done.map(|value| (value, receipt)),
            None => Err(Error::internal("a command was committed without having run")),
        });
        // The caller may have gone away; what was committed stays.
        let _ = reply.send(answer);
    }
}

impl Committer {
    /// Starts the lanes. SQLite has one writer, so one lane; PostgreSQL a few.
    pub fn start(log: Log) -> Self {
        let lanes = match log.db().engine() {
            store::Engine::Sqlite => 1,
            store::Engine::Postgres => 4,
        };
        let lanes = (0..lanes)
            .map(|_| {
                let (sender, receiver) = mpsc::channel(LANE_QUEUE);
                tokio::spawn(lane(log.clone(), receiver));
                sender
            })
            .collect();
        Self { log, lanes: Arc::new(lanes) }
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Runs `work` for the aggregate `key` and commits it, perhaps together with others. `work` may run more than once, but
    /// only its last run is committed.
    ///
    /// Once queued, a command runs to its end even if the caller gives up.
    pub async fn run<T, F>(&self, key: &str, origin: Origin, work: F) -> Result<(T, Receipt)>
    where
        T: Send + 'static,
        F: for<'u, 't> Fn(&'u mut Unit<'t>) -> Work<'u, T> + Send + Sync + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let lane = shard_of(key, self.log.shards()) as usize % self.lanes.len().max(1);
        let sender = self.lanes.get(lane).ok_or_else(|| Error::internal("there is no committer lane"))?;
        let job = Box::new(Command { origin, work, kept: None, reply: Some(reply) });
        sender.send(job).await.map_err(|_| Error::unavailable("the service is stopping"))?;
        answer.await.map_err(|_| Error::unavailable("the service is stopping"))?
    }
}

async fn lane(log: Log, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    log.guard().decided().await;
    let mut waiting = Vec::with_capacity(MAX_BATCH);
    while queue.recv_many(&mut waiting, MAX_BATCH).await > 0 {
        commit(&log, std::mem::take(&mut waiting)).await;
    }
}

async fn commit(log: &Log, jobs: Vec<Box<dyn Job>>) {
    let many = jobs.len() > 1;
    let (mut jobs, done) = attempt(log, jobs).await;
    match done {
        Ok(receipt) => jobs.iter_mut().for_each(|job| job.answer(Ok(receipt.clone()))),
        // Nobody is there to commit to: trying each alone would only take longer to say so.
        Err(error) if error.code == Code::Unavailable && error.reason != guard::WENT_BACK && error.reason != guard::UNPROVEN => {
            jobs.iter_mut().for_each(|job| job.answer(Err(error.clone())))
        }
        Err(_) if many => {
            for job in jobs {
                alone(log, job).await;
            }
        }
        Err(error) => match jobs.pop() {
            Some(job) if is_conflict(&error) => alone(log, job).await,
            Some(mut job) => job.answer(Err(error)),
            None => {}
        },
    }
}

/// Runs one command in a transaction of its own, again while others' locks are in the way.
async fn alone(log: &Log, job: Box<dyn Job>) {
    let mut jobs = vec![job];
    let mut tries = 0;
    loop {
        let (back, done) = attempt(log, jobs).await;
        jobs = back;
        match done {
            Err(error) if is_conflict(&error) && tries < CONFLICT_TRIES => {
                tries += 1;
                tokio::time::sleep(jitter(Duration::from_millis(5 << tries))).await;
            }
            done => {
                jobs.iter_mut().for_each(|job| job.answer(done.clone()));
                return;
            }
        }
    }
}

/// A lock or serialisation conflict of the database, or a key that a concurrent twin has just inserted: the next run sees it.
fn is_conflict(error: &Error) -> bool {
    error.reason == "CONFLICT" || store::is_unique(error, "")
}

/// Runs the commands in one transaction. A command that fails without having written is left out; one that fails after
/// a write makes the whole attempt fail.
async fn attempt(log: &Log, jobs: Vec<Box<dyn Job>>) -> (Vec<Box<dyn Job>>, Result<Receipt>) {
    kernel::failpoint::pass("unit.before_begin");
    // One transaction, one scope: that of all its commands together.
    let whose = Whose::many(jobs.iter().flat_map(|job| job.origin().organisations.iter().cloned()));
    let shared = Arc::new(Mutex::new(jobs));
    let now = log.clock().now();
    let done = log
        .db()
        .of(whose)
        .transaction({
            let (shared, log) = (shared.clone(), log.clone());
            move |tx| {
                Box::pin(async move {
                    let mut jobs = shared.lock().await;
                    let mut unit = Unit::new(tx, log, now, Origin::system("batch"));
                    for job in jobs.iter_mut() {
                        unit.origin.clone_from(job.origin());
                        let mark = unit.mark();
                        if let Err(error) = job.apply(&mut unit).await
                            && !unit.back_to(&mark)
                        {
                            return Err(error);
                        }
                    }
                    finish(&mut unit).await
                })
            }
        })
        .await;
    // The transaction's task is over, so nobody else holds the jobs.
    let jobs = std::mem::take(&mut *shared.lock().await);
    (jobs, done.map(|finished| finished.publish(log)))
}

/// What is left to do once a unit's transaction is committed.
pub(crate) struct Finished {
    appended: Appended,
    after: Vec<Box<dyn FnOnce() + Send>>,
    timers_changed: bool,
}

/// Ends a unit's writing: heads, events, audit rows.
pub(crate) async fn finish(unit: &mut Unit<'_>) -> Result<Finished> {
    let appended = unit.append().await?;
    Ok(Finished { appended, after: std::mem::take(&mut unit.after), timers_changed: unit.timers_changed })
}

impl Finished {
    /// Tells everybody who waits for what was committed.
    pub(crate) fn publish(self, log: &Log) -> Receipt {
        let inner = log.inner();
        let mut receipt = Receipt::default();
        if self.timers_changed {
            inner.timer_changes.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            inner.timers_changed.notify_one();
        }
        for (shard, Added { previous, events }) in self.appended {
            if let Some(last) = events.last() {
                receipt.positions.push((shard, last.position));
                log.progress().committed(shard, last.position);
                // Without a relay in this process nobody listens, which is fine.
                let _ = inner.committed.send(crate::relay_driver::Committed { shard, previous, events });
            }
        }
        for action in self.after {
            action();
        }
        receipt
    }
}

/// Between a half and the whole of `span`, so that those who wait do not all come back at once.
pub(crate) fn jitter(span: Duration) -> Duration {
    let mut bytes = [0_u8; 4];
    // Without randomness the wait is merely less spread.
    let _ = getrandom::fill(&mut bytes);
    let part = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
    span.mul_f64(0.5 + part / 2.0)
}

impl Committer {
    /// Business time, for callers that have no unit at hand.
    pub fn now(&self) -> Time {
        self.log.clock().now()
    }
}
