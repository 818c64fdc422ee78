//! A case's way through a service, without its content: to explain a fault one must see what happened, not what was said.

use kernel::{Id, Result};
use proto::log::{DeadLetter, Envelope};
use store::args;

use crate::dead_letter;
use crate::log::Log;
use crate::reader::decode;
use crate::unit::shard_of;

/// Most events in one answer.
pub const MAX_EVENTS: i64 = 500;

/// What this service's log and its consumers have of a case.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    pub shard: u32,
    /// Oldest first.
    pub events: Vec<Envelope>,
    pub set_aside: Vec<DeadLetter>,
}

/// Events of `case` whose number is greater than `after`, and what is set aside of it.
pub async fn trace(log: &Log, case: Id, after: i64) -> Result<Trace> {
    let (db, key) = (log.machinery(), case.to_string());
    let sql = "SELECT envelope FROM event_log WHERE key = $1 AND key_seq > $2 ORDER BY key_seq LIMIT $3";
    let rows = db.rows(sql, args![&key, after, MAX_EVENTS]).await?;
    let events = rows.iter().map(|row| Ok(silent(decode(&row.get::<Vec<u8>>(0)?)?))).collect::<Result<_>>()?;
    let sql = "SELECT source, envelope, reason, created_at FROM dead_letter WHERE key = $1 ORDER BY source, position";
    let rows = db.rows(sql, args![&key]).await?;
    let set_aside = rows.iter().map(|row| {
        let letter = dead_letter::read(row, log.service())?;
        Ok(DeadLetter { event: letter.event.map(silent), ..letter })
    });
    Ok(Trace { shard: shard_of(&key, log.shards()), events, set_aside: set_aside.collect::<Result<_>>()? })
}

/// An event without what it carries.
fn silent(event: Envelope) -> Envelope {
    Envelope { payload: Vec::new(), ..event }
}
