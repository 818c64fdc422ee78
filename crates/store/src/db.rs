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
use tokio::sync::{Mutex, oneshot};

use crate::args::Args;
use crate::error::from_sqlx;
use crate::isolation::Roles;
use crate::row::Row;
use crate::tx::{Tx, Writer, sqlite};
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
    Postgres { pool: PgPool, login: Box<PgConnectOptions>, schema: String, roles: Roles },
    Sqlite { readers: SqlitePool, writer: Arc<Mutex<Writer>> },
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
        let pool = pool(MAX_CONNECTIONS).connect_lazy_with(login.clone().options([("role", &roles.app)]));
        Ok(Self(Arc::new(Inner::Postgres { pool, login: Box::new(login), schema: service.to_owned(), roles })))
    }

    pub fn engine(&self) -> Engine {
        match *self.0 {
            Inner::Postgres { .. } => Engine::Postgres,
            Inner::Sqlite { .. } => Engine::Sqlite,
        }
    }

    /// The same database under the login role itself, for migrations; nothing of the kind on SQLite.
    pub(crate) fn owner(&self) -> Option<(Self, String, Roles)> {
        let Inner::Postgres { login, schema, roles, .. } = &*self.0 else { return None };
        let (login, schema, roles) = (login.clone(), schema.clone(), roles.clone());
        let owner =
            Inner::Postgres { pool: pool(1).connect_lazy_with(*login.clone()), login, schema: schema.clone(), roles: roles.clone() };
        Some((Self(Arc::new(owner)), schema, roles))
    }

    /// Says whose rows are meant; only then can anything be read or written.
    pub fn of(&self, whose: impl Into<Whose>) -> Scoped {
        Scoped { db: self.clone(), whose: whose.into() }
    }

    /// The database's own time, which leases and business time follow; an embedded store has its machine's.
    pub async fn now(&self) -> Result<Option<Time>> {
        let Inner::Postgres { pool, .. } = &*self.0 else { return Ok(None) };
        sqlx::query_scalar(NOW).fetch_one(pool).await.map(|micros| Some(Time::from_micros(micros))).map_err(from_sqlx)
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
            Inner::Postgres { pool, .. } => pool.close().await,
            Inner::Sqlite { readers, writer } => {
                readers.close().await;
                let mut writer = writer.lock().await;
                let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut writer.conn).await;
            }
        }
    }

    async fn begin(&self, whose: &Whose, mode: &str) -> Result<Tx> {
        match &*self.0 {
            Inner::Postgres { pool, roles, .. } => Tx::postgres(pool, &whose.begin(mode, &roles.log)?).await,
            Inner::Sqlite { writer, .. } => Tx::sqlite(writer.clone().lock_owned().await).await,
        }
    }
}

fn pool(connections: u32) -> PgPoolOptions {
    // Not pinged before each use: the BEGIN finds out whether a connection still lives.
    PgPoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_secs(5)).test_before_acquire(false)
}

impl Scoped {
    /// The database, whoever's rows were meant.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Runs `work` in one transaction and commits it if it succeeds; an error rolls everything back.
    ///
    /// The transaction runs to its end in a task of its own, whatever becomes of the caller: with sqlx 0.9 a future that is
    /// dropped while it begins a transaction hands the open transaction back to the pool, and later writes on that
    /// connection vanish. A caller that gives up therefore does not know whether the work was committed.
    pub async fn transaction<T, F>(self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        let task = tokio::spawn(async move {
            let mut tx = self.db.begin(&self.whose, "").await?;
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

    /// Reads what is committed.
    pub async fn rows(&self, sql: impl Into<Cow<'static, str>>, args: Args) -> Result<Vec<Row>> {
        let sql = sql.into();
        if let Inner::Sqlite { readers, .. } = &*self.db.0 {
            let rows = sqlite(sql, args).fetch_all(readers).await.map_err(from_sqlx)?;
            return Ok(rows.into_iter().map(Row::Sqlite).collect());
        }
        let (scoped, (answer, answered)) = (self.clone(), oneshot::channel());
        // In a task of its own for the same reason as a transaction.
        tokio::spawn(async move {
            let begun = scoped.db.begin(&scoped.whose, " READ ONLY").await;
            let mut tx = match begun {
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

    /// The first row of a read.
    pub async fn row(&self, sql: impl Into<Cow<'static, str>>, args: Args) -> Result<Option<Row>> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }
}
