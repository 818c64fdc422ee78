//! Bringing a database to the newest shape: numbered steps, each applied once, in order, each in its own transaction.

use kernel::{Result, Time};

use crate::{Db, Tx, args};

/// One step. `sql` holds statements, each ended by `;` at a line's end, in types that both engines read:
/// `BIGINT, TEXT, BOOLEAN, BYTEA, UUID, DOUBLE PRECISION`. Never change a step that has been released; add one.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// `0001_cases`, unique within the service.
    pub name: &'static str,
    pub sql: &'static str,
}

/// Applies the steps that are missing. Several replicas may try at once: a lock lets one through.
pub async fn migrate(db: &Db, steps: &[Migration], now: Time) -> Result<()> {
    let steps = steps.to_vec();
    let schema = db.schema().map(ToOwned::to_owned);
    db.transaction(move |tx| {
        Box::pin(async move {
            if let Some(schema) = &schema {
                // Whoever comes second waits for as long as the first one needs, and a step may take long.
                tx.exec("SET LOCAL lock_timeout = 0", args![]).await?;
                tx.exec("SET LOCAL statement_timeout = 0", args![]).await?;
                tx.rows("SELECT 1 FROM (SELECT pg_advisory_xact_lock(7263, hashtext($1))) AS locked", args![schema]).await?;
                tx.exec(format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\""), args![]).await?;
            }
            tx.exec("CREATE TABLE IF NOT EXISTS schema_migration (name TEXT PRIMARY KEY, applied_at BIGINT NOT NULL)", args![]).await?;
            for step in steps {
                apply(tx, step, now).await?;
            }
            Ok(())
        })
    })
    .await
}

async fn apply(tx: &mut Tx, step: Migration, now: Time) -> Result<()> {
    if tx.row("SELECT 1 FROM schema_migration WHERE name = $1", args![step.name]).await?.is_some() {
        return Ok(());
    }
    for statement in step.sql.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()) {
        let text = match tx.engine() {
            crate::Engine::Sqlite => statement.to_owned(),
            // Byte order, as on SQLite: an index and a comparison mean the same on both.
            crate::Engine::Postgres => statement.replace(" TEXT", " TEXT COLLATE \"C\""),
        };
        tx.exec(text.trim_end_matches(';').to_owned(), args![]).await?;
    }
    tx.exec("INSERT INTO schema_migration (name, applied_at) VALUES ($1, $2)", args![step.name, now]).await?;
    Ok(())
}
