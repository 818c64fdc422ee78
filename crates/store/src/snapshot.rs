//! Copies of embedded databases, all as of one moment, taken beside the process that writes them.

use std::path::Path;

use kernel::{Error, Result};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::error::from_sqlite;
use crate::sqlite::connect;

/// Copies `folder`'s databases of `services` into the folder `to`, which must exist. Blocks; call it on a thread for that.
///
/// For a moment nobody can write: all databases are locked, one after the other, then what each holds is pinned, then they are let go
/// again. So no copy holds the effect of an event that another copy does not hold yet, whatever time the copying itself takes.
pub fn snapshot(folder: &Path, services: &[&str], to: &Path) -> Result<()> {
    let open = |service: &&str| {
        let file = folder.join(format!("{service}.db"));
        connect(&file, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|error| {
            Error::invalid("data", format!("holds no database of {service} that can be opened, {}: {}", file.display(), error.message))
        })
    };
    let writers = services.iter().map(open).collect::<Result<Vec<_>>>()?;
    let readers = services.iter().map(open).collect::<Result<Vec<_>>>()?;
    let pin = || -> rusqlite::Result<()> {
        for writer in &writers {
            writer.execute_batch("BEGIN IMMEDIATE")?;
        }
        for reader in &readers {
            // The first read of a transaction pins what it sees.
            reader.execute_batch("BEGIN; SELECT COUNT(*) FROM sqlite_schema")?;
        }
        Ok(())
    };
    pin().map_err(from_sqlite)?;
    // Nothing was written with them; closing them lets the databases go.
    drop(writers);
    for (service, reader) in services.iter().zip(&readers) {
        copy(reader, &to.join(format!("{service}.db")))
            .map_err(|error| Error { message: format!("the copy of {service} failed: {}", error.message), ..error })?;
    }
    Ok(())
}

fn copy(from: &Connection, file: &Path) -> Result<()> {
    let mut to = Connection::open(file).map_err(from_sqlite)?;
    let done = Backup::new(from, &mut to).and_then(|backup| backup.step(-1)).map_err(from_sqlite)?;
    if done != StepResult::Done {
        return Err(Error::unavailable("the database is busy; try again"));
    }
    check(&to)
}

/// Looks through a whole file that is no part of a running suite.
pub fn check_file(file: &Path) -> Result<()> {
    check(&connect(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}

fn check(conn: &Connection) -> Result<()> {
    let found: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(from_sqlite)?;
    if found == "ok" { Ok(()) } else { Err(Error::precondition("STORE_DAMAGED", format!("the database is damaged: {found}"))) }
}
