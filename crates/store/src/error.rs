//! What a database's failure means to a caller: try again, somebody was faster, or our fault.

use kernel::{Code, Error};

/// Reason of an error that a UNIQUE or PRIMARY KEY constraint raised; its message names the constraint or its columns.
const UNIQUE: &str = "UNIQUE";

/// Reason of an error that lies with the database rather than with what was asked of it: a table that is not there yet, a
/// right that is missing, a broken file. No event may count as poison because of it.
pub const DATABASE: &str = "DATABASE";

/// Whether `error` says that a row with this key exists already, under a constraint whose name or columns contain `name`.
/// PostgreSQL names the constraint, SQLite its columns: name a column that stands in both.
pub fn is_unique(error: &Error, name: &str) -> bool {
    error.code == Code::AlreadyExists && error.reason == UNIQUE && error.message.contains(name)
}

/// PostgreSQL's failures, by its five-letter states.
pub(crate) fn from_sqlx(error: sqlx::Error) -> Error {
    use sqlx::Error as E;
    match &error {
        E::Database(db) => {
            let code = db.code().unwrap_or_default().into_owned();
            let text = format!("{} {}", db.constraint().unwrap_or_default(), db.message());
            if db.is_unique_violation() {
                return Error::new(Code::AlreadyExists, UNIQUE, text);
            }
            match code.as_str() {
                // serialization failure, deadlock, lock timeout, unfinished because of a statement timeout
                "40001" | "40P01" | "55P03" | "57014" => conflict(),
                // shutdown, crash recovery, too many connections, disk full, out of memory, read-only standby
                "57P01" | "57P02" | "57P03" | "53300" | "53100" | "53200" | "25006" | "25P03" => {
                    Error::unavailable(format!("the database cannot serve this now: {text}"))
                }
                _ if code.starts_with("08") => Error::unavailable(format!("the database does not answer: {text}")),
                // Data that does not fit, constraints: the command's own fault.
                _ if code.starts_with("22") || code.starts_with("23") => Error::internal(format!("database {code}: {error}")),
                _ => Error::new(Code::Internal, DATABASE, format!("database {code}: {error}")),
            }
        }
        E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::Protocol(_) => {
            Error::unavailable(format!("the database does not answer: {error}"))
        }
        _ => Error::internal(format!("database: {error}")),
    }
}

/// SQLite's failures, by its (extended) result codes.
pub(crate) fn from_sqlite(error: rusqlite::Error) -> Error {
    use rusqlite::ffi;
    let Some(code) = error.sqlite_error().map(|failure| failure.extended_code) else {
        return Error::internal(format!("database: {error}"));
    };
    match (code, code & 0xff) {
        (ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY, _) => {
            Error::new(Code::AlreadyExists, UNIQUE, error.to_string())
        }
        (_, ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED) => conflict(),
        (_, ffi::SQLITE_READONLY | ffi::SQLITE_IOERR | ffi::SQLITE_FULL | ffi::SQLITE_CANTOPEN) => {
            Error::unavailable(format!("the data folder cannot be written: {error}"))
        }
        // The command's own fault.
        (_, ffi::SQLITE_TOOBIG | ffi::SQLITE_CONSTRAINT | ffi::SQLITE_MISMATCH) => Error::internal(format!("database {code}: {error}")),
        _ => Error::new(Code::Internal, DATABASE, format!("database {code}: {error}")),
    }
}

fn conflict() -> Error {
    Error::new(Code::Aborted, "CONFLICT", "somebody else is changing the same thing; try again")
}
