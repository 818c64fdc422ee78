//! What the committer's lanes promise when the database refuses a command in the middle of a batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::isolation::blocking;
use kernel::{Clock, Code, Id, Time};
use log::{Committer, Log, Origin, Scope, Settings, reader};
use proto::intake::VisitorReturned;
use samtal_tests::servers::shared_postgres;
use store::{Db, Migration, Tables, args};

const WRITERS: usize = 64;
const EACH: usize = 25;

const TABLES: &Tables = &Tables {
    steps: &[Migration { name: "thing", sql: "CREATE TABLE thing (n BIGINT PRIMARY KEY CHECK (n >= 0), organisation TEXT NOT NULL);\n" }],
    shared: &[],
    crossing: &[],
    kept: &[],
};

/// Writes a row, an event and an audit row under `key`, or fails after the event was said: in the database, and so that
/// nothing that was done for its neighbours in the batch can stay.
async fn write(committer: &Committer, key: Id, n: i64, runs: &Arc<AtomicUsize>) -> kernel::Result<()> {
    let runs = runs.clone();
    let lane = key.to_string();
    let done = committer.run(&lane, Origin::system("test").of("alfa"), move |unit| {
        let runs = runs.clone();
        Box::pin(async move {
            runs.fetch_add(1, Ordering::SeqCst);
            let scope = Scope { organisation: "alfa".into(), ..Scope::default() };
            unit.emit(key, &scope, &VisitorReturned::default())?;
            unit.audit(key, &scope);
            unit.tx.exec("INSERT INTO thing (n, organisation) VALUES ($1, 'alfa')", args![n]).await
        })
    });
    done.await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_a_batch_that_the_database_refuses_leaves_no_gap_and_one_bad_command_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    let urls = [format!("sqlite:{}", folder.path().display()), blocking(|| shared_postgres().fresh_database("lanes")).await];
    for url in urls {
        let db = Db::open(&url, "intake").await.unwrap();
        let clock = Clock::manual(Time::from_secs(1_800_000_000));
        let log = Log::open(&Settings { service: "intake", shards: 4 }, db, clock, TABLES).await.unwrap();
        let committer = Committer::start(log.clone());
        let runs = Arc::new(AtomicUsize::new(0));
        // Every third command is refused by the database after its event was said.
        let writers = (0..WRITERS).map(|writer| {
            let (committer, runs) = (committer.clone(), runs.clone());
            tokio::spawn(async move {
                let key = Id::new(committer.now());
                let mut good = 0;
                for n in 0..EACH {
                    let number = i64::try_from(writer * EACH + n).unwrap();
                    let bad = (writer + n) % 3 == 0;
                    match write(&committer, key, if bad { -1 - number } else { number }, &runs).await {
                        Ok(()) if !bad => good += 1,
                        Err(error) if bad => assert_ne!(error.code, Code::Unavailable, "{error}"),
                        other => panic!("command {number}, bad: {bad}: {other:?}"),
                    }
                }
                (key.to_string(), good)
            })
        });
        let mut acknowledged = 0;
        for written in futures::future::join_all(writers).await {
            let (key, good) = written.unwrap();
            let rows =
                log.db().of("alfa").rows("SELECT key_seq FROM event_log WHERE key = $1 ORDER BY position", args![key]).await.unwrap();
            let numbers: Vec<i64> = rows.iter().map(|row| row.int(0).unwrap()).collect();
            assert_eq!(numbers, (1..=good).collect::<Vec<_>>(), "an aggregate's events are dense and in order");
            acknowledged += good;
        }
        assert!(runs.load(Ordering::SeqCst) > WRITERS * EACH, "no batch was rolled back, so this showed nothing");
        let alfa = log.db().of("alfa");
        for table in ["event_log", "audit_log"] {
            let sql = if table == "event_log" {
                "SELECT COUNT(*), COUNT(DISTINCT position), COALESCE(MAX(position), 0) FROM event_log WHERE shard = $1"
            } else {
                "SELECT COUNT(*), COUNT(DISTINCT position), COALESCE(MAX(position), 0) FROM audit_log WHERE shard = $1"
            };
            let mut all = 0;
            for shard in 0..4_i64 {
                let row = alfa.row(sql, args![shard]).await.unwrap().unwrap();
                let (rows, distinct, last) = (row.int(0).unwrap(), row.int(1).unwrap(), row.int(2).unwrap());
                assert!(rows == distinct && rows == last, "{url}: {table}, shard {shard}: {rows} rows, {distinct} positions up to {last}");
                all += rows;
            }
            assert_eq!(all, acknowledged, "{table} holds what was acknowledged and nothing else");
        }
        let things = alfa.row("SELECT COUNT(*) FROM thing", args![]).await.unwrap().unwrap().int(0).unwrap();
        assert_eq!(things, acknowledged);
        let heads: i64 = reader::heads(log.db()).await.unwrap().iter().map(|head| head.position).sum();
        assert_eq!(heads, acknowledged);
        drop(committer);
        log.db().close().await;
    }
}
