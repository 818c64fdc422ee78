//! Row-level security: the second wall between organisations, on PostgreSQL. The first is the code's access rules.
//!
//! A service works under two roles of its own, neither of which owns anything, may log in, or passes by a policy:
//! - `<database>_<service>_app` sees and writes rows of the organisations that the transaction has named, and none if it
//!   has named none: then PostgreSQL raises;
//! - `<database>_<service>_log` is the log's machinery, which works across organisations, on the tables listed for it.

use std::fmt::Write as _;

use kernel::{Error, Result};

use crate::migrate::Tables;
use crate::whose::{ident, literal};
use crate::{Tx, args};

/// A service's roles.
#[derive(Clone, Debug)]
pub(crate) struct Roles {
    pub app: String,
    pub log: String,
}

/// PostgreSQL cuts longer names silently, so that two could become one.
const MAX_NAME: usize = 63;

impl Roles {
    /// Named after the database too: roles belong to the whole server, and another installation on it has its own.
    pub fn new(database: &str, service: &str) -> Result<Self> {
        let roles = Self { app: format!("{database}_{service}_app"), log: format!("{database}_{service}_log") };
        if roles.app.len() > MAX_NAME {
            return Err(Error::invalid("store", format!("the database's name is too long: the role {} would exceed 63 bytes", roles.app)));
        }
        Ok(roles)
    }

    fn both(&self) -> [&str; 2] {
        [&self.app, &self.log]
    }
}

/// Makes the roles if they are missing, and makes sure that they are what they must be. Inside a transaction of the login
/// role; without its right to make roles the error says what an administrator runs.
pub(crate) async fn make_roles(tx: &mut Tx, schema: &str, roles: &Roles) -> Result<()> {
    let login = tx.row("SELECT CAST(session_user AS TEXT)", args![]).await?.map(|row| row.text(0)).transpose()?.unwrap_or_default();
    let by_hand = |error: Error| if error.message.starts_with("database 42501") { by_hand(schema, roles, &login) } else { error };
    for role in roles.both() {
        let known = tx.row("SELECT rolsuper OR rolbypassrls OR rolcanlogin FROM pg_roles WHERE rolname = $1", args![role]).await?;
        match known.map(|row| row.bool(0)).transpose()? {
            None => {
                tx.script(&format!("CREATE ROLE {0} NOLOGIN NOINHERIT; GRANT {0} TO SESSION_USER", ident(role))).await.map_err(by_hand)?
            }
            Some(false) => {}
            Some(true) => {
                return Err(Error::precondition(
                    "STORE_ROLES",
                    format!(
                        "the role {role} may log in or passes by row-level security; ALTER ROLE {} NOLOGIN NOSUPERUSER NOBYPASSRLS",
                        ident(role)
                    ),
                ));
            }
        }
        tx.script(&format!("SET LOCAL ROLE {}; SET LOCAL ROLE NONE", ident(role))).await.map_err(by_hand)?;
    }
    if tx.row("SELECT 1 FROM pg_namespace WHERE nspname = $1", args![schema]).await?.is_none() {
        tx.script(&format!("CREATE SCHEMA {}", ident(schema))).await.map_err(by_hand)?;
    }
    Ok(())
}

fn by_hand(schema: &str, roles: &Roles, login: &str) -> Error {
    let mut sql = String::new();
    for role in roles.both() {
        let _ = write!(sql, "CREATE ROLE {} NOLOGIN NOINHERIT; ", ident(role));
    }
    let _ = write!(sql, "GRANT {}, {} TO {}; ", ident(&roles.app), ident(&roles.log), ident(login));
    let _ = write!(sql, "CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {};", ident(schema), ident(login));
    let message = format!(
        "the login role {login} may not make what this service needs; an administrator runs in this database, leaving out what exists: {sql}"
    );
    Error::precondition("STORE_ROLES", message)
}

/// Whether the roles exist and this login may work under the app's.
pub(crate) async fn prepared(tx: &mut Tx, roles: &Roles) -> Result<bool> {
    let sql = "SELECT COUNT(*) = 2 AND bool_and(pg_has_role(session_user, oid, 'MEMBER')) FROM pg_roles WHERE rolname IN ($1, $2)";
    let row = tx.row(sql, args![&roles.app, &roles.log]).await?;
    Ok(row.map(|row| row.get::<Option<bool>>(0)).transpose()?.flatten().unwrap_or(false))
}

/// The statements that lift the policies from their tables' owner while it changes them.
pub(crate) async fn lift(tx: &mut Tx, schema: &str) -> Result<()> {
    let mut sql = String::new();
    let forced = "SELECT relname::text FROM pg_class WHERE relnamespace = $1::regnamespace AND relforcerowsecurity ORDER BY relname";
    for row in tx.rows(forced, args![ident(schema)]).await? {
        let _ = write!(sql, "ALTER TABLE {} NO FORCE ROW LEVEL SECURITY; ", ident(&row.text(0)?));
    }
    tx.script(&sql).await
}

/// What the app's role may touch: rows of the organisations that were named, or an error if none was.
const OWN: &str = "organisation = ANY ((SELECT current_setting('samtal.organisations'))::text[])";

/// Puts every table behind its policy. A table without an organisation must be listed as shared, with the reason.
pub(crate) async fn raise(tx: &mut Tx, schema: &str, roles: &Roles, tables: &[&Tables]) -> Result<()> {
    let (app, log) = (ident(&roles.app), ident(&roles.log));
    let mut sql = format!(
        "REVOKE ALL ON ALL TABLES IN SCHEMA {0} FROM {app}, {log}; GRANT USAGE ON SCHEMA {0} TO {app}, {log}; \
         GRANT SELECT ON schema_migration TO {app}; COMMENT ON TABLE schema_migration IS 'shared: the names of the steps taken; written by its owner only'; ",
        ident(schema)
    );
    let all = "SELECT c.relname::text, EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'organisation') \
               FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'schema_migration' \
               ORDER BY c.relname";
    for row in tx.rows(all, args![ident(schema)]).await? {
        let (name, has_organisation) = (row.text(0)?, row.bool(1)?);
        let table = ident(&name);
        let shared = tables.iter().flat_map(|some| some.shared).find(|(shared, _)| *shared == name);
        match shared {
            Some((_, why)) => {
                let _ = write!(
                    sql,
                    "ALTER TABLE {table} DISABLE ROW LEVEL SECURITY; COMMENT ON TABLE {table} IS {}; ",
                    literal(&format!("shared: {why}"))
                );
            }
            None if has_organisation => {
                let _ = write!(
                    sql,
                    "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY; \
                     DROP POLICY IF EXISTS own ON {table}; CREATE POLICY own ON {table} TO {app} USING ({OWN}); \
                     DROP POLICY IF EXISTS crossing ON {table}; "
                );
            }
            None => {
                return Err(Error::internal(format!(
                    "the table {schema}.{name} has no column organisation; give it one, or list it as shared with the reason"
                )));
            }
        }
        let rights = tables
            .iter()
            .flat_map(|some| some.kept)
            .find(|(kept, ..)| *kept == name)
            .map_or("SELECT, INSERT, UPDATE, DELETE", |kept| kept.1);
        let _ = write!(sql, "GRANT {rights} ON {table} TO {app}; ");
        for (_, rights, why) in tables.iter().flat_map(|some| some.crossing).filter(|(crossing, ..)| *crossing == name) {
            let _ = write!(sql, "GRANT {rights} ON {table} TO {log}; ");
            if shared.is_none() {
                let _ = write!(
                    sql,
                    "CREATE POLICY crossing ON {table} TO {log} USING (true); COMMENT ON POLICY crossing ON {table} IS {}; ",
                    literal(why)
                );
            }
        }
    }
    tx.script(&sql).await
}

/// Names what [`raise`] does, so that it is done again if that changes.
pub(crate) fn fingerprint(tables: &[&Tables]) -> String {
    let lists: Vec<_> = tables.iter().map(|some| (some.shared, some.crossing, some.kept)).collect();
    format!("isolation_{:016x}", kernel::id::key_hash(&format!("{OWN} {lists:?}")))
}
