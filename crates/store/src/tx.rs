//! A transaction in progress.

use std::borrow::Cow;

use kernel::{Code, Error, Result};
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Executor, PgPool, Postgres, Sqlite, SqliteConnection};
use tokio::sync::OwnedMutexGuard;

use crate::args::{Args, Val};
use crate::db::Engine;
use crate::error::from_sqlx;
use crate::row::Row;

/// SQLite's one writing connection, and whether a transaction was left open on it by a panic.
pub(crate) struct Writer {
    pub conn: SqliteConnection,
    pub open: bool,
}

pub(crate) enum Conn {
    Postgres(Box<PoolConnection<Postgres>>),
    Sqlite(OwnedMutexGuard<Writer>),
}

/// Statements inside one transaction. Only [`crate::Scoped::transaction`] makes and ends one.
pub struct Tx {
    conn: Conn,
    /// A statement failed: nothing of this transaction can be committed any more.
    failed: bool,
    /// Statements so far that may have changed something.
    writes: u32,
    finished: bool,
}

impl Tx {
    fn new(conn: Conn) -> Self {
        Self { conn, failed: false, writes: 0, finished: false }
    }

    /// Begins on a connection of `pool` with `statement`, which opens a transaction and says whose rows it is about.
    pub(crate) async fn postgres(pool: &PgPool, statement: &str) -> Result<Self> {
        let mut tries = pool.options().get_max_connections();
        loop {
            let mut tx = Self::new(Conn::Postgres(Box::new(pool.acquire().await.map_err(from_sqlx)?)));
            match tx.script(statement).await {
                Ok(()) => return Ok(tx),
                // It died while it lay idle, and is closed; nothing was begun. This takes the place of a ping before each use.
                Err(error) if error.code == Code::Unavailable && tries > 0 => tries -= 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Begins on SQLite's one writing connection.
    pub(crate) async fn sqlite(writer: OwnedMutexGuard<Writer>) -> Result<Self> {
        let mut tx = Self::new(Conn::Sqlite(writer));
        if let Conn::Sqlite(writer) = &mut tx.conn {
            if writer.open {
                // What a panic left behind was never acknowledged to anybody.
                let _ = (&mut writer.conn).execute("ROLLBACK").await;
            }
            writer.open = true;
            (&mut writer.conn).execute("BEGIN IMMEDIATE").await.map_err(from_sqlx)?;
        }
        Ok(tx)
    }

    /// Runs statements without values in one message to PostgreSQL.
    pub(crate) async fn script(&mut self, sql: &str) -> Result<()> {
        if let Conn::Postgres(conn) = &mut self.conn {
            let done = (&mut ***conn).execute(AssertSqlSafe(sql.to_owned())).await;
            done.map_err(|error| self.fail(error))?;
        }
        Ok(())
    }

    pub(crate) async fn end(mut self, statement: &'static str) -> Result<()> {
        let ended = match &mut self.conn {
            Conn::Postgres(conn) => (&mut ***conn).execute(statement).await.map(|_| ()),
            Conn::Sqlite(writer) => {
                let ended = (&mut writer.conn).execute(statement).await.map(|_| ());
                writer.open = ended.is_err();
                ended
            }
        };
        self.finished = ended.is_ok();
        ended.map_err(from_sqlx)
    }

    pub fn engine(&self) -> Engine {
        match self.conn {
            Conn::Postgres(_) => Engine::Postgres,
            Conn::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// Whether a statement has failed, so that only a rollback is left.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Statements so far that may have changed something; a caller compares two readings.
    pub fn writes(&self) -> u32 {
        self.writes
    }

    /// Runs a statement that changes something; answers how many rows it touched.
    pub async fn exec(&mut self, sql: impl Into<Cow<'static, str>>, args: Args) -> Result<u64> {
        self.writes += 1;
        let sql = sql.into();
        let done = match &mut self.conn {
            Conn::Postgres(conn) => postgres(sql, args).execute(&mut ***conn).await.map(|done| done.rows_affected()),
            Conn::Sqlite(writer) => sqlite(sql, args).execute(&mut writer.conn).await.map(|done| done.rows_affected()),
        };
        done.map_err(|error| self.fail(error))
    }

    /// Runs a query, or a change with RETURNING, which counts as a write.
    pub async fn rows(&mut self, sql: impl Into<Cow<'static, str>>, args: Args) -> Result<Vec<Row>> {
        let sql = sql.into();
        if !sql.starts_with("SELECT") {
            self.writes += 1;
        }
        let rows = match &mut self.conn {
            Conn::Postgres(conn) => {
                postgres(sql, args).fetch_all(&mut ***conn).await.map(|rows| rows.into_iter().map(Row::Postgres).collect())
            }
            Conn::Sqlite(writer) => {
                sqlite(sql, args).fetch_all(&mut writer.conn).await.map(|rows| rows.into_iter().map(Row::Sqlite).collect())
            }
        };
        rows.map_err(|error| self.fail(error))
    }

    /// The first row, if there is one.
    pub async fn row(&mut self, sql: impl Into<Cow<'static, str>>, args: Args) -> Result<Option<Row>> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }

    fn fail(&mut self, error: sqlx::Error) -> Error {
        self.failed = true;
        from_sqlx(error)
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if !self.finished
            && let Conn::Postgres(conn) = &mut self.conn
        {
            // A connection with a transaction open must never be handed out again: later writes on it would vanish.
            conn.close_on_drop();
        }
    }
}

pub(crate) fn postgres(sql: Cow<'static, str>, args: Args) -> sqlx::query::Query<'static, Postgres, sqlx::postgres::PgArguments> {
    let mut query = match sql {
        Cow::Borrowed(text) => sqlx::query(text),
        Cow::Owned(text) => sqlx::query(AssertSqlSafe(text)),
    };
    for value in args {
        query = match value {
            Val::Int(v) => query.bind(v),
            Val::Bool(v) => query.bind(v),
            Val::Text(v) => query.bind(v),
            Val::Bytes(v) => query.bind(v),
            Val::Uuid(v) => query.bind(v),
            Val::Float(v) => query.bind(v),
        };
    }
    query
}

pub(crate) fn sqlite(sql: Cow<'static, str>, args: Args) -> sqlx::query::Query<'static, Sqlite, sqlx::sqlite::SqliteArguments> {
    let mut query = match sql {
        Cow::Borrowed(text) => sqlx::query(text.strip_suffix(" FOR UPDATE").unwrap_or(text)),
        Cow::Owned(mut text) => {
            if text.ends_with(" FOR UPDATE") {
                text.truncate(text.len() - " FOR UPDATE".len());
            }
            sqlx::query(AssertSqlSafe(text))
        }
    };
    for value in args {
        query = match value {
            Val::Int(v) => query.bind(v),
            Val::Bool(v) => query.bind(v),
            Val::Text(v) => query.bind(v),
            Val::Bytes(v) => query.bind(v),
            Val::Uuid(v) => query.bind(v),
            Val::Float(v) => query.bind(v),
        };
    }
    query
}
