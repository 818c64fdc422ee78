//! A transaction in progress.

use std::borrow::Cow;

use kernel::{Code, Result};
use sqlx::{AssertSqlSafe, Executor, Postgres};

use crate::args::{Args, Val};
use crate::connections::{Connections, Patience, Used};
use crate::db::Engine;
use crate::error::from_sqlite;
use crate::row::Row;
use crate::sqlite;

pub(crate) enum Conn {
    Postgres(Box<Used>, Connections),
    /// The one that writes, in its own thread.
    Sqlite(rusqlite::Connection),
}

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// That it is on the disk.
    Durable,
    /// Nothing: for work that is done again from elsewhere if a power cut takes it. Nothing is cut out of the middle, for the
    /// next durable commit takes all that was committed before it to the disk.
    Repeatable,
}

impl Commit {
    /// What follows PostgreSQL's BEGIN, in the same message.
    pub(crate) const fn setting_postgres(self) -> &'static str {
        match self {
            Self::Durable => "",
            Self::Repeatable => "; SET LOCAL synchronous_commit = off",
        }
    }

    /// Both keep the order of commits, and neither lets a power cut break the file.
    const fn pragma_sqlite(self) -> &'static str {
        match self {
            Self::Durable => "PRAGMA synchronous = FULL",
            Self::Repeatable => "PRAGMA synchronous = NORMAL",
        }
    }
}

/// Statements inside one transaction. Only [`crate::Scoped::transaction`] begins and ends one.
pub struct Tx {
    pub(crate) conn: Conn,
    /// A statement failed: nothing of this transaction can be committed any more.
    failed: bool,
    /// Statements so far that may have changed something.
    writes: u32,
    open: bool,
    /// What SQLite's connection is set to.
    commit: Option<Commit>,
    /// How long PostgreSQL may take.
    patience: Patience,
}

impl Tx {
    pub(crate) fn new(conn: Conn) -> Self {
        Self { conn, failed: false, writes: 0, open: false, commit: None, patience: Patience::Endless }
    }

    /// Begins on a connection of `pool` with `statement`, which opens a transaction and says whose rows it is about.
    pub(crate) async fn postgres(connections: &Connections, statement: &str, patience: Patience) -> Result<Self> {
        let mut tries = connections.most();
        loop {
            let mut tx = Self::new(Conn::Postgres(Box::new(connections.acquire().await?), connections.clone()));
            // From here on it may be open, whatever becomes of the answer.
            tx.open = true;
            tx.patience = patience;
            match tx.begin(statement).await {
                Ok(()) => return Ok(tx),
                // It died while it lay idle, and is closed; nothing was begun. This takes the place of a ping before each use.
                Err(error) if error.code == Code::Unavailable && tries > 0 => tries -= 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn begin(&mut self, statement: &str) -> Result<()> {
        let Conn::Postgres(used, connections) = &mut self.conn else { return Ok(()) };
        let work = (&mut *used.conn).execute(AssertSqlSafe(statement.to_owned()));
        connections.begin(self.patience, work).await.map(drop)
    }

    /// Begins on SQLite's one writing connection, which is used again and again.
    pub(crate) async fn again(&mut self, commit: Commit) -> Result<()> {
        if self.open {
            // What could not be ended was never acknowledged to anybody.
            let _ = self.end("ROLLBACK").await;
        }
        (self.failed, self.writes, self.open) = (false, 0, true);
        if let Conn::Sqlite(conn) = &mut self.conn {
            if self.commit != Some(commit) {
                sqlite::exec(conn, commit.pragma_sqlite(), Vec::new()).map_err(from_sqlite)?;
                self.commit = Some(commit);
            }
            sqlite::exec(conn, "BEGIN IMMEDIATE", Vec::new()).map_err(from_sqlite)?;
        }
        Ok(())
    }

    /// Runs statements without values in one message to PostgreSQL.
    pub(crate) async fn script(&mut self, sql: &str) -> Result<()> {
        if let Conn::Postgres(used, connections) = &mut self.conn {
            let done = connections.statement(self.patience, (&mut *used.conn).execute(AssertSqlSafe(sql.to_owned()))).await;
            self.failed |= done.is_err();
            done?;
        }
        Ok(())
    }

    pub(crate) async fn end(&mut self, statement: &'static str) -> Result<()> {
        match &mut self.conn {
            Conn::Postgres(used, connections) => connections.statement(self.patience, (&mut *used.conn).execute(statement)).await.map(drop),
            Conn::Sqlite(conn) => sqlite::exec(conn, statement, Vec::new()).map(drop).map_err(from_sqlite),
        }?;
        self.open = false;
        Ok(())
    }

    pub fn engine(&self) -> Engine {
        match self.conn {
            Conn::Postgres(..) => Engine::Postgres,
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
            Conn::Postgres(used, connections) => {
                let work = postgres(sql, args).execute(&mut *used.conn);
                connections.statement(self.patience, work).await.map(|done| done.rows_affected())
            }
            Conn::Sqlite(conn) => sqlite::exec(conn, &sql, args).map_err(from_sqlite),
        };
        self.failed |= done.is_err();
        done
    }

    /// Runs a query, or a change with RETURNING, which counts as a write.
    pub async fn rows(&mut self, sql: impl Into<Cow<'static, str>>, args: Args) -> Result<Vec<Row>> {
        let sql = sql.into();
        if !sql.starts_with("SELECT") {
            self.writes += 1;
        }
        let rows = match &mut self.conn {
            Conn::Postgres(used, connections) => {
                let rows = connections.statement(self.patience, postgres(sql, args).fetch_all(&mut *used.conn)).await;
                rows.map(|rows| rows.into_iter().map(Row::Postgres).collect())
            }
            Conn::Sqlite(conn) => sqlite::rows(conn, &sql, args, usize::MAX).map_err(from_sqlite),
        };
        self.failed |= rows.is_err();
        rows
    }

    /// The first row, if there is one.
    pub async fn row(&mut self, sql: impl Into<Cow<'static, str>>, args: Args) -> Result<Option<Row>> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.open
            && let Conn::Postgres(used, _) = &mut self.conn
        {
            // A connection with a transaction open must never be handed out again: later writes on it would vanish.
            used.conn.close_on_drop();
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
