//! Whose rows a piece of work may touch: said with every read and every transaction.

use kernel::{Error, Result};

/// Whose rows a piece of work may touch. PostgreSQL holds it to that by row-level security; SQLite takes it as said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Rows of these organisations. The empty name is the region itself, to which operators' tokens and acts belong.
    Of(Vec<String>),
    /// The log's machinery: relay, backfill, sealer, leases, housekeeping. It works across organisations and reaches only
    /// the tables that [`crate::Tables::crossing`] lists, with their reasons.
    Log,
}

impl Whose {
    /// Rows of several organisations, each named once.
    pub fn many<T: Into<String>>(organisations: impl IntoIterator<Item = T>) -> Self {
        let mut names: Vec<String> = organisations.into_iter().map(Into::into).collect();
        names.sort_unstable();
        names.dedup();
        Self::Of(names)
    }

    /// What opens a transaction on PostgreSQL: one message to the server, so that the scope costs no round trip.
    pub(crate) fn begin(&self, mode: &str, log_role: &str) -> Result<String> {
        match self {
            Self::Of(names) => Ok(format!("BEGIN{mode}; SELECT set_config('samtal.organisations', {}, true)", literal(&array(names)?))),
            Self::Log => Ok(format!("BEGIN{mode}; SET LOCAL ROLE {}", ident(log_role))),
        }
    }
}

impl From<&str> for Whose {
    fn from(organisation: &str) -> Self {
        Self::Of(vec![organisation.to_owned()])
    }
}

impl From<&String> for Whose {
    fn from(organisation: &String) -> Self {
        Self::from(organisation.as_str())
    }
}

/// PostgreSQL's way to write an array of texts.
fn array(names: &[String]) -> Result<String> {
    if names.iter().any(|name| name.contains('\0')) {
        return Err(Error::invalid("organisation", "must not hold a zero byte"));
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    Ok(format!("{{{}}}", quoted.join(",")))
}

/// A text as a literal of SQL.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as an identifier of SQL.
pub(crate) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
