//! What a PostgreSQL server and a login on it are like, for `samtal check`.

use std::collections::BTreeMap;

use kernel::{Error, Result, Time};

use crate::{Db, args};

/// Settings that say whether what was committed survives a power cut.
const SETTINGS: [&str; 6] =
    ["fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names", "max_connections", "server_version"];

/// A server as this login sees it.
#[derive(Clone, Debug)]
pub struct Server {
    /// 150004 is 15.4.
    pub version: i64,
    /// By their names in PostgreSQL.
    pub settings: BTreeMap<&'static str, String>,
    pub login: String,
    /// The login is a superuser or passes by row-level security.
    pub login_passes_by: bool,
    /// The login may make roles and schemas.
    pub login_makes: bool,
    /// This connection is encrypted.
    pub encrypted: bool,
    /// It takes no writes.
    pub standby: bool,
    pub now: Time,
}

impl Db {
    /// Looks at the server; needs none of Samtal's roles or tables.
    pub async fn server(&self) -> Result<Server> {
        let (owner, ..) = self.owner().ok_or_else(|| Error::invalid("store", "names no server"))?;
        owner
            .once(|tx| {
                Box::pin(async move {
                    let sql = "SELECT current_setting('server_version_num')::bigint, session_user::text, \
                               (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = session_user), \
                               (SELECT rolcreaterole FROM pg_roles WHERE rolname = session_user) \
                               AND has_database_privilege(current_database(), 'CREATE'), \
                               COALESCE((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), FALSE), pg_is_in_recovery(), \
                               CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)";
                    let row = tx.row(sql, args![]).await?.ok_or_else(|| Error::internal("the server says nothing of itself"))?;
                    let mut settings = BTreeMap::new();
                    for name in SETTINGS {
                        let value = tx.row("SELECT current_setting($1)", args![name]).await?.map(|row| row.text(0)).transpose()?;
                        settings.insert(name, value.unwrap_or_default());
                    }
                    Ok(Server {
                        version: row.int(0)?,
                        settings,
                        login: row.text(1)?,
                        login_passes_by: row.bool(2)?,
                        login_makes: row.bool(3)?,
                        encrypted: row.bool(4)?,
                        standby: row.bool(5)?,
                        now: row.time(6)?,
                    })
                })
            })
            .await
    }
}
