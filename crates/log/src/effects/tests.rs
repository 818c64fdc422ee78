use std::path::Path;
use std::time::Duration;

use bus::Bus;
use futures::future::BoxFuture;
use kernel::{Clock, Id, Time};
use proto::Event;
use proto::intake::{CaseErased, VisitorReturned};
use proto::log::{Batch, Envelope, Head};
use store::{Db, Migration, Tables};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{Committer, Log, Scope, Settings, consumer_driver, reader};

const SEEN: Tables = Tables {
    steps: &[Migration { name: "seen", sql: "CREATE TABLE seen (event_id TEXT PRIMARY KEY, type TEXT NOT NULL, sync BIGINT NOT NULL);\n" }],
    shared: &[("seen", "a test's")],
    crossing: &[],
    kept: &[],
};

/// Notes each event and how its transaction will be committed; says something itself whenever a visitor has returned.
struct Notes;

impl Handler for Notes {
    fn source(&self) -> &'static str {
        "source"
    }

    fn wants(&self, _: &Envelope) -> bool {
        true
    }

    fn apply<'a>(&'a self, unit: &'a mut Unit<'_>, event: &'a Envelope) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let sync = unit.tx.row("PRAGMA synchronous", args![]).await?.unwrap().int(0)?;
            let insert = "INSERT INTO seen (event_id, type, sync) VALUES ($1, $2, $3)";
            unit.tx.exec(insert, args![&event.event_id, &event.r#type, sync]).await?;
            if event.r#type == VisitorReturned::TYPE {
                unit.emit(Id::parse("key", &event.key)?, &Scope::default(), &VisitorReturned::default())?;
            }
            Ok(())
        })
    }
}

/// The source's own log, one event at a time, so that each has a transaction of its own.
struct OneByOne(Log);

impl consumer_driver::Source for OneByOne {
    fn heads(&self, _: Vec<proto::log::Cursor>) -> BoxFuture<'static, Result<Vec<Head>>> {
        let log = self.0.clone();
        Box::pin(async move { reader::heads(log.db()).await })
    }

    fn read(&self, shard: u32, from: i64) -> BoxFuture<'static, Result<(Batch, Head)>> {
        let log = self.0.clone();
        Box::pin(async move {
            let batch = reader::read(log.db(), "source", shard, from, 1).await?;
            Ok((batch, reader::heads(log.db()).await?.remove(0)))
        })
    }
}

async fn open(folder: &Path, service: &'static str, tables: &'static Tables) -> Log {
    let db = Db::open(&format!("sqlite:{}", folder.display()), service).await.unwrap();
    Log::open(&Settings { service, shards: 1 }, db, Clock::manual(Time::from_secs(1_800_000_000)), tables).await.unwrap()
}

async fn say<E: Event + Clone + Default + Send + Sync + 'static>(source: &Committer, times: usize) {
    for _ in 0..times {
        let key = Id::new(source.now());
        let lane = key.to_string();
        let said = source
            .run(&lane, Origin::system("test"), move |unit| Box::pin(async move { unit.emit(key, &Scope::default(), &E::default()) }));
        said.await.unwrap();
    }
}

/// Consumes all that the source has, then stops and folds everything into the file.
async fn consume(folder: &Path, source: &Log) {
    let log = open(folder, "consumer", &SEEN).await;
    let shutdown = CancellationToken::new();
    let run = consumer_driver::run(
        log.clone(),
        Bus::local(),
        Arc::new(Notes),
        Arc::new(OneByOne(source.clone())),
        Leases::alone("consume:source", 1),
        shutdown.clone(),
    );
    let running = tokio::spawn(run);
    let head = reader::heads(source.db()).await.unwrap().remove(0).position;
    let caught_up = async {
        loop {
            if log.progress().cursors("source").is_some_and(|cursors| *cursors.borrow() == [head]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), caught_up).await.unwrap();
    shutdown.cancel();
    running.await.unwrap();
    log.db().close().await;
}

/// Types of the events that took effect with how each was committed, in the order of the source, and what was said.
async fn outcome(folder: &Path) -> (Vec<(String, i64)>, i64) {
    let log = open(folder, "consumer", &SEEN).await;
    let rows = log.db().of("").rows("SELECT type, sync FROM seen ORDER BY rowid", args![]).await.unwrap();
    let said = log.machinery().row("SELECT COUNT(*) FROM event_log", args![]).await.unwrap().unwrap().int(0).unwrap();
    (rows.iter().map(|row| (row.text(0).unwrap(), row.int(1).unwrap())).collect(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_speaks_waits_for_the_disk_and_a_lost_tail_takes_effect_again() {
    let folder = tempfile::tempdir().unwrap();
    let (here, kept) = (folder.path().join("consumer.db"), folder.path().join("kept.db"));
    let source = open(folder.path(), "source", &Tables::NONE).await;
    let committer = Committer::start(source.clone());
    say::<CaseErased>(&committer, 1).await;
    say::<VisitorReturned>(&committer, 2).await;
    say::<CaseErased>(&committer, 2).await;
    consume(folder.path(), &source).await;
    let (quiet, speaks) = ((CaseErased::TYPE.to_owned(), 1), (VisitorReturned::TYPE.to_owned(), 2));
    let first = vec![quiet.clone(), speaks.clone(), speaks, quiet.clone(), quiet.clone()];
    assert_eq!(outcome(folder.path()).await, (first.clone(), 2));

    // A power cut may take what was not waited for: as if the file had been kept from before.
    std::fs::copy(&here, &kept).unwrap();
    say::<CaseErased>(&committer, 3).await;
    consume(folder.path(), &source).await;
    let all: Vec<_> = first.iter().cloned().chain(std::iter::repeat_n(quiet, 3)).collect();
    assert_eq!(outcome(folder.path()).await, (all.clone(), 2));
    for rest in ["consumer.db-wal", "consumer.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(rest));
    }
    std::fs::copy(&kept, &here).unwrap();
    assert_eq!(outcome(folder.path()).await, (first, 2));
    consume(folder.path(), &source).await;
    assert_eq!(outcome(folder.path()).await, (all, 2), "each once, and nothing was said twice");
}

/// The epoch alone holds a stale owner back: its cursor is where it left it, so that nothing else would.
#[tokio::test(flavor = "multi_thread")]
async fn an_owner_of_an_older_epoch_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let source = open(folder.path(), "source", &Tables::NONE).await;
    say::<CaseErased>(&Committer::start(source.clone()), 1).await;
    let events = reader::read(source.db(), "source", 0, 1, 1).await.unwrap().events;
    let log = open(folder.path(), "consumer", &SEEN).await;
    let run = async |sql: &'static str| log.db().of("").transaction(move |tx| Box::pin(tx.exec(sql, args![]))).await.unwrap();
    run("INSERT INTO lease (duty, shard, owner, epoch) VALUES ('consume:source', 0, 'b', 2)").await;
    run("INSERT INTO log_cursor (source, shard, incarnation, position, event_id) VALUES ('source', 0, '', 0, '')").await;
    let take_effect = async |epoch: i64| {
        let stored = Cursor { incarnation: String::new(), position: 0, event_id: String::new() };
        let cursor = Cursor { position: 1, event_id: events[0].event_id.clone(), ..stored.clone() };
        let task = Task { shard: 0, epoch, stored, events: events.clone(), cursor };
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        let leases = Leases::shared("consume:source", 1, log.db().clone(), "a".to_owned(), shutdown);
        let context = Context { source: "source", handler: Arc::new(Notes), leases };
        let owned = log.clone();
        log.db()
            .of("")
            .transaction(move |tx| {
                Box::pin(async move {
                    let now = owned.clock().now();
                    let mut unit = Unit::new(tx, owned, now, Origin::system("consumer"));
                    context.effects(&mut unit, &task, true, &AtomicUsize::new(0)).await
                })
            })
            .await
    };
    assert_eq!(take_effect(1).await.unwrap_err().reason, FENCED);
    let left = async || {
        let cursor = log.machinery().row("SELECT position FROM log_cursor", args![]).await.unwrap().unwrap().int(0).unwrap();
        (cursor, log.db().of("").rows("SELECT event_id FROM seen", args![]).await.unwrap().len())
    };
    assert_eq!(left().await, (0, 0), "nothing took effect");
    take_effect(2).await.unwrap();
    assert_eq!(left().await, (1, 1));
}
