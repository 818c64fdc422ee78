//! Bringing a database to the newest shape: numbered steps, each applied once, in order, all in one transaction; on
//! PostgreSQL behind them the roles and the policies under which the service works.

use std::collections::BTreeSet;

use kernel::{Result, Time};

use crate::isolation::{self, Roles};
use crate::{Db, Tx, args, copy};

/// One step. `sql` holds statements, each ended by `;` at a line's end, in types that both engines read:
/// `BIGINT, TEXT, BOOLEAN, BYTEA, UUID, DOUBLE PRECISION`. Never change a step that has been released; add one.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// `0001_cases`, unique within the service.
    pub name: &'static str,
    pub sql: &'static str,
}

/// A set of tables: the steps that make them, and what PostgreSQL does not keep apart by organisation.
///
/// A table with a column `organisation` is behind row-level security, unless it is listed as shared.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    pub steps: &'static [Migration],
    /// Tables whose rows belong to no organisation, each with the reason.
    pub shared: &'static [(&'static str, &'static str)],
    /// What the log's machinery may do across organisations: table, rights as in GRANT, reason.
    pub crossing: &'static [(&'static str, &'static str, &'static str)],
    /// Tables whose rows the app may not change as it likes: table, rights as in GRANT, reason. It may do anything to the others' rows.
    pub kept: &'static [(&'static str, &'static str, &'static str)],
}

impl Tables {
    pub const NONE: Self = Self { steps: &[], shared: &[], crossing: &[], kept: &[] };
}

/// Applies the steps that are missing. Several replicas may try at once: a lock lets one through.
pub async fn migrate(db: &Db, tables: &[&'static Tables], now: Time) -> Result<()> {
    let tables = tables.to_vec();
    let Some((owner, schema, roles)) = db.owner() else {
        return db.of("").transaction(move |tx| Box::pin(async move { apply_all(tx, &tables, now).await })).await;
    };
    owner
        .once(move |tx| {
            Box::pin(async move {
                // Whoever comes second waits for as long as the first one needs, and a step may take long.
                tx.script("SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0").await?;
                tx.rows("SELECT 1 FROM (SELECT pg_advisory_xact_lock(7263, hashtext($1))) AS locked", args![&schema]).await?;
                let isolation = isolation::fingerprint(&tables);
                if is_complete(tx, &schema, &roles, &tables, &isolation).await? {
                    return Ok(());
                }
                isolation::make_roles(tx, &schema, &roles).await?;
                isolation::lift(tx, &schema).await?;
                apply_all(tx, &tables, now).await?;
                isolation::raise(tx, &schema, &roles, &tables).await?;
                record(tx, &isolation, now).await
            })
        })
        .await
}

/// Lets another login work under the roles of `db`'s service: what a service's own login needs, and all that it needs.
pub async fn let_in(db: &Db, login: &str) -> Result<()> {
    let Some((owner, _, roles)) = db.owner() else { return Ok(()) };
    let sql = format!("GRANT {}, {} TO {}", crate::whose::ident(&roles.app), crate::whose::ident(&roles.log), crate::whose::ident(login));
    owner.once(move |tx| Box::pin(async move { tx.script(&sql).await })).await
}

/// Whether there is nothing to do, as far as the app's role can see: then the login role needs no rights of its own.
async fn is_complete(tx: &mut Tx, schema: &str, roles: &Roles, tables: &[&Tables], isolation: &str) -> Result<bool> {
    if !isolation::prepared(tx, roles).await? {
        return Ok(false);
    }
    if !steps_readable(tx, schema, Some(&roles.app)).await? {
        return Ok(false);
    }
    tx.script(&format!("SET LOCAL ROLE {}", crate::whose::ident(&roles.app))).await?;
    let rows = tx.rows("SELECT name FROM schema_migration", args![]).await?;
    tx.script("SET LOCAL ROLE NONE").await?;
    let done = rows.iter().map(|row| row.text(0)).collect::<Result<BTreeSet<_>>>()?;
    copy::refuse_half(schema, &done)?;
    Ok(done.contains(isolation) && tables.iter().flat_map(|some| some.steps).all(|step| done.contains(step.name)))
}

/// Whether `schema` has a list of steps that `role` may read; None: the login.
pub(crate) async fn steps_readable(tx: &mut Tx, schema: &str, role: Option<&String>) -> Result<bool> {
    // Looked up in the catalogue: to_regclass would ask for a right on the schema that the login itself need not have.
    let sql = "SELECT has_schema_privilege(r.name, n.oid, 'USAGE') AND has_table_privilege(r.name, c.oid, 'SELECT') \
               FROM (SELECT COALESCE($1, CAST(session_user AS TEXT)) AS name) r, pg_class c \
               JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $2 AND c.relname = 'schema_migration'";
    let readable = tx.row(sql, args![role.map(String::as_str), schema]).await?.map(|row| row.bool(0)).transpose()?;
    Ok(readable == Some(true))
}

pub(crate) async fn apply_all(tx: &mut Tx, tables: &[&Tables], now: Time) -> Result<()> {
    tx.exec("CREATE TABLE IF NOT EXISTS schema_migration (name TEXT PRIMARY KEY, applied_at BIGINT NOT NULL)", args![]).await?;
    for step in tables.iter().flat_map(|some| some.steps) {
        apply(tx, step, now).await?;
    }
    Ok(())
}

async fn apply(tx: &mut Tx, step: &Migration, now: Time) -> Result<()> {
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
    record(tx, step.name, now).await
}

pub(crate) async fn record(tx: &mut Tx, name: &str, now: Time) -> Result<()> {
    tx.exec("INSERT INTO schema_migration (name, applied_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", args![name, now]).await?;
    Ok(())
}
