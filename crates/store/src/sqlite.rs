//! SQLite: one connection that writes, in a thread of its own, and a few that read.
//!
//! A transaction runs in the writing thread from its beginning to its end. There its statements are plain calls: the way to
//! another thread and back is paid once per transaction, not once per statement, which cost more than the statements.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use kernel::{Error, Result};
use rusqlite::config::DbConfig;
use rusqlite::types::{Null, Value};
use rusqlite::{CachedStatement, Connection, OpenFlags};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use crate::args::{Args, Val};
use crate::error::from_sqlite;
use crate::row::Row;
use crate::tx::{Conn, Tx};

/// Most reads at a time.
const READERS: usize = 4;
/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 400;

/// What the writing thread does next.
type Job = Box<dyn FnOnce(&mut Tx) + Send>;

/// A database in one file. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sqlite {
    writer: mpsc::Sender<Job>,
    readers: Arc<Readers>,
}

/// Connections that only read; at most [`READERS`], made when they are needed.
struct Readers {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
    room: Semaphore,
}

impl Sqlite {
    /// Opens `file`, or makes it; its folder must exist.
    pub async fn open(file: PathBuf) -> Result<Self> {
        let (writer, jobs) = mpsc::channel::<Job>();
        let (opened, answer) = oneshot::channel();
        let path = file.clone();
        let write = move || match connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE) {
            Ok(conn) => {
                let _ = opened.send(Ok(()));
                let mut tx = Tx::new(Conn::Sqlite(conn));
                // Ends when nobody holds the database any more.
                jobs.into_iter().for_each(|job| job(&mut tx));
            }
            Err(error) => drop(opened.send(Err(error))),
        };
        let name = file.file_stem().map_or_else(|| "store".to_owned(), |name| name.to_string_lossy().into_owned());
        std::thread::Builder::new()
            .name(name)
            .spawn(write)
            .map_err(|error| Error::unavailable(format!("the machine gives no thread for a database: {error}")))?;
        answer.await.unwrap_or_else(|_| Err(gone()))?;
        Ok(Self { writer, readers: Arc::new(Readers { file, idle: Mutex::default(), room: Semaphore::new(READERS) }) })
    }

    /// Runs `work` in the writing thread, to its end, whatever becomes of the caller.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx, &Handle) -> Result<T> + Send + 'static,
    {
        let (done, answer) = oneshot::channel();
        let runtime = Handle::current();
        let job = Box::new(move |tx: &mut Tx| {
            // The caller may have gone away.
            let _ = done.send(work(tx, &runtime));
        });
        self.writer.send(job).map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// The first row of what is committed, read here and now: to look up one row takes less time than the way to another thread and back.
    pub async fn row(&self, sql: &str, args: Args) -> Result<Option<Row>> {
        let _room = self.readers.room.acquire().await.map_err(|_| gone())?;
        Ok(self.readers.rows(sql, args, 1)?.pop())
    }

    /// Reads what is committed, however much it is.
    pub async fn rows(&self, sql: Cow<'static, str>, args: Args) -> Result<Vec<Row>> {
        let readers = self.readers.clone();
        let _room = readers.room.acquire().await.map_err(|_| gone())?;
        let readers = self.readers.clone();
        let read = tokio::task::spawn_blocking(move || readers.rows(&sql, args, usize::MAX));
        read.await.unwrap_or_else(|error| Err(Error::internal(format!("a read panicked: {error}"))))
    }

    /// Ends the reading connections and folds the write-ahead log into the file.
    pub async fn close(&self) {
        self.readers.room.close();
        self.readers.lock().clear();
        let folded = self.write(|tx, _| match &tx.conn {
            Conn::Sqlite(conn) => rows(conn, "PRAGMA wal_checkpoint(TRUNCATE)", Args::new(), 1).map(drop).map_err(from_sqlite),
            Conn::Postgres(..) => Ok(()),
        });
        let _ = folded.await;
    }
}

impl Readers {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rows(&self, sql: &str, args: Args, most: usize) -> Result<Vec<Row>> {
        let idle = self.lock().pop();
        let conn = match idle {
            Some(conn) => conn,
            None => connect(&self.file, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        };
        let done = rows(&conn, sql, args, most).map_err(from_sqlite);
        self.lock().push(conn);
        done
    }
}

fn gone() -> Error {
    Error::unavailable("the database is closed")
}

pub(crate) fn connect(file: &Path, flags: OpenFlags) -> Result<Connection> {
    let open = || -> rusqlite::Result<Connection> {
        // One thread at a time uses a connection, so that SQLite need not lock it.
        let conn = Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        conn.busy_timeout(Duration::from_secs(5))?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        conn.pragma_update(None, "cache_size", -16_000)?;
        // Else a statement that a partial index might serve is planned anew whenever other values are bound to it.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        if !flags.contains(OpenFlags::SQLITE_OPEN_READ_ONLY) {
            conn.pragma_update(None, "journal_mode", "WAL")?;
            conn.pragma_update(None, "foreign_keys", true)?;
            // Folding the write-ahead log into the file costs syncs of its own: every 16 MiB, not every 4.
            conn.pragma_update(None, "wal_autocheckpoint", 4000)?;
            conn.pragma_update(None, "journal_size_limit", 67_108_864)?;
        }
        Ok(conn)
    };
    open().map_err(from_sqlite)
}

/// Runs a statement that changes something; answers how many rows it touched.
pub(crate) fn exec(conn: &Connection, sql: &str, args: Args) -> rusqlite::Result<u64> {
    let mut statement = prepare(conn, sql, args)?;
    let mut rows = statement.raw_query();
    while rows.next()?.is_some() {}
    Ok(conn.changes())
}

/// Runs a query until it has given so many rows, or a change with RETURNING, which must run to its end.
pub(crate) fn rows(conn: &Connection, sql: &str, args: Args, most: usize) -> rusqlite::Result<Vec<Row>> {
    let mut statement = prepare(conn, sql, args)?;
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let mut all = Vec::new();
    while all.len() < most
        && let Some(row) = rows.next()?
    {
        all.push(Row::Sqlite((0..columns).map(|column| row.get::<_, Value>(column)).collect::<rusqlite::Result<_>>()?));
    }
    Ok(all)
}

/// SQLite knows no `FOR UPDATE`, and takes `$2` for a name: the value's number is read from it.
fn prepare<'c>(conn: &'c Connection, sql: &str, args: Args) -> rusqlite::Result<CachedStatement<'c>> {
    let mut statement = conn.prepare_cached(sql.strip_suffix(" FOR UPDATE").unwrap_or(sql))?;
    for index in 1..=statement.parameter_count() {
        let number = statement.parameter_name(index).and_then(|name| name.get(1..)).and_then(|digits| digits.parse::<usize>().ok());
        let value = number.and_then(|number| args.get(number.wrapping_sub(1)));
        match value.ok_or(rusqlite::Error::InvalidParameterCount(args.len(), index))? {
            Val::Int(Some(v)) => statement.raw_bind_parameter(index, v)?,
            Val::Bool(Some(v)) => statement.raw_bind_parameter(index, v)?,
            Val::Text(Some(v)) => statement.raw_bind_parameter(index, v)?,
            Val::Bytes(Some(v)) => statement.raw_bind_parameter(index, v)?,
            Val::Uuid(Some(v)) => statement.raw_bind_parameter(index, v.as_bytes().as_slice())?,
            Val::Float(Some(v)) => statement.raw_bind_parameter(index, v)?,
            _ => statement.raw_bind_parameter(index, Null)?,
        }
    }
    Ok(statement)
}
