//! P15's second wall: PostgreSQL itself keeps organisations apart. Generated from its catalogue: every table of every service.

use crate::tenants::Things;
use kernel::Time;
use samtal_tests::servers::shared_postgres;
use samtal_tests::suite::{Stack, TestSuite, eventually};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool, Row};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::{Db, Migration, Tables, Whose, args, migrate};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SERVICES: [&str; 6] = ["intake", "triage", "routing", "scheduling", "notifications", "insights"];

/// Tables that hold nothing of any organisation. Each says why in its comment; whoever adds one adds it here too.
const SHARED: &[&str] = &[
    "schema_migration",
    "log_head",
    "log_incarnation",
    "log_relay",
    "log_cursor",
    "replica",
    "lease",
    "audit_seal",
    "region_part",
    "region_drift",
    "queue_lock",
    "resource_lock",
];

/// Tables of organisations into which the log's machinery sees as a whole. Whoever adds one adds it here too.
const CROSSING: &[&str] = &[
    "event_log",
    "audit_log",
    "dead_letter",
    "timer",
    "idempotency",
    "intake.access_token",
    "intake.attachment",
    "intake.cases",
    "intake.referral",
    "intake.invitation",
    "intake.staff_address",
    "intake.passkey",
];

pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Runs `sql` under a role in a transaction that is rolled back; the last statement's number of rows, or the error's text.
async fn under(conn: &mut PgConnection, role: &str, organisations: Option<&str>, sql: &str) -> Result<u64, String> {
    conn.execute("BEGIN").await.unwrap();
    conn.execute(AssertSqlSafe(format!("SET LOCAL ROLE \"{role}\""))).await.unwrap();
    if let Some(list) = organisations {
        sqlx::query("SELECT set_config('samtal.organisations', $1, true)").bind(list.to_owned()).execute(&mut *conn).await.unwrap();
    }
    let done = conn.execute(AssertSqlSafe(sql.to_owned())).await.map(|done| done.rows_affected()).map_err(|error| error.to_string());
    conn.execute("ROLLBACK").await.unwrap();
    done
}

async fn count(conn: &mut PgConnection, sql: String) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(conn).await.unwrap()
}

/// Puts a row of this organisation into any table, as nobody but a superuser may.
async fn fill(conn: &mut PgConnection, table: &str, organisation: &str) {
    let columns = "SELECT quote_ident(attname), CASE WHEN attname = 'organisation' THEN quote_literal($2) ELSE CASE format_type(atttypid, NULL) \
                   WHEN 'uuid' THEN 'gen_random_uuid()' WHEN 'boolean' THEN 'FALSE' WHEN 'bytea' THEN 'uuid_send(gen_random_uuid())' \
                   WHEN 'text' THEN 'gen_random_uuid()::text' ELSE '(random() * 1e15)::bigint' END END \
                   FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND attnotnull AND NOT attisdropped";
    let rows = sqlx::query(columns).bind(table).bind(organisation).fetch_all(&mut *conn).await.unwrap();
    let part = |i: usize| rows.iter().map(|row| row.get::<String, _>(i)).collect::<Vec<_>>().join(", ");
    conn.execute(AssertSqlSafe(format!("INSERT INTO {table} ({}) VALUES ({})", part(0), part(1)))).await.unwrap();
}

/// Tables of whose rows the app may take nothing away.
const KEPT: &[&str] = &["event_log", "audit_log"];

/// One table behind its wall.
async fn wall(conn: &mut PgConnection, role: &str, table: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut must = |what: &str, held: bool, seen: &Result<u64, String>| {
        if !held {
            faults.push(format!("{table}: {what}: {seen:?}"));
        }
    };
    for organisation in ["alfa", "beta"] {
        fill(conn, table, organisation).await;
    }
    let own = count(conn, format!("SELECT COUNT(*) FROM {table} WHERE organisation = 'alfa'")).await;
    let (all, insert) = (format!("SELECT 1 FROM {table}"), format!("INSERT INTO {table} (organisation) VALUES ('beta')"));
    let refused = |seen: &Result<u64, String>| seen.as_ref().is_err_and(|error| error.contains("row-level security"));
    let denied = |seen: &Result<u64, String>| seen.as_ref().is_err_and(|error| error.contains("permission denied"));
    let kept = KEPT.iter().any(|kept| table.ends_with(&format!("\"{kept}\"")));
    // Nothing said: an error, never an empty answer, be it never said on this connection or in an earlier transaction only.
    for what in ["never said", "said before"] {
        let seen = under(conn, role, None, &all).await;
        must(what, seen.is_err(), &seen);
        let seen = under(conn, role, None, &insert).await;
        must(what, seen.is_err() && !refused(&seen), &seen);
        let _ = under(conn, role, Some("{alfa}"), &all).await;
    }
    for list in ["{}", "{\"\"}", "{gamma}", "{ALFA}", "{\"alfa,beta\"}"] {
        for sql in [&all, &format!("UPDATE {table} SET organisation = organisation"), &format!("DELETE FROM {table}")] {
            let seen = under(conn, role, Some(list), sql).await;
            if kept && *sql != all {
                must(&format!("{sql} for {list}"), denied(&seen), &seen);
                continue;
            }
            // What operators do belongs to the region itself, which has the empty name.
            let theirs =
                if list == "{\"\"}" { count(conn, format!("SELECT COUNT(*) FROM {table} WHERE organisation = ''")).await } else { 0 };
            must(&format!("{sql} for {list}"), seen == Ok(theirs.unsigned_abs()), &seen);
        }
        let seen = under(conn, role, Some(list), &insert).await;
        must(&format!("a row of beta for {list}"), refused(&seen), &seen);
    }
    let seen = under(conn, role, Some("{alfa}"), &all).await;
    must("alfa sees its own and no other", seen == Ok(own.unsigned_abs()), &seen);
    let seen = under(conn, role, Some("{alfa}"), &insert).await;
    must("alfa writes a row of beta", refused(&seen), &seen);
    let seen = under(conn, role, Some("{alfa}"), &format!("UPDATE {table} SET organisation = 'beta'")).await;
    must("alfa gives a row to beta", if kept { denied(&seen) } else { refused(&seen) }, &seen);
    if kept {
        // Not even its own: rows are added, and only what erasure takes may change.
        for sql in [format!("DELETE FROM {table}"), format!("UPDATE {table} SET key = 'other'"), format!("TRUNCATE {table}")] {
            let seen = under(conn, role, Some("{alfa}"), &sql).await;
            must(&sql, denied(&seen), &seen);
        }
    }
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn p15_postgresql_itself_keeps_organisations_apart() {
    let mut suite = TestSuite::start(Stack::Region).await;
    for name in ["alfa", "beta"] {
        Things::of(&suite, name).await;
    }
    suite.down().await;
    let database = suite.database_name();
    let url = shared_postgres().superuser_url(&database);
    let mut conn = PgConnection::connect(&url).await.unwrap();
    let (mut faults, mut walls) = (Vec::new(), 0);
    for service in SERVICES {
        let (app, log) = (format!("{database}_{service}_app"), format!("{database}_{service}_log"));
        let strong = "SELECT COUNT(*) FROM pg_roles r WHERE rolname = ANY($1) AND NOT (rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole) \
                      AND NOT EXISTS (SELECT 1 FROM pg_auth_members m WHERE m.member = r.oid) \
                      AND NOT EXISTS (SELECT 1 FROM pg_class c WHERE c.relowner = r.oid)";
        let weak: i64 = sqlx::query_scalar(strong).bind(vec![app.clone(), log.clone()]).fetch_one(&mut conn).await.unwrap();
        assert_eq!(weak, 2, "{service}: its roles are neither owner nor superuser, and members of nothing");
        let sql = "SELECT has_any_column_privilege($1, $2, 'INSERT, UPDATE') OR has_table_privilege($1, $2, 'DELETE, TRUNCATE')";
        let forges: bool = sqlx::query_scalar(sql).bind(&app).bind(format!("{service}.audit_seal")).fetch_one(&mut conn).await.unwrap();
        assert!(!forges, "{service}: only the sealer adds links to the chain of the access log");
        let tables = "SELECT relname::text, relrowsecurity AND relforcerowsecurity, COALESCE(obj_description(oid, 'pg_class'), ''), \
                      has_any_column_privilege($2, oid, 'SELECT, INSERT, UPDATE') OR has_table_privilege($2, oid, 'DELETE') \
                      FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p') ORDER BY 1";
        for row in sqlx::query(tables).bind(service).bind(&log).fetch_all(&mut conn).await.unwrap() {
            let (name, forced, comment, crossing): (String, bool, String, bool) = (row.get(0), row.get(1), row.get(2), row.get(3));
            if !forced {
                assert!(SHARED.contains(&name.as_str()), "{service}.{name} is behind no wall");
                assert!(comment.starts_with("shared: ") && comment.len() > 20, "{service}.{name} does not say why: {comment}");
                continue;
            }
            let listed = CROSSING.contains(&name.as_str()) || CROSSING.contains(&format!("{service}.{name}").as_str());
            assert_eq!(crossing, listed, "{service}.{name}: what the log's machinery may look into");
            faults.extend(wall(&mut conn, &app, &format!("{service}.\"{name}\"")).await);
            walls += 1;
        }
    }
    assert!(walls > 40, "{walls}");
    assert!(faults.is_empty(), "{walls} tables, {} faults:\n{}", faults.len(), faults.join("\n"));
    // The same through the store: what was not said is not there, and the machinery has no business with texts.
    let intake = Db::open(&suite.store_url(), "intake").await.unwrap();
    let cases = async |whose: Whose| intake.of(whose).rows("SELECT organisation FROM cases", args![]).await;
    assert!(cases("gamma".into()).await.unwrap().is_empty());
    let seen = cases("alfa".into()).await.unwrap();
    assert!(!seen.is_empty() && seen.iter().all(|row| row.text(0).unwrap() == "alfa"));
    assert!(cases(Whose::many(["alfa", "beta"])).await.unwrap().len() > seen.len());
    for sql in [
        "SELECT 1 FROM message",
        "SELECT 1 FROM note",
        "SELECT * FROM cases",
        "SELECT 1 FROM visitor",
        "SELECT file_name FROM attachment",
        "SELECT case_id FROM referral",
    ] {
        let error = intake.of(Whose::Log).rows(sql, args![]).await.err().unwrap();
        assert!(error.message.contains("permission denied"), "{sql}: {error}");
    }
    intake.close().await;
}

const THINGS: &Tables = &Tables {
    steps: &[Migration { name: "one", sql: "CREATE TABLE thing (n BIGINT PRIMARY KEY, organisation TEXT NOT NULL);\n" }],
    shared: &[],
    crossing: &[],
    kept: &[],
};

async fn put(db: &Db, whose: impl Into<Whose>, n: i64, organisation: &str) -> kernel::Result<u64> {
    let organisation = organisation.to_owned();
    let sql = "INSERT INTO thing (n, organisation) VALUES ($1, $2)";
    db.of(whose).transaction(move |tx| Box::pin(async move { tx.exec(sql, args![n, organisation]).await })).await
}

async fn seen(db: &Db, whose: impl Into<Whose>) -> usize {
    db.of(whose).rows("SELECT n FROM thing", args![]).await.unwrap().len()
}

/// On both engines a scope that is right changes nothing, whatever an organisation is called; on PostgreSQL a wrong one hides and refuses.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_an_organisation_is_called_it_sees_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let urls = [format!("sqlite:{}", folder.path().display()), blocking(|| shared_postgres().fresh_database("whose")).await];
    for url in urls {
        let db = Db::open(&url, "whose").await.unwrap();
        migrate::migrate(&db, &[THINGS], Time::ZERO).await.unwrap();
        let names = ["a", "b,c", "{d}", "e'); RESET ROLE; --", "\"f\"", "g\\", "åäö \u{1f642}", "NULL", " ", ""];
        for (n, name) in (0_i64..).zip(names) {
            assert_eq!(put(&db, name, n, name).await.unwrap(), 1, "{name:?}");
            let mine = db.of(name).rows("SELECT n FROM thing WHERE organisation = $1", args![name]).await.unwrap();
            assert_eq!((mine.len(), mine[0].int(0).unwrap()), (1, n), "{name:?}");
        }
        assert_eq!(seen(&db, Whose::many(names)).await, names.len());
        let postgres = db.engine() == store::Engine::Postgres;
        for name in names {
            assert_eq!(seen(&db, name).await, if postgres { 1 } else { names.len() }, "{name:?}");
        }
        if postgres {
            assert_eq!(seen(&db, Whose::Of(Vec::new())).await, 0);
            let error = put(&db, "a", 100, "b").await.unwrap_err();
            assert_eq!((error.code, error.reason), (kernel::Code::Internal, store::DATABASE), "never taken for poison: {error}");
            assert!(seen_role(&db).await.ends_with("_whose_app"));
        }
        db.close().await;
    }
}

/// Under which role a statement runs after others have tried to leave it.
async fn seen_role(db: &Db) -> String {
    let work = db.of("a").transaction(|tx| {
        Box::pin(async move {
            tx.exec("RESET ROLE", args![]).await?;
            tx.exec("RESET ALL", args![]).await?;
            tx.row("SELECT CAST(current_user AS TEXT)", args![]).await?.unwrap().text(0)
        })
    });
    work.await.unwrap()
}

/// A superuser's login ends up behind the wall too; one that may make no roles says what an administrator runs, and works after that.
#[tokio::test(flavor = "multi_thread")]
async fn every_login_works_under_the_services_roles_or_says_what_is_missing() {
    let (root, plain) = blocking(|| {
        let postgres = shared_postgres();
        let (own, other) = (postgres.fresh_database("logins"), postgres.fresh_database("logins"));
        let name = |url: &str| url.rsplit('/').next().unwrap().to_owned();
        let login = format!("{}_login", name(&other));
        postgres.psql("postgres", &format!("create role {login} login"));
        (postgres.superuser_url(&name(&own)), other.replace("samtal@", &format!("{login}@")))
    })
    .await;
    let db = Db::open(&root, "root").await.unwrap();
    migrate::migrate(&db, &[THINGS], Time::ZERO).await.unwrap();
    put(&db, "a", 1, "a").await.unwrap();
    assert_eq!((seen(&db, "a").await, seen(&db, "b").await), (1, 0));
    assert!(put(&db, "b", 2, "a").await.is_err());
    db.close().await;

    let db = Db::open(&plain, "plain").await.unwrap();
    let error = migrate::migrate(&db, &[THINGS], Time::ZERO).await.unwrap_err();
    assert_eq!(error.reason, "STORE_ROLES", "{error}");
    let (_, statements) = error.message.split_once("what exists: ").unwrap();
    let (statements, database) = (statements.to_owned(), plain.rsplit('/').next().unwrap().to_owned());
    blocking(move || shared_postgres().psql(&database, &statements)).await;
    for _ in 0..2 {
        migrate::migrate(&db, &[THINGS], Time::ZERO).await.unwrap();
    }
    put(&db, "a", 1, "a").await.unwrap();
    assert_eq!((seen(&db, "a").await, seen(&db, "b").await), (1, 0));
    db.close().await;
}

/// A table for which nobody has thought of organisations does not pass.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_an_organisation_and_without_a_reason_is_refused() {
    const STRAY: &Tables = &Tables { steps: &[Migration { name: "stray", sql: "CREATE TABLE stray (n BIGINT);\n" }], ..Tables::NONE };
    let url = blocking(|| shared_postgres().fresh_database("stray")).await;
    let db = Db::open(&url, "stray").await.unwrap();
    let error = migrate::migrate(&db, &[STRAY], Time::ZERO).await.unwrap_err();
    assert!(error.message.contains("stray.stray has no column organisation"), "{error}");
}

/// How often the server says that it is ready for more: once for every round trip. Through a proxy that only counts.
async fn counted(url: &str) -> (String, Arc<AtomicUsize>) {
    let (_, rest) = url.split_once('@').unwrap();
    let (address, _) = rest.split_once('/').unwrap();
    let (address, listener) = (address.to_owned(), tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap());
    let proxy = url.replace(&address, &listener.local_addr().unwrap().to_string());
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = tokio::net::TcpStream::connect(&address).await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
            let counter = counter.clone();
            tokio::spawn(async move {
                // One message at a time: its kind, its length, its content.
                loop {
                    let mut message = vec![0; 5];
                    from_server.read_exact(&mut message).await?;
                    // To a request for TLS the answer is one letter; these tests' servers have none, and are asked without.
                    let length = u32::from_be_bytes([message[1], message[2], message[3], message[4]]) as usize;
                    message.resize(length + 1, 0);
                    from_server.read_exact(&mut message[5..]).await?;
                    if message[0] == b'Z' {
                        counter.fetch_add(1, Ordering::SeqCst);
                    }
                    to_client.write_all(&message).await?;
                }
                #[allow(unreachable_code)]
                std::io::Result::Ok(())
            });
        }
    });
    (format!("{proxy}?sslmode=disable"), count)
}

/// Saying whose rows are meant costs a transaction nothing, and a caller who reads nothing: BEGIN takes the place of the ping before each use.
#[tokio::test(flavor = "multi_thread")]
async fn a_scope_costs_no_round_trip() {
    let url = blocking(|| shared_postgres().fresh_database("trips")).await;
    let (proxy, count) = counted(&url).await;
    let db = Db::open(&proxy, "trips").await.unwrap();
    migrate::migrate(&db, &[THINGS], Time::ZERO).await.unwrap();
    let all = async |expected: usize, what: &str, one: &dyn Fn() -> futures::future::BoxFuture<'static, ()>| {
        const TIMES: usize = 100;
        one().await;
        let before = count.load(Ordering::SeqCst);
        for _ in 0..TIMES {
            one().await;
        }
        eventually(what, async || (count.load(Ordering::SeqCst) >= before + TIMES * expected).then_some(())).await;
        // A connection that was not yet back makes the pool open another, which costs two: at most a dozen times, not a hundred.
        let trips = count.load(Ordering::SeqCst) - before;
        assert!(trips < TIMES * expected + TIMES / 2, "{what}: {trips} round trips for {TIMES}");
    };
    let plain = PgPool::connect(&proxy).await.unwrap();
    // sqlx as it comes: ping, query, ping on the way back.
    all(3, "a read of a plain pool", &|| {
        let plain = plain.clone();
        Box::pin(async move { sqlx::query("SELECT 1").execute(&plain).await.map(drop).unwrap() })
    })
    .await;
    // BEGIN with the scope, query; then, with the answer given, COMMIT and the ping on the way back.
    all(4, "a read", &|| {
        let db = db.clone();
        Box::pin(async move { db.of("a").rows("SELECT n FROM thing", args![]).await.map(drop).unwrap() })
    })
    .await;
    // A plain pool takes five: it pings first.
    all(4, "a transaction of one statement", &|| {
        let db = db.clone();
        Box::pin(async move {
            let work = db.of("a").transaction(|tx| Box::pin(async move { tx.exec("DELETE FROM thing", args![]).await }));
            work.await.map(drop).unwrap();
        })
    })
    .await;
}

/// The owner is behind the wall too while the service runs; a step of a later version reaches every row, and the wall stands again after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_later_step_reaches_everybodys_rows_and_the_wall_stands_again() {
    const LATER: &Tables = &Tables {
        steps: &[
            Migration { name: "one", sql: "CREATE TABLE thing (n BIGINT PRIMARY KEY, organisation TEXT NOT NULL);\n" },
            Migration { name: "two", sql: "UPDATE thing SET n = n + 10;\nCREATE TABLE other (organisation TEXT NOT NULL);\n" },
        ],
        ..Tables::NONE
    };
    let url = blocking(|| shared_postgres().fresh_database("later")).await;
    let db = Db::open(&url, "later").await.unwrap();
    migrate::migrate(&db, &[THINGS], Time::ZERO).await.unwrap();
    put(&db, "a", 1, "a").await.unwrap();
    put(&db, "b", 2, "b").await.unwrap();
    // The owner, who is no superuser here.
    let mut owner = PgConnection::connect(&url).await.unwrap();
    assert!(sqlx::query("UPDATE later.thing SET n = 0").execute(&mut owner).await.is_err(), "nobody has said whose");
    migrate::migrate(&db, &[LATER], Time::ZERO).await.unwrap();
    let rows = db.of(Whose::many(["a", "b"])).rows("SELECT n FROM thing ORDER BY n", args![]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.int(0).unwrap()).collect::<Vec<_>>(), [11, 12]);
    assert!(sqlx::query("UPDATE later.thing SET n = 0").execute(&mut owner).await.is_err(), "the wall stands again");
    assert_eq!((seen(&db, "a").await, seen(&db, "c").await), (1, 0));
    let forced = "SELECT COUNT(*) FROM pg_class WHERE relnamespace = 'later'::regnamespace AND relkind = 'r' AND relforcerowsecurity";
    assert_eq!(count(&mut owner, forced.to_owned()).await, 2);
    db.close().await;
}
