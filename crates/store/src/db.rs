//! A service's own database.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use kernel::{Error, Result, Time};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::args::Args;
use crate::error::from_sqlx;
use crate::row::Row;
use crate::sqlite::Sqlite;
use crate::tx::{Commit, Conn, Tx, postgres};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Postgres,
    Sqlite,
}

/// A service's database: one SQLite file, or one schema of a PostgreSQL database. Cheap to clone.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

enum Inner {
    Postgres { pool: PgPool, schema: String },
    Sqlite(Sqlite),
}

/// What a piece of work inside a transaction returns; it borrows the transaction.
pub type Work<'t, T> = BoxFuture<'t, Result<T>>;

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
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| Error::invalid("store", format!("is not a PostgreSQL address: {error}")))?
            .application_name(&format!("samtal-{service}"))
            .options([
                ("search_path", service),
                // Short: a command that waits for a lock is better run again than holding up its whole batch.
                ("lock_timeout", "2000"),
                ("idle_in_transaction_session_timeout", "10000"),
                ("statement_timeout", "30000"),
            ])
            .statement_cache_capacity(400);
        let pool = PgPoolOptions::new().max_connections(12).acquire_timeout(Duration::from_secs(5)).connect_lazy_with(options);
        Ok(Self(Arc::new(Inner::Postgres { pool, schema: service.to_owned() })))
    }

    pub fn engine(&self) -> Engine {
        match *self.0 {
            Inner::Postgres { .. } => Engine::Postgres,
            Inner::Sqlite(_) => Engine::Sqlite,
        }
    }

    pub(crate) fn schema(&self) -> Option<&str> {
        match &*self.0 {
            Inner::Postgres { schema, .. } => Some(schema),
            Inner::Sqlite(_) => None,
        }
    }

    /// Runs `work` in one transaction and commits it to the disk if it succeeds; an error rolls everything back.
    ///
    /// The transaction runs to its end in a task or a thread of its own, whatever becomes of the caller: with sqlx 0.9 a future that
    /// is dropped while it begins a transaction hands the open transaction back to the pool, and later writes on that
    /// connection vanish. A caller that gives up therefore does not know whether the work was committed.
    pub async fn transaction<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        self.transaction_with(Commit::Durable, work).await
    }

    /// The same with a commit that may wait for less than the disk.
    pub async fn transaction_with<T, F>(&self, commit: Commit, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        match &*self.0 {
            Inner::Postgres { pool, .. } => {
                let pool = pool.clone();
                let task = tokio::spawn(async move {
                    let conn = pool.acquire().await.map_err(from_sqlx)?;
                    perform(&mut Tx::new(Conn::Postgres(Box::new(conn))), commit, work).await
                });
                task.await.unwrap_or_else(|error| Err(Error::internal(format!("a transaction ended early: {error}"))))
            }
            Inner::Sqlite(sqlite) => sqlite.write(move |tx, runtime| runtime.block_on(perform(tx, commit, work))).await,
        }
    }

    /// Reads outside a transaction: what is committed.
    pub async fn rows(&self, sql: impl Into<Cow<'static, str>>, args: Args) -> Result<Vec<Row>> {
        let sql = sql.into();
        match &*self.0 {
            Inner::Postgres { pool, .. } => {
                let rows = postgres(sql, args).fetch_all(pool).await.map_err(from_sqlx)?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
            Inner::Sqlite(sqlite) => sqlite.rows(sql, args).await,
        }
    }

    /// The first row of a read outside a transaction.
    pub async fn row(&self, sql: impl Into<Cow<'static, str>>, args: Args) -> Result<Option<Row>> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }

    /// The database's own time, which leases and business time follow; an embedded store has its machine's.
    pub async fn now(&self) -> Result<Option<Time>> {
        match self.engine() {
            Engine::Sqlite => Ok(None),
            Engine::Postgres => {
                let row = self.row("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)", Vec::new()).await?;
                row.map(|row| row.time(0)).transpose()
            }
        }
    }

    /// Ends all connections; an embedded store folds its write-ahead log into the file.
    pub async fn close(&self) {
        match &*self.0 {
            Inner::Postgres { pool, .. } => pool.close().await,
            Inner::Sqlite(sqlite) => sqlite.close().await,
        }
    }
}

/// Begins, lets `work` do its part, and commits, or rolls back.
async fn perform<T, F>(tx: &mut Tx, commit: Commit, work: F) -> Result<T>
where
    F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T>,
{
    tx.begin(commit).await?;
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
