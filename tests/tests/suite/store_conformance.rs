//! What every store must do, on SQLite and on PostgreSQL with one SQL text; and the trap that `Db::transaction` is there for.

use kernel::{Code, Error, Id, Time};
use samtal_tests::proxy::Proxy;
use samtal_tests::servers::shared_postgres;
use samtal_tests::suite::{SOON, eventually};
use sqlx::postgres::PgPoolOptions;
use std::time::Duration;
use store::{Commit, Db, Engine, Migration, Scoped, Tables, args, is_unique, migrate, values};
use tokio::sync::oneshot;
use uuid::Uuid;

const TABLES: &Tables = &Tables { steps: STEPS, shared: &[("thing", "a test's"), ("counter", "a test's")], crossing: &[], kept: &[] };

const STEPS: &[Migration] = &[
    Migration {
        name: "one",
        sql: "
CREATE TABLE thing (
    id UUID PRIMARY KEY,
    n BIGINT,
    flag BOOLEAN,
    name TEXT,
    body BYTEA,
    ratio DOUBLE PRECISION
);
CREATE UNIQUE INDEX thing_name ON thing (name);
",
    },
    Migration { name: "two", sql: "CREATE TABLE counter (id BIGINT PRIMARY KEY, n BIGINT NOT NULL);\n" },
];

/// A fresh store of each kind; the folder lives as long as the first.
async fn stores() -> (tempfile::TempDir, Vec<Scoped>) {
    let folder = tempfile::tempdir().unwrap();
    let url = tokio::task::spawn_blocking(|| shared_postgres().fresh_database("store")).await.unwrap();
    let dbs = vec![
        Db::open(&format!("sqlite:{}", folder.path().display()), "conformance").await.unwrap().of(""),
        Db::open(&url, "conformance").await.unwrap().of(""),
    ];
    for db in &dbs {
        // Twice, and several at once: each step is applied once.
        let tries = futures::future::join_all((0..4).map(|_| migrate::migrate(db.db(), &[TABLES], Time::from_secs(1)))).await;
        assert!(tries.iter().all(Result::is_ok), "{tries:?}");
    }
    (folder, dbs)
}

async fn exec(db: &Scoped, sql: &'static str, args: store::Args) -> kernel::Result<u64> {
    db.clone().transaction(move |tx| Box::pin(async move { tx.exec(sql, args).await })).await
}

async fn number(db: &Scoped, sql: &'static str) -> i64 {
    db.row(sql, args![]).await.unwrap().unwrap().int(0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_type_come_back_as_they_went() {
    let (_folder, dbs) = stores().await;
    for db in &dbs {
        let insert = "INSERT INTO thing (id, n, flag, name, body, ratio) VALUES ($1,$2,$3,$4,$5,$6)";
        let (full, bare) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let name = "Åsa \u{1f642} 'quoted' \"double\" \\ back\tTab\nline";
        let body: Vec<u8> = (0..=255).collect();
        exec(db, insert, args![full, i64::MIN, true, name, body.clone(), 0.1]).await.unwrap();
        exec(db, insert, args![bare, None::<i64>, None::<bool>, None::<String>, None::<Vec<u8>>, None::<f64>]).await.unwrap();
        let rows = db.rows("SELECT id, n, flag, name, body, ratio FROM thing ORDER BY id", args![]).await.unwrap();
        assert_eq!(rows.len(), 2);
        let row = &rows[0];
        assert_eq!((row.id(0).unwrap(), row.int(1).unwrap(), row.bool(2).unwrap()), (Id::from_uuid(full), i64::MIN, true));
        assert_eq!((row.text(3).unwrap().as_str(), row.get::<Vec<u8>>(4).unwrap(), row.get::<f64>(5).unwrap()), (name, body, 0.1));
        let row = &rows[1];
        assert_eq!((row.get::<Option<i64>>(1).unwrap(), row.get::<Option<bool>>(2).unwrap()), (None, None));
        assert_eq!((row.get::<Option<String>>(3).unwrap(), row.get::<Option<Vec<u8>>>(4).unwrap()), (None, None));
        assert_eq!((row.opt_time(1).unwrap(), row.get::<Option<f64>>(5).unwrap()), (None, None));
        assert!(row.int(1).is_err(), "NULL is no number");
        // Texts sort by their bytes on both.
        exec(db, "DELETE FROM thing", args![]).await.unwrap();
        for (n, name) in ["b", "B", "ä", "a", "Z"].into_iter().enumerate() {
            exec(db, insert, args![Uuid::from_u128(n as u128), 1, false, name, None::<Vec<u8>>, None::<f64>]).await.unwrap();
        }
        let rows = db.rows("SELECT name FROM thing ORDER BY name", args![]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.text(0).unwrap()).collect::<Vec<_>>(), ["B", "Z", "a", "b", "ä"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn returning_conflicts_and_large_batches_work_alike() {
    let (_folder, dbs) = stores().await;
    for db in &dbs {
        let done = db
            .clone()
            .transaction(|tx| {
                Box::pin(async move {
                    let row = tx.row("INSERT INTO counter (id, n) VALUES (1, 5) RETURNING n", args![]).await?.expect("a row");
                    assert_eq!(row.int(0)?, 5);
                    let upsert =
                        "INSERT INTO counter (id, n) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET n = counter.n + excluded.n RETURNING n";
                    assert_eq!(tx.row(upsert, args![1, 7]).await?.expect("a row").int(0)?, 12);
                    assert_eq!(tx.exec("INSERT INTO counter (id, n) VALUES (1, 0) ON CONFLICT (id) DO NOTHING", args![]).await?, 0);
                    assert_eq!(tx.row("SELECT n FROM counter WHERE id = $1 FOR UPDATE", args![1]).await?.expect("a row").int(0)?, 12);
                    assert_eq!(
                        tx.row(format!("SELECT n FROM counter WHERE id = {} FOR UPDATE", 1), args![]).await?.expect("a row").int(0)?,
                        12
                    );
                    assert!(tx.row("SELECT n FROM counter WHERE id = 99 FOR UPDATE", args![]).await?.is_none());
                    assert_eq!(tx.exec("UPDATE counter SET n = n WHERE id = 99", args![]).await?, 0);
                    // 2,000 rows in chunks as the log writes them.
                    for chunk in (10..2_010_i64).collect::<Vec<_>>().chunks(500) {
                        let args = chunk.iter().flat_map(|id| args![*id, *id * 2]).collect();
                        let sql = format!("INSERT INTO counter (id, n) VALUES {}", values(1, chunk.len(), 2));
                        assert_eq!(tx.exec(sql, args).await?, 500);
                    }
                    Ok(())
                })
            })
            .await;
        done.unwrap();
        assert_eq!(
            number(db, "SELECT CAST(SUM(n) AS BIGINT) FROM counter WHERE id >= 10").await,
            (10..2_010).map(|id| id * 2).sum::<i64>()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_rolls_everything_back_and_says_what_it_is() {
    let (_folder, dbs) = stores().await;
    for db in &dbs {
        let insert = "INSERT INTO thing (id, name) VALUES ($1, $2)";
        exec(db, insert, args![Uuid::from_u128(1), "one"]).await.unwrap();
        let by_name = exec(db, insert, args![Uuid::from_u128(2), "one"]).await.unwrap_err();
        assert!(is_unique(&by_name, "name") && by_name.code == Code::AlreadyExists, "{by_name:?}");
        let by_id = exec(db, insert, args![Uuid::from_u128(1), "two"]).await.unwrap_err();
        assert!(by_id.code == Code::AlreadyExists && !is_unique(&by_id, "name"), "{by_id:?}");
        // Our own error after a write.
        let refused = db
            .clone()
            .transaction::<(), _>(|tx| {
                Box::pin(async move {
                    tx.exec("INSERT INTO counter (id, n) VALUES (1, 1)", args![]).await?;
                    Err(Error::precondition("NO", "no"))
                })
            })
            .await
            .unwrap_err();
        assert_eq!(refused.reason, "NO");
        // An error of a statement that is swallowed must not be committed around.
        let swallowed = db
            .clone()
            .transaction(|tx| {
                Box::pin(async move {
                    tx.exec("INSERT INTO counter (id, n) VALUES (2, 2)", args![]).await?;
                    let _ = tx.exec("INSERT INTO nowhere (id) VALUES (1)", args![]).await;
                    Ok(())
                })
            })
            .await;
        assert!(swallowed.is_err());
        // A panic.
        let panicked = db
            .clone()
            .transaction::<(), _>(|tx| {
                Box::pin(async move {
                    tx.exec("INSERT INTO counter (id, n) VALUES (3, 3)", args![]).await?;
                    panic!("in the middle of a transaction")
                })
            })
            .await;
        assert!(panicked.is_err());
        assert_eq!(number(db, "SELECT COUNT(*) FROM counter").await, 0);
        exec(db, "INSERT INTO counter (id, n) VALUES (4, 4)", args![]).await.expect("the store goes on");
        assert_eq!(number(db, "SELECT COUNT(*) FROM counter").await, 1);
    }
}

/// What a power cut would do cannot be shown on a machine that runs; that each kind of commit is asked for what it promises can.
#[tokio::test(flavor = "multi_thread")]
async fn only_a_durable_commit_waits_for_the_disk() {
    let (_folder, dbs) = stores().await;
    for db in &dbs {
        // FULL and NORMAL are 2 and 1.
        let (ask, waits, waits_not) = match db.db().engine() {
            Engine::Sqlite => ("PRAGMA synchronous", "2", "1"),
            Engine::Postgres => ("SELECT current_setting('synchronous_commit')", "on", "off"),
        };
        for (commit, wanted) in
            [(Commit::Durable, waits), (Commit::Repeatable, waits_not), (Commit::Repeatable, waits_not), (Commit::Durable, waits)]
        {
            let told = db
                .clone()
                .transaction_with(commit, move |tx| {
                    Box::pin(async move {
                        tx.exec("INSERT INTO counter (id, n) SELECT COUNT(*), 0 FROM counter", args![]).await?;
                        let row = tx.row(ask, args![]).await?.expect("a row");
                        row.text(0).or_else(|_| row.int(0).map(|number| number.to_string()))
                    })
                })
                .await
                .unwrap();
            assert_eq!(told, wanted, "{:?} {commit:?}", db.db().engine());
        }
        assert_eq!(number(db, "SELECT COUNT(*) FROM counter").await, 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_one_row_wait_for_each_other() {
    let (_folder, dbs) = stores().await;
    for db in &dbs {
        exec(db, "INSERT INTO counter (id, n) VALUES (1, 0)", args![]).await.unwrap();
        let add = || async {
            db.clone()
                .transaction(|tx| {
                    Box::pin(async move {
                        let n = tx.row("SELECT n FROM counter WHERE id = 1 FOR UPDATE", args![]).await?.expect("a row").int(0)?;
                        tokio::task::yield_now().await;
                        tx.exec("UPDATE counter SET n = $1 WHERE id = 1", args![n + 1]).await.map(drop)
                    })
                })
                .await
        };
        let done = futures::future::join_all((0..100).map(|_| add())).await;
        assert!(done.iter().all(Result::is_ok), "{:?}", done.iter().find(|one| one.is_err()));
        assert_eq!(number(db, "SELECT n FROM counter WHERE id = 1").await, 100);
    }
}

/// A caller that goes away while a transaction begins or works neither leaves it open nor makes a later write vanish.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_cuts_no_transaction_in_two() {
    let (_folder, dbs) = stores().await;
    for db in &dbs {
        // In the middle of the work.
        let (begun, has_begun) = oneshot::channel();
        let (go_on, may_go_on) = oneshot::channel::<()>();
        let caller = tokio::spawn({
            let db = db.clone();
            async move {
                db.clone()
                    .transaction(move |tx| {
                        Box::pin(async move {
                            tx.exec("INSERT INTO counter (id, n) VALUES (1, 1)", args![]).await?;
                            begun.send(()).ok();
                            may_go_on.await.ok();
                            tx.exec("INSERT INTO counter (id, n) VALUES (2, 2)", args![]).await.map(drop)
                        })
                    })
                    .await
            }
        });
        has_begun.await.unwrap();
        caller.abort();
        assert!(caller.await.is_err());
        go_on.send(()).unwrap();
        eventually("the whole of it is there", async || (number(db, "SELECT COUNT(*) FROM counter").await == 2).then_some(())).await;
        // At every moment of its beginning: dropped after n polls.
        for polls in 0..60_usize {
            let work = db.clone().transaction(move |tx| {
                Box::pin(async move { tx.exec("UPDATE counter SET n = n + 1 WHERE id = 1", args![]).await.map(drop) })
            });
            let mut work = Box::pin(work);
            for _ in 0..=polls % 6 {
                if futures::poll!(&mut work).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(work);
            let id = 100 + i64::try_from(polls).unwrap();
            exec(db, "INSERT INTO counter (id, n) VALUES ($1, 0)", args![id]).await.unwrap();
        }
        assert_eq!(number(db, "SELECT COUNT(*) FROM counter WHERE id >= 100").await, 60, "an acknowledged write is there");
        if db.db().engine() == Engine::Postgres {
            eventually("no transaction stays open", async || {
                let open = "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'samtal-conformance' \
                            AND datname = current_database() AND state LIKE 'idle in transaction%'";
                (number(db, open).await == 0).then_some(())
            })
            .await;
        }
    }
}

/// The trap itself (sqlx 0.9.0): a `begin` that is dropped half-way gives its connection back with the transaction open. If this test
/// fails, sqlx has changed, and the detour of `Db::transaction` may be looked at again.
#[tokio::test(flavor = "multi_thread")]
async fn the_trap_of_sqlx_is_still_there() {
    let url = tokio::task::spawn_blocking(|| shared_postgres().fresh_database("trap")).await.unwrap();
    let mut sprung = false;
    for attempt in 0..200_u32 {
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(SOON).connect(&url).await.unwrap();
        sqlx::query("CREATE TABLE IF NOT EXISTS trap (n BIGINT)").execute(&pool).await.unwrap();
        sqlx::query("DELETE FROM trap").execute(&pool).await.unwrap();
        let mut begin = Box::pin(pool.begin());
        for _ in 0..=attempt % 8 {
            if futures::poll!(&mut begin).is_ready() {
                break;
            }
            tokio::time::sleep(Duration::from_micros(u64::from(attempt) * 5)).await;
        }
        drop(begin);
        // An ordinary write, acknowledged.
        sqlx::query("INSERT INTO trap (n) VALUES (1)").execute(&pool).await.unwrap();
        pool.close().await;
        let other = PgPoolOptions::new().max_connections(1).connect(&url).await.unwrap();
        let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM trap").fetch_one(&other).await.unwrap();
        other.close().await;
        if count == 0 {
            sprung = true;
            break;
        }
    }
    assert!(sprung, "200 dropped begins, and no acknowledged write has vanished");
}

/// Replicas of a service start together, and one's migration may take longer than any statement of everyday work may.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_starts_waits_for_the_migration_of_another() {
    let url = tokio::task::spawn_blocking(|| shared_postgres().fresh_database("migrating")).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(1).connect(&url).await.unwrap();
    let mut first = pool.begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(7263, hashtext('conformance'))").execute(&mut *first).await.unwrap();
    let second = tokio::spawn(async move {
        let db = Db::open(&url, "conformance").await.unwrap();
        migrate::migrate(&db, &[TABLES], Time::from_secs(1)).await
    });
    // Longer than a lock is waited for otherwise.
    tokio::time::sleep(Duration::from_secs(3)).await;
    first.commit().await.unwrap();
    second.await.unwrap().unwrap();
}

/// A failover moves an address, a firewall forgets: connections lead nowhere, and nobody tells our end. New ones take their place.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_lead_nowhere_are_given_up() {
    let url = tokio::task::spawn_blocking(|| shared_postgres().fresh_database("nowhere")).await.unwrap();
    let network = Proxy::start(&[shared_postgres().port()]).await;
    let url = url.replace(&format!("127.0.0.1:{}", shared_postgres().port()), &network.address());
    let db = Db::open(&url, "intake").await.unwrap();
    migrate::migrate(&db, &[TABLES], Time::from_secs(1)).await.unwrap();
    let db = db.of("");
    let all = async |what: &'static str| {
        let calls = (0..20).map(|n| {
            let db = db.clone();
            async move {
                if n % 2 == 0 {
                    db.rows("SELECT 1", args![]).await.map(drop)
                } else {
                    db.transaction(|tx| Box::pin(async move { tx.rows("SELECT pg_sleep(0.2)", args![]).await.map(drop) })).await
                }
            }
        });
        let started = std::time::Instant::now();
        let done = futures::future::join_all(calls).await;
        println!("{what}: {} of {} after {:?}", done.iter().filter(|one| one.is_ok()).count(), done.len(), started.elapsed());
        done.into_iter().filter(Result::is_ok).count()
    };
    assert_eq!(all("before").await, 20);
    network.forget();
    all("found out").await;
    assert_eq!(all("after").await, 20);
    // Those that were only slow are replaced as well, and no harm is done.
    network.stall();
    all("stalled").await;
    network.heal();
    assert_eq!(all("healed").await, 20);
    assert_eq!(all("and again").await, 20);
}
