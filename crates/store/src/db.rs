//! A service's own database.

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use kernel::{Error, Result, Time};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, PgPool, SqlitePool};
use tokio::sync::Mutex;

use crate::args::Args;
use crate::error::from_sqlx;
use crate::row::Row;
use crate::tx::{Conn, Tx, Writer, postgres, sqlite};

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
    Sqlite { readers: SqlitePool, writer: Arc<Mutex<Writer>> },
}

/// What a piece of work inside a transaction returns; it borrows the transaction.
pub type Work<'t, T> = BoxFuture<'t, Result<T>>;

impl Db {
    /// Opens the database of `service`: `sqlite:FOLDER` (a file FOLDER/service.db) or `postgres://…` (a schema `service`).
    /// PostgreSQL need not answer yet; SQLite's folder must exist.
    pub async fn open(url: &str, service: &str) -> Result<Self> {
        match url.split_once(':') {
            Some(("sqlite", folder)) => Self::sqlite(folder, service).await,
            Some(("postgres" | "postgresql", _)) => Self::postgres(url, service),
            _ => Err(Error::invalid("store", "must be sqlite:FOLDER or postgres://USER@HOST/DATABASE")),
        }
    }

    async fn sqlite(folder: &str, service: &str) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(format!("{folder}/{service}.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: a commit is on the disk before it is acknowledged.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .statement_cache_capacity(400)
            .pragma("cache_size", "-16000")
            // Folding the write-ahead log into the file costs syncs of its own: every 16 MiB, not every 4.
            .pragma("wal_autocheckpoint", "4000")
            .pragma("journal_size_limit", "67108864");
        let conn = options.clone().connect().await.map_err(from_sqlx)?;
        let readers = SqlitePoolOptions::new().min_connections(1).max_connections(4).connect_lazy_with(options.read_only(true));
        Ok(Self(Arc::new(Inner::Sqlite { readers, writer: Arc::new(Mutex::new(Writer { conn, open: false })) })))
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
            Inner::Sqlite { .. } => Engine::Sqlite,
        }
    }

    pub(crate) fn schema(&self) -> Option<&str> {
        match &*self.0 {
            Inner::Postgres { schema, .. } => Some(schema),
            Inner::Sqlite { .. } => None,
        }
    }

    /// Runs `work` in one transaction and commits it if it succeeds; an error rolls everything back.
    ///
    /// The transaction runs to its end in a task of its own, whatever becomes of the caller: with sqlx 0.9 a future that is
    /// dropped while it begins a transaction hands the open transaction back to the pool, and later writes on that
    /// connection vanish. A caller that gives up therefore does not know whether the work was committed.
    pub async fn transaction<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        let db = self.clone();
        let task = tokio::spawn(async move {
            let mut tx = Tx::begin(db.write_connection().await?).await?;
            let done = work(&mut tx).await;
            if done.is_ok() && !tx.failed() {
                kernel::failpoint::pass("unit.before_commit");
                tx.end("COMMIT").await?;
                kernel::failpoint::pass("unit.after_commit");
                return done;
            }
            // If even this fails, the connection is closed rather than used again.
            let _ = tx.end("ROLLBACK").await;
            done.and_then(|_| Err(Error::internal("a statement failed and its error was ignored")))
        });
        task.await.unwrap_or_else(|error| Err(Error::internal(format!("a transaction panicked: {error}"))))
    }

    async fn write_connection(&self) -> Result<Conn> {
        match &*self.0 {
            Inner::Postgres { pool, .. } => Ok(Conn::Postgres(Box::new(pool.acquire().await.map_err(from_sqlx)?))),
            Inner::Sqlite { writer, .. } => Ok(Conn::Sqlite(writer.clone().lock_owned().await)),
        }
    }

    /// Reads outside a transaction: what is committed.
    pub async fn rows(&self, sql: impl Into<Cow<'static, str>>, args: Args) -> Result<Vec<Row>> {
        let sql = sql.into();
        match &*self.0 {
            Inner::Postgres { pool, .. } => {
                postgres(sql, args).fetch_all(pool).await.map(|rows| rows.into_iter().map(Row::Postgres).collect())
            }
            Inner::Sqlite { readers, .. } => {
                sqlite(sql, args).fetch_all(readers).await.map(|rows| rows.into_iter().map(Row::Sqlite).collect())
            }
        }
        .map_err(from_sqlx)
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
            Inner::Sqlite { readers, writer } => {
                readers.close().await;
                let mut writer = writer.lock().await;
                let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut writer.conn).await;
            }
        }
    }
}
