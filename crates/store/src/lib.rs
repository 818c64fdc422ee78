//! The ledger: one SQL text for SQLite (embedded) and PostgreSQL (region), and transactions that cannot be cut in two.
//!
//! - [`Db`] is a service's own database. [`Db::of`] says whose rows are meant; what it answers reads and writes, and
//!   [`Scoped::transaction`] is the only way to write.
//! - [`Tx`] runs statements inside a transaction; [`Row`] reads what they answer; [`args!`] binds.
//! - [`migrate`] brings a database to the newest shape; [`copy()`] takes a SQLite one over to PostgreSQL.
//! - [`snapshot()`] copies SQLite's files, all as of one moment, while they are written.
//!
//! Every statement uses `$1` placeholders and may end in `FOR UPDATE`, which SQLite does not know and does not need: its
//! write transactions exclude each other.

mod args;
mod connections;
mod copy;
mod db;
mod error;
mod isolation;
pub mod migrate;
mod row;
mod server;
mod snapshot;
mod sqlite;
mod tx;
mod whose;

pub use args::{Args, Val};
pub use copy::{copied, copy};
pub use db::{Db, Engine, Scoped};
pub use error::{DATABASE, is_unique};
pub use migrate::{Migration, Tables};
pub use row::Row;
pub use server::Server;
pub use snapshot::{check_file, snapshot};
pub use tx::{Commit, Tx};
pub use whose::Whose;

/// Placeholders `($1,$2),($3,$4)` for `rows` rows of `columns` values, the first numbered `first`.
pub fn values(first: usize, rows: usize, columns: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 5);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..columns {
            if column > 0 {
                text.push(',');
            }
            text.push('$');
            text.push_str(&(first + row * columns + column).to_string());
        }
        text.push(')');
    }
    text
}
