//! Taking a service's tables over from SQLite to PostgreSQL.

use std::collections::BTreeSet;

use kernel::{Error, Result, Time};

use crate::isolation;
use crate::migrate::{apply_all, migrate, record, steps_readable};
use crate::whose::{ident, literal};
use crate::{Db, Engine, Row, Tables, Tx, Val, Whose, args, values};

/// Stands among the steps of a schema whose installation has not been taken over as a whole: nobody may use it yet.
const HALF: &str = "copy_of_an_installation_that_is_not_complete";
/// Rows read at a time.
const BATCH: i64 = 500;

/// Copies all rows of `from` (SQLite, which nobody else may write meanwhile) to the new schema `to` (PostgreSQL); answers how many.
/// Services refuse the schema until [`copied`] has been called for it. What an attempt before has left is replaced; a schema that is
/// in use is not touched: STORE_NOT_EMPTY.
pub async fn copy(from: &Db, to: &Db, tables: &[&'static Tables], now: Time) -> Result<u64> {
    if from.engine() != Engine::Sqlite {
        return Err(Error::invalid("store", "to copy from must be an embedded one"));
    }
    migrate(from, tables, now).await?;
    let (from, tables) = (from.clone(), tables.to_vec());
    let (owner, schema, roles) = to.owner().ok_or_else(|| Error::invalid("to", "must be postgres://USER@HOST/DATABASE"))?;
    owner
        .once(move |tx| {
            Box::pin(async move {
                tx.script("SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
                    .await?;
                empty(tx, &schema).await?;
                isolation::make_roles(tx, &schema, &roles).await?;
                apply_all(tx, &tables, now).await?;
                let mut copied = 0;
                for table in names(&from).await? {
                    copied += copy_table(&from, tx, &table)
                        .await
                        .map_err(|error| Error { message: format!("table {schema}.{table}: {}", error.message), ..error })?;
                }
                isolation::raise(tx, &schema, &roles, &tables).await?;
                record(tx, &isolation::fingerprint(&tables), now).await?;
                record(tx, HALF, now).await?;
                Ok(copied)
            })
        })
        .await
}

/// Says that the whole installation has been copied: from now on `to` may be used.
pub async fn copied(to: &Db) -> Result<()> {
    let Some((owner, ..)) = to.owner() else { return Ok(()) };
    owner.once(|tx| Box::pin(async move { tx.exec("DELETE FROM schema_migration WHERE name = $1", args![HALF]).await.map(drop) })).await
}

/// Refuses a schema that holds a copy which is not complete; `steps`: what has been done to it.
pub(crate) fn refuse_half(schema: &str, steps: &BTreeSet<String>) -> Result<()> {
    if steps.contains(HALF) {
        let message = format!("the schema {schema} is part of a `samtal move` that did not finish; run that again");
        return Err(Error::precondition("STORE_HALF_MOVED", message));
    }
    Ok(())
}

async fn is_half(tx: &mut Tx, schema: &str) -> Result<bool> {
    if !steps_readable(tx, schema, None).await? {
        return Ok(false);
    }
    let sql = format!("SELECT 1 FROM {}.schema_migration WHERE name = $1", ident(schema));
    Ok(tx.row(sql, args![HALF]).await?.is_some())
}

/// Makes room for the copy, if nobody has anything there.
async fn empty(tx: &mut Tx, schema: &str) -> Result<()> {
    if is_half(tx, schema).await? {
        return tx.script(&format!("DROP SCHEMA {} CASCADE", ident(schema))).await;
    }
    let tables =
        tx.row("SELECT COUNT(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1", args![schema]).await?;
    if tables.map(|row| row.int(0)).transpose()? != Some(0) {
        let message = format!("the schema {schema} holds tables already; name a database that no installation uses");
        return Err(Error::precondition("STORE_NOT_EMPTY", message));
    }
    Ok(())
}

async fn names(from: &Db) -> Result<Vec<String>> {
    let sql =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'schema_migration' ORDER BY name";
    from.of(Whose::Log).rows(sql, args![]).await?.iter().map(|row| row.text(0)).collect()
}

async fn copy_table(from: &Db, to: &mut Tx, table: &str) -> Result<u64> {
    let columns = from.of(Whose::Log).rows(format!("SELECT name, type FROM pragma_table_info({})", literal(table)), args![]).await?;
    let columns = columns.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect::<Result<Vec<_>>>()?;
    let list = columns.iter().map(|(name, _)| ident(name)).collect::<Vec<_>>().join(", ");
    let (mut after, mut copied) = (i64::MIN, 0);
    loop {
        let sql = format!("SELECT rowid, {list} FROM {} WHERE rowid > $1 ORDER BY rowid LIMIT $2", ident(table));
        let rows = from.of(Whose::Log).rows(sql, args![after, BATCH]).await?;
        let Some(last) = rows.last() else { return Ok(copied) };
        after = last.int(0)?;
        let mut all = Vec::with_capacity(rows.len() * columns.len());
        for row in &rows {
            for (place, (_, kind)) in columns.iter().enumerate() {
                all.push(value(row, place + 1, kind)?);
            }
        }
        let sql = format!("INSERT INTO {} ({list}) VALUES {}", ident(table), values(1, rows.len(), columns.len()));
        copied += to.exec(sql, all).await?;
    }
}

/// A value as its column's type has it; SQLite keeps the types that a migration names.
fn value(row: &Row, place: usize, kind: &str) -> Result<Val> {
    Ok(match kind {
        "BIGINT" => Val::Int(row.get(place)?),
        "BOOLEAN" => Val::Bool(row.get(place)?),
        "TEXT" => Val::Text(row.get(place)?),
        "BYTEA" => Val::Bytes(row.get(place)?),
        "UUID" => Val::Uuid(row.get(place)?),
        "DOUBLE PRECISION" => Val::Float(row.get(place)?),
        other => return Err(Error::internal(format!("a column has the type {other}, which no migration may name"))),
    })
}
