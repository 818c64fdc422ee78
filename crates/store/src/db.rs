//! A service's own database.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::str::FromStr;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use kernel::{Error, Result, Time};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::oneshot;

use crate::args::Args;
use crate::connections::{Connections, Patience};
use crate::isolation::Roles;
use crate::row::Row;
use crate::sqlite::Sqlite;
use crate::tx::{Commit, Tx};
use crate::whose::Whose;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Postgres,
    Sqlite,
}

/// A service's database: one SQLite file, or one schema of a PostgreSQL database. Cheap to clone.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

enum Inner {
    Postgres { connections: Connections, patient: bool, login: Box<PgConnectOptions>, schema: String, roles: Roles },
    Sqlite(Sqlite),
}

/// A database, and whose rows in it are meant.
#[derive(Clone)]
pub struct Scoped {
    db: Db,
    whose: Whose,
}

/// What a piece of work inside a transaction returns; it borrows the transaction.
pub type Work<'t, T> = BoxFuture<'t, Result<T>>;

const NOW: &str = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)";
const MAX_CONNECTIONS: u32 = 12;

impl Db {
    /// Opens the database of `service`: `sqlite:FOLDER` (a file FOLDER/service.db) or `postgres://…` (a schema `service`).
    /// PostgreSQL need not answer yet; SQLite's folder must exist.
    pub async fn open(url: &str, service: &str) -> Result<Self> {
        match url.split_once(':') {
            Some(("sqlite", folder)) => {
                let sqlite = Sqlite::open(format!("{folder}/{service}.db").into()).await?;
                Ok(Self(Arc::new(Inner::Sqlite(sqlite))))
            }
            Some(("postgres" | "postgresql", _)) => Self::postgres(url, service),
            _ => Err(Error::invalid("store", "must be sqlite:FOLDER or postgres://USER@HOST/DATABASE")),
        }
    }

    fn postgres(url: &str, service: &str) -> Result<Self> {
        let login = PgConnectOptions::from_str(url)
            .map_err(|error| Error::invalid("store", format!("is not a PostgreSQL address: {error}")))?
            .application_name(&format!("samtal-{service}"))
            .options([
                ("search_path", service),
                // Short: a command that waits for a lock is better run again than holding up its whole batch.
                ("lock_timeout", "2000"),
                ("idle_in_transaction_session_timeout", "10000"),
                ("statement_timeout", "30000"),
                // Texts are quoted on this understanding.
                ("standard_conforming_strings", "on"),
            ])
            .statement_cache_capacity(400);
        let roles = Roles::new(login.get_database().unwrap_or_else(|| login.get_username()), service)?;
        // As an option of the connection, so that even RESET leads back to this role and not to the login's.
        let connections = Connections::new(login.clone().options([("role", &roles.app)]), MAX_CONNECTIONS);
        Ok(Self(Arc::new(Inner::Postgres { connections, patient: false, login: Box::new(login), schema: service.to_owned(), roles })))
    }

    pub fn engine(&self) -> Engine {
        match *self.0 {
            Inner::Postgres { .. } => Engine::Postgres,
            Inner::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// The same database under the login role itself, for migrations; nothing of the kind on SQLite.
    pub(crate) fn owner(&self) -> Option<(Self, String, Roles)> {
        let Inner::Postgres { login, schema, roles, .. } = &*self.0 else { return None };
        let (login, schema, roles) = (login.clone(), schema.clone(), roles.clone());
        let connections = Connections::new(*login.clone(), 1);
        let owner = Inner::Postgres { connections, patient: true, login, schema: schema.clone(), roles: roles.clone() };
        Some((Self(Arc::new(owner)), schema, roles))
    }

    /// Says whose rows are meant; only then can anything be read or written.
    pub fn of(&self, whose: impl Into<Whose>) -> Scoped {
        Scoped { db: self.clone(), whose: whose.into() }
    }

    /// Runs `work` in one transaction, of nobody's rows, and ends all connections: for an [`owner`](Self::owner), who has one thing to do.
    pub(crate) async fn once<T, F>(self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        let done = self.of("").transaction(work).await;
        self.close().await;
        done
    }

    /// The database's own time, which leases and business time follow; an embedded store has its machine's.
    pub async fn now(&self) -> Result<Option<Time>> {
        let Inner::Postgres { connections, .. } = &*self.0 else { return Ok(None) };
        let mut used = connections.acquire().await?;
        let now = connections.begin(Patience::Write, sqlx::query_scalar(NOW).fetch_one(&mut *used.conn)).await;
        if now.is_err() {
            used.conn.close_on_drop();
        }
        now.map(|micros| Some(Time::from_micros(micros)))
    }

    /// The same before anything is migrated: whether the server answers, and with what time.
    pub async fn first_now(&self) -> Result<Option<Time>> {
        match self.owner() {
            None => Ok(None),
            Some((owner, ..)) => {
                let now = owner.now().await;
                owner.close().await;
                now
            }
        }
    }

    /// Ends all connections; an embedded store folds its write-ahead log into the file.
    pub async fn close(&self) {
        match &*self.0 {
            Inner::Postgres { connections, .. } => connections.close().await,
            Inner::Sqlite(sqlite) => sqlite.close().await,
        }
    }
}

impl Scoped {
    /// The database, whoever's rows were meant.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Runs `work` in one transaction and commits it to the disk if it succeeds; an error rolls everything back.
    ///
    /// The transaction runs to its end in a task or a thread of its own, whatever becomes of the caller: with sqlx 0.9 a future that
    /// is dropped while it begins a transaction hands the open transaction back to the pool, and later writes on that
    /// connection vanish. A caller that gives up therefore does not know whether the work was committed.
    pub async fn transaction<T, F>(self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        self.transaction_with(Commit::Durable, work).await
    }

    /// The same with a commit that may wait for less than the disk.
    pub async fn transaction_with<T, F>(self, commit: Commit, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        match &*self.db.0 {
            Inner::Postgres { connections, patient, roles, .. } => {
                let begin = self.whose.begin("", &roles.log)? + commit.setting_postgres();
                let (connections, patience) = (connections.clone(), if *patient { Patience::Endless } else { Patience::Write });
                let task = tokio::spawn(async move { perform(&mut Tx::postgres(&connections, &begin, patience).await?, work).await });
                task.await.unwrap_or_else(|error| Err(Error::internal(format!("a transaction ended early: {error}"))))
            }
            Inner::Sqlite(sqlite) => {
                let write = move |tx: &mut Tx, runtime: &tokio::runtime::Handle| {
                    runtime.block_on(async {
                        tx.again(commit).await?;
                        perform(tx, work).await
                    })
                };
                sqlite.write(write).await
            }
        }
    }

    /// Reads what is committed.
    pub async fn rows(&self, sql: impl Into<Cow<'static, str>>, args: Args) -> Result<Vec<Row>> {
        let sql = sql.into();
        match &*self.db.0 {
            Inner::Sqlite(sqlite) => sqlite.rows(sql, args).await,
            Inner::Postgres { connections, patient, roles, .. } => {
                let begin = self.whose.begin(" READ ONLY", &roles.log)?;
                let (connections, patience) = (connections.clone(), if *patient { Patience::Endless } else { Patience::Read });
                let (answer, answered) = oneshot::channel();
                // In a task of its own for the same reason as a transaction.
                tokio::spawn(async move {
                    let mut tx = match Tx::postgres(&connections, &begin, patience).await {
                        Ok(tx) => tx,
                        Err(error) => return drop(answer.send(Err(error))),
                    };
                    let rows = tx.rows(sql, args).await;
                    // The caller has its rows before the transaction ends, and need not wait for that.
                    drop(answer.send(rows));
                    let _ = tx.end("COMMIT").await;
                });
                answered.await.unwrap_or_else(|_| Err(Error::internal("a read panicked")))
            }
        }
    }

    /// The first row of a read that an index answers. Where the whole table may have to be looked through, call [`Scoped::rows`],
    /// which lets others go on meanwhile.
    pub async fn row(&self, sql: impl Into<Cow<'static, str>>, args: Args) -> Result<Option<Row>> {
        match &*self.db.0 {
            Inner::Sqlite(sqlite) => sqlite.row(&sql.into(), args).await,
            Inner::Postgres { .. } => Ok(self.rows(sql, args).await?.into_iter().next()),
        }
    }
}

/// Lets `work` do its part in a transaction that has begun, and commits, or rolls back.
async fn perform<T, F>(tx: &mut Tx, work: F) -> Result<T>
where
    F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T>,
{
    let done = AssertUnwindSafe(async { work(tx).await }).catch_unwind().await;
    let done = done.unwrap_or_else(|_| Err(Error::internal("a transaction panicked")));
    if done.is_ok() && !tx.failed() {
        kernel::failpoint::pass("unit.before_commit");
        tx.end("COMMIT").await?;
        kernel::failpoint::pass("unit.after_commit");
        return done;
    }
    // If even this fails, PostgreSQL's connection is closed rather than used again, and SQLite's is rolled back at the next begin.
    let _ = tx.end("ROLLBACK").await;
    done.and_then(|_| Err(Error::internal("a statement failed and its error was ignored")))
}
