//! A service's own log, and what its parts share.

use std::sync::Arc;

use kernel::{Clock, Error, Id, Result};
use store::{Db, Scoped, Tables, Whose, args};
use tokio::sync::Notify;

use crate::guard::Guard;
use crate::progress::Progress;
use crate::schema::TABLES;

/// How a service's log is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The service: `intake`.
    pub service: &'static str,
    /// Shards of a log that is made now; an existing one keeps its count.
    pub shards: u32,
}

/// A service's log: its database, its shards, and the bells that wake its relay, timers and watchers. Cheap to clone.
#[derive(Clone)]
pub struct Log(Arc<Inner>);

pub(crate) struct Inner {
    pub service: &'static str,
    pub db: Db,
    pub clock: Clock,
    pub shards: u32,
    pub progress: Progress,
    pub guard: Guard,
    /// What was committed, handed to the relay without reading it back.
    pub committed: tokio::sync::mpsc::UnboundedSender<crate::relay_driver::Committed>,
    pub relay_inbox: std::sync::Mutex<Option<tokio::sync::mpsc::UnboundedReceiver<crate::relay_driver::Committed>>>,
    pub timers_changed: Notify,
    pub timer_changes: std::sync::atomic::AtomicU64,
}

impl Log {
    /// Migrates `db`, with the service's own `tables` after the log's, and opens the log in it.
    pub async fn open(settings: &Settings, db: Db, clock: Clock, tables: &'static Tables) -> Result<Self> {
        store::migrate::migrate(&db, &[&TABLES, tables], clock.now()).await?;
        let shards = make_shards(&db, settings.shards, clock.now()).await?;
        let heads = crate::reader::heads(&db).await?;
        let progress = Progress::new(heads.iter().map(|head| head.position).collect());
        let (committed, inbox) = tokio::sync::mpsc::unbounded_channel();
        Ok(Self(Arc::new(Inner {
            service: settings.service,
            db,
            clock,
            shards,
            progress,
            guard: Guard::new(settings.service),
            committed,
            relay_inbox: std::sync::Mutex::new(Some(inbox)),
            timers_changed: Notify::new(),
            timer_changes: std::sync::atomic::AtomicU64::new(0),
        })))
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    pub fn service(&self) -> &'static str {
        self.0.service
    }

    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// The database as the log's machinery sees it: across organisations, and only the log's tables.
    pub fn machinery(&self) -> Scoped {
        self.0.db.of(Whose::Log)
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub fn shards(&self) -> u32 {
        self.0.shards
    }

    /// How many commits of this process have changed timers.
    pub fn timer_changes(&self) -> u64 {
        self.0.timer_changes.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Whether events may be written here.
    pub fn guard(&self) -> &Guard {
        &self.0.guard
    }

    /// How far this log and its consumers have come, as this process knows it.
    pub fn progress(&self) -> &Progress {
        &self.0.progress
    }
}

/// Makes the shards of a new log, with a first incarnation; answers how many there are.
async fn make_shards(db: &Db, wanted: u32, now: kernel::Time) -> Result<u32> {
    let incarnation = Id::new(now).to_string();
    db.of(Whose::Log)
        .transaction(move |tx| {
            Box::pin(async move {
                if tx.engine() == store::Engine::Postgres {
                    tx.rows("SELECT 1 FROM (SELECT pg_advisory_xact_lock(7264, hashtext(current_schema()))) AS locked", args![]).await?;
                }
                let existing = tx.row("SELECT COUNT(*) FROM log_head", args![]).await?.map_or(Ok(0), |row| row.int(0))?;
                if existing > 0 {
                    return u32::try_from(existing).map_err(|_| Error::internal("the log has too many shards"));
                }
                for shard in 0..wanted {
                    tx.exec("INSERT INTO log_head (shard, head, event_id, audit_head) VALUES ($1, 0, NULL, 0)", args![shard]).await?;
                    tx.exec("INSERT INTO log_relay (shard, position) VALUES ($1, 0)", args![shard]).await?;
                    tx.exec(
                        "INSERT INTO log_incarnation (shard, number, incarnation, start, previous_end) VALUES ($1, 1, $2, 0, 0)",
                        args![shard, &incarnation],
                    )
                    .await?;
                }
                Ok(wanted)
            })
        })
        .await
}
