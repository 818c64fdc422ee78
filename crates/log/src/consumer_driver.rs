//! Does what the consumers of one source ask for: lets events take effect, together with the cursor, in one transaction;
//! asks the source's log for what is missing; waits when something is away; sets poison aside.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bus::Bus;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use kernel::{Error, Result};
use prost::Message;
use proto::log::{Batch, Envelope, Head};
use store::{Commit, args};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::committer::{finish, jitter};
use crate::consumer::{Action, Checks, Consumer, Cursor, Input};
use crate::dead_letter;
use crate::effects::{Context, SPEAKS, Task};
use crate::lease::{FENCED, Leases};
use crate::log::Log;
use crate::unit::{Origin, Unit};

/// How often heads are compared: a lost tail is found after this.
const COMPARE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// How often an event that fails for no known reason is tried before it counts as poison.
const TRIES: u32 = 3;
/// Most events in one transaction.
const MAX_EVENTS: usize = 512;

/// What a service does with another service's events.
pub trait Handler: Send + Sync + 'static {
    /// The service whose log is consumed.
    fn source(&self) -> &'static str;

    /// Whether this event can have any effect here; the others only move the cursor, in memory. When in doubt, yes.
    fn wants(&self, event: &Envelope) -> bool;

    /// Whether a new consumer begins with what happens from now on, rather than with the oldest event.
    fn starts_at_head(&self) -> bool {
        false
    }

    /// Whether an event of this type erases what its key has; it takes effect even where others of its key are parked.
    fn erases(&self, event_type: &str) -> bool {
        event_type == <proto::intake::CaseErased as proto::Event>::TYPE
    }

    /// Lets one event take effect. No network calls. A transient error is retried for ever; any other one, after a few
    /// tries, sets the event aside as poison.
    fn apply<'a>(&'a self, unit: &'a mut Unit<'_>, event: &'a Envelope) -> BoxFuture<'a, Result<()>>;
}

/// The source's own log, asked by gRPC.
pub trait Source: Send + Sync + 'static {
    /// Where its shards stand. It is told how far this consumer has come, so that a log that went back learns of it.
    fn heads(&self, cursors: Vec<proto::log::Cursor>) -> BoxFuture<'static, Result<Vec<Head>>>;
    fn read(&self, shard: u32, from: i64) -> BoxFuture<'static, Result<(Batch, Head)>>;
}

struct Shard {
    consumer: Consumer,
    epoch: i64,
    /// What the database holds; the consumer's own may be ahead by events without effect.
    stored: Cursor,
    pause: Duration,
    failures: u32,
    told: bool,
}

struct Driver {
    log: Log,
    handler: Arc<dyn Handler>,
    source: Arc<dyn Source>,
    leases: Leases,
    shards: BTreeMap<u32, Shard>,
    /// Backfills and pauses on their way.
    running: JoinSet<(u32, Input)>,
    /// What is to take effect next.
    tasks: Vec<Task>,
    /// A cursor is not where this replica left it: another replica took over, or a commit succeeded whose answer was lost.
    stale: bool,
    /// A shard has halted since heads were compared: the source shall hear of it at once.
    tell: bool,
    /// Types of events that have made this service say something itself.
    telling: BTreeSet<String>,
}

/// Consumes the log of `handler.source()` until `shutdown`.
pub async fn run(log: Log, bus: Bus, handler: Arc<dyn Handler>, source: Arc<dyn Source>, leases: Leases, shutdown: CancellationToken) {
    let name = handler.source();
    tokio::select! {
        () = log.guard().decided() => {}
        () = shutdown.cancelled() => return,
    }
    let mut batches = bus.subscribe_log(name).await;
    let mut owned = leases.owned();
    let mut driver = Driver {
        log,
        handler,
        source,
        leases,
        shards: BTreeMap::new(),
        running: JoinSet::new(),
        tasks: Vec::new(),
        stale: false,
        tell: false,
        telling: BTreeSet::new(),
    };
    let mut compare = tokio::time::interval(COMPARE);
    compare.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut own = true;
    loop {
        if own || driver.stale {
            if driver.stale {
                tokio::time::sleep(jitter(PAUSE)).await;
                own = true;
            }
            let wanted = owned.borrow_and_update().clone();
            tokio::select! {
                done = driver.own(&wanted) => match done {
                    Ok(()) => own = false,
                    Err(error) => {
                        tracing::debug!(service = driver.log.service(), source = name, %error, "the consumer waits to start");
                        tokio::time::sleep(jitter(PAUSE * 4)).await;
                    }
                },
                () = shutdown.cancelled() => return,
            }
            continue;
        }
        tokio::select! {
            Some(bytes) = batches.next() => {
                driver.bytes(&bytes);
                // What else is there already takes effect in the same commit.
                while let Some(Some(bytes)) = batches.next().now_or_never() {
                    driver.bytes(&bytes);
                }
            }
            Some(Ok((shard, input))) = driver.running.join_next() => driver.feed(shard, input),
            _ = compare.tick() => driver.compare().await,
            Ok(()) = owned.changed() => own = true,
            () = shutdown.cancelled() => break,
        }
        while !driver.tasks.is_empty() {
            driver.apply_tasks().await;
        }
        if std::mem::take(&mut driver.tell) {
            compare.reset_immediately();
        }
    }
    driver.store_cursors().await;
}

impl Driver {
    fn name(&self) -> &'static str {
        self.handler.source()
    }

    /// Loads the cursors of the shards that this replica owns now.
    async fn own(&mut self, owned: &BTreeMap<u32, i64>) -> Result<()> {
        let source = self.name();
        let told = self.stored_cursors().await?;
        let heads = self.source.heads(told.into_iter().map(|(shard, cursor)| self.told(shard, cursor)).collect()).await?;
        let from_head = self.handler.starts_at_head();
        let new: Vec<Head> = heads.clone();
        self.log
            .machinery()
            .transaction(move |tx| {
                Box::pin(async move {
                    for head in new {
                        let start = if from_head { head.clone() } else { Head::default() };
                        tx.exec(
                            "INSERT INTO log_cursor (source, shard, incarnation, position, event_id) VALUES ($1,$2,$3,$4,$5) \
                             ON CONFLICT (source, shard) DO NOTHING",
                            args![source, head.shard, start.incarnation, start.position, start.event_id],
                        )
                        .await?;
                    }
                    Ok(())
                })
            })
            .await?;
        let cursors = self.stored_cursors().await?;
        self.shards.clear();
        // Answers to the consumers that are gone must not reach the new ones.
        self.running = JoinSet::new();
        self.tasks.clear();
        self.stale = false;
        let mut positions = Vec::new();
        for (shard, cursor) in cursors {
            positions.push(cursor.position);
            self.log.progress().set_halted(source, shard, None);
            if let Some(epoch) = owned.get(&shard) {
                let stored = cursor.clone();
                let consumer = Consumer::new(cursor, Checks::ALL);
                self.shards.insert(shard, Shard { consumer, epoch: *epoch, stored, pause: PAUSE, failures: 0, told: false });
            }
        }
        self.log.progress().start_source(source, positions);
        for head in heads {
            self.feed(head.shard, Input::Head(head));
        }
        Ok(())
    }

    async fn stored_cursors(&self) -> Result<Vec<(u32, Cursor)>> {
        let sql = "SELECT shard, incarnation, position, event_id FROM log_cursor WHERE source = $1 ORDER BY shard";
        let rows = self.log.machinery().rows(sql, args![self.name()]).await?;
        let cursor = |row: &store::Row| Ok(Cursor { incarnation: row.text(1)?, position: row.int(2)?, event_id: row.text(3)? });
        rows.iter().map(|row| Ok((row.int(0)? as u32, cursor(row)?))).collect()
    }

    /// A cursor as the source is told of it.
    fn told(&self, shard: u32, cursor: Cursor) -> proto::log::Cursor {
        let Cursor { incarnation, position, event_id } = cursor;
        let (consumer, source) = (self.log.service().to_owned(), self.name().to_owned());
        proto::log::Cursor { consumer, source, shard, incarnation, position, event_id, halted: String::new() }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        match Batch::decode(bytes) {
            Ok(batch) if batch.service == self.name() => self.feed(batch.shard, Input::Batch(batch)),
            Ok(_) => {}
            // The log itself is asked for what a broken batch held.
            Err(error) => tracing::warn!(source = self.name(), %error, "a batch on the bus cannot be read; it will be asked for again"),
        }
    }

    fn feed(&mut self, shard: u32, input: Input) {
        let Some(state) = self.shards.get_mut(&shard) else { return };
        if matches!(input, Input::Backfilled { .. }) {
            state.pause = PAUSE;
        }
        let action = state.consumer.on(input);
        if let Some(halt) = state.consumer.halted() {
            if !state.told {
                state.told = true;
                self.tell = true;
                self.log.progress().set_halted(self.handler.source(), shard, Some(halt.to_string()));
                tracing::error!(service = self.log.service(), source = self.handler.source(), shard, "{halt}");
            }
        } else if state.told {
            state.told = false;
            self.log.progress().set_halted(self.handler.source(), shard, None);
        }
        match action {
            Some(Action::Apply { events, cursor }) => {
                self.tasks.push(Task { shard, epoch: state.epoch, stored: state.stored.clone(), events, cursor });
            }
            Some(Action::Backfill(from)) => {
                let (read, pause) = (self.source.read(shard, from), state.pause);
                state.pause = (state.pause * 2).min(MAX_PAUSE);
                self.running.spawn(async move {
                    match read.await {
                        Ok((batch, head)) => (shard, Input::Backfilled { batch, head }),
                        Err(_) => {
                            tokio::time::sleep(jitter(pause)).await;
                            (shard, Input::BackfillFailed)
                        }
                    }
                });
            }
            None => {}
        }
    }

    async fn compare(&mut self) {
        let cursors = self.shards.iter().map(|(shard, state)| self.told(*shard, state.consumer.cursor().clone())).collect();
        match self.source.heads(cursors).await {
            Ok(heads) => heads.into_iter().for_each(|head| self.feed(head.shard, Input::Head(head))),
            Err(error) => tracing::debug!(source = self.name(), %error, "heads were not compared"),
        }
        self.store_cursors().await;
    }

    /// Lets everything that waits take effect: what has no effect at once, the rest in one transaction.
    async fn apply_tasks(&mut self) {
        let mut with_effect = Vec::new();
        for task in std::mem::take(&mut self.tasks) {
            let idle = !task.events.is_empty() && task.events.iter().all(|event| !self.handler.wants(event));
            if idle { self.applied(task.shard, task.cursor, false) } else { with_effect.push(task) }
        }
        while !with_effect.is_empty() {
            // At least one task, however large; then as many as fit.
            let mut events = 0;
            let fit = with_effect
                .iter()
                .take_while(|task| {
                    let first = events == 0;
                    events += task.events.len().max(1);
                    first || events <= MAX_EVENTS
                })
                .count();
            let rest = with_effect.split_off(fit);
            let together = std::mem::replace(&mut with_effect, rest);
            self.apply_together(together).await;
        }
    }

    async fn apply_together(&mut self, tasks: Vec<Task>) {
        let tasks = Arc::new(tasks);
        let (done, _) = self.transact(tasks.clone()).await;
        if done.is_ok() {
            for task in tasks.iter() {
                self.applied(task.shard, task.cursor.clone(), true);
            }
            return;
        }
        // One shard's trouble must not hold up the others; and an event that is poison is found only alone.
        for task in Arc::try_unwrap(tasks).unwrap_or_default() {
            self.apply_alone(task).await;
        }
    }

    /// One shard's events, in one transaction; after repeated failure the guilty event is set aside.
    async fn apply_alone(&mut self, task: Task) {
        let shard = task.shard;
        let tasks = Arc::new(vec![task]);
        let (done, at) = self.transact(tasks.clone()).await;
        let Some(task) = Arc::try_unwrap(tasks).unwrap_or_default().pop() else { return };
        let Err(error) = done else {
            self.applied(shard, task.cursor, true);
            return;
        };
        let Some(state) = self.shards.get_mut(&shard) else { return };
        if error.reason == FENCED {
            self.stale = true;
            return;
        }
        let guilty = !error.is_transient() && error.reason != store::DATABASE;
        state.failures += u32::from(guilty);
        let poison = guilty && state.failures >= TRIES;
        tracing::warn!(service = self.log.service(), source = self.handler.source(), shard, %error, poison, "events did not take effect");
        if poison {
            state.failures = 0;
            if self.set_aside(&task, at, &error).await.is_ok() {
                return;
            }
        }
        let Some(state) = self.shards.get_mut(&shard) else { return };
        let pause = state.pause;
        state.pause = (state.pause * 2).min(MAX_PAUSE);
        self.running.spawn(async move {
            tokio::time::sleep(jitter(pause)).await;
            (shard, Input::ApplyFailed)
        });
    }

    /// Lets the events before the poisonous one take effect and puts that one away, in one transaction.
    async fn set_aside(&mut self, task: &Task, at: usize, error: &Error) -> Result<()> {
        let Some(poison) = task.events.get(at).cloned() else { return Err(error.clone()) };
        let before: Vec<Envelope> = task.events.iter().take(at).cloned().collect();
        let cursor = Cursor { incarnation: task.cursor.incarnation.clone(), position: poison.position, event_id: poison.event_id.clone() };
        let (shard, source, reason) = (task.shard, self.name(), error.to_string());
        let alone = Task { shard, epoch: task.epoch, stored: task.stored.clone(), events: before, cursor: cursor.clone() };
        let key = poison.key.clone();
        let context = self.context();
        let log = self.log.clone();
        let (owned, now) = (log.clone(), log.clock().now());
        let finished = log
            .db()
            .of(dead_letter::of_events(&task.events))
            .transaction(move |tx| {
                Box::pin(async move {
                    let mut unit = Unit::new(tx, owned, now, Origin::system("consumer"));
                    context.effects(&mut unit, &alone, true, &AtomicUsize::new(0)).await?;
                    dead_letter::put(&mut unit, source, shard, &poison, &reason).await?;
                    finish(&mut unit).await
                })
            })
            .await?;
        finished.publish(&self.log);
        tracing::error!(service = self.log.service(), source, shard, key, "an event was set aside as a dead letter: {error}");
        self.applied(shard, cursor, true);
        Ok(())
    }

    fn context(&self) -> Context {
        Context { source: self.name(), handler: self.handler.clone(), leases: self.leases.clone() }
    }

    /// Answers also the index of the event at which it failed, in the task that failed.
    ///
    /// Effects without an event of this service's own wait for no disk: whatever a power cut takes of them, the source's log
    /// still holds, and the cursor goes back with them. Events that others may have seen must not vanish: the first one
    /// of its kind is found out, and its transaction is run again as one that waits.
    async fn transact(&mut self, tasks: Arc<Vec<Task>>) -> (Result<()>, usize) {
        loop {
            let durable = tasks.iter().flat_map(|task| &task.events).any(|event| self.telling.contains(&event.r#type));
            let (done, at) = self.attempt(tasks.clone(), durable).await;
            match done {
                Err(error) if error.reason == SPEAKS => drop(self.telling.insert(error.message)),
                done => return (done, at),
            }
        }
    }

    async fn attempt(&self, tasks: Arc<Vec<Task>>, durable: bool) -> (Result<()>, usize) {
        kernel::failpoint::pass("consumer.before_apply");
        let at = Arc::new(AtomicUsize::new(0));
        let (log, now) = (self.log.clone(), self.log.clock().now());
        let (context, progress) = (self.context(), at.clone());
        let commit = if durable { Commit::Durable } else { Commit::Repeatable };
        let done = self
            .log
            .db()
            .of(dead_letter::of_events(tasks.iter().flat_map(|task| &task.events)))
            .transaction_with(commit, move |tx| {
                Box::pin(async move {
                    let mut unit = Unit::new(tx, log, now, Origin::system("consumer"));
                    for task in tasks.iter() {
                        context.effects(&mut unit, task, durable, &progress).await?;
                    }
                    let finished = finish(&mut unit).await?;
                    kernel::failpoint::pass("consumer.before_commit");
                    Ok(finished)
                })
            })
            .await;
        kernel::failpoint::pass("consumer.after_commit");
        (
            done.map(|finished| {
                finished.publish(&self.log);
            }),
            at.load(Ordering::Relaxed),
        )
    }

    fn applied(&mut self, shard: u32, cursor: Cursor, stored: bool) {
        if let Some(state) = self.shards.get_mut(&shard) {
            state.failures = 0;
            state.pause = PAUSE;
            if stored {
                state.stored.clone_from(&cursor);
            }
        }
        self.feed(shard, Input::Applied(cursor.clone()));
        self.log.progress().consumed(self.handler.source(), shard, cursor);
    }

    /// Stores cursors that moved over events without effect. Nothing is lost without it: they would be skipped again.
    async fn store_cursors(&mut self) {
        let behind: Vec<Task> = self
            .shards
            .iter()
            .filter(|(_, state)| state.consumer.cursor().position > state.stored.position && state.consumer.is_idle())
            .map(|(shard, state)| Task {
                shard: *shard,
                epoch: state.epoch,
                stored: state.stored.clone(),
                events: Vec::new(),
                cursor: state.consumer.cursor().clone(),
            })
            .collect();
        if behind.is_empty() {
            return;
        }
        let tasks = Arc::new(behind);
        match self.transact(tasks.clone()).await.0 {
            Ok(()) => {
                for task in tasks.iter() {
                    if let Some(state) = self.shards.get_mut(&task.shard) {
                        state.stored.clone_from(&task.cursor);
                    }
                }
            }
            Err(error) if error.reason == FENCED => self.stale = true,
            Err(error) => tracing::debug!(%error, "cursors were not stored"),
        }
    }
}
