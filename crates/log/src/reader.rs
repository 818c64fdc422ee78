//! Reading a log back: heads, and batches from a position on.

use std::collections::BTreeMap;

use kernel::{Error, Result};
use prost::Message;
use proto::log::{Batch, Envelope, Head};
use store::{Db, Whose, args};

/// Most events in one batch.
pub const MAX_EVENTS: usize = 512;
/// Most bytes of envelopes in one batch; a single event always fits.
pub const MAX_BYTES: usize = 256 * 1024;

pub(crate) fn decode(bytes: &[u8]) -> Result<Envelope> {
    Envelope::decode(bytes).map_err(|error| Error::internal(format!("a stored event cannot be read: {error}")))
}

/// Where each shard stands, by shard.
pub async fn heads(db: &Db) -> Result<Vec<Head>> {
    let incarnations = incarnations(db).await?;
    let rows = db.of(Whose::Log).rows("SELECT shard, head, event_id FROM log_head ORDER BY shard", args![]).await?;
    rows.iter()
        .map(|row| {
            let shard = row.int(0)? as u32;
            let last = incarnations.get(&shard).and_then(|all| all.last()).ok_or_else(|| Error::internal("a shard has no incarnation"))?;
            let position = row.int(1)?;
            Ok(Head {
                shard,
                incarnation: last.id.clone(),
                incarnation_start: last.start,
                previous_end: last.previous_end,
                position,
                event_id: if position > last.start { row.opt_id(2)?.map(|id| id.to_string()).unwrap_or_default() } else { String::new() },
            })
        })
        .collect()
}

struct Incarnation {
    id: String,
    start: i64,
    previous_end: i64,
}

async fn incarnations(db: &Db) -> Result<BTreeMap<u32, Vec<Incarnation>>> {
    let rows = db
        .of(Whose::Log)
        .rows("SELECT shard, incarnation, start, previous_end FROM log_incarnation ORDER BY shard, number", args![])
        .await?;
    let mut all: BTreeMap<u32, Vec<Incarnation>> = BTreeMap::new();
    for row in rows {
        let one = Incarnation { id: row.text(1)?, start: row.int(2)?, previous_end: row.int(3)? };
        all.entry(row.int(0)? as u32).or_default().push(one);
    }
    Ok(all)
}

/// A batch that begins at `from`, or, if `from` lies in the void between two incarnations, at the first event after it.
/// It never spans two incarnations. Empty if the log ends before `from`; it says even then what event is at `from - 1`.
pub async fn read(db: &Db, service: &str, shard: u32, from: i64, limit: usize) -> Result<Batch> {
    let from = from.max(1);
    let limit = limit.clamp(1, MAX_EVENTS);
    // The event before it comes along: its id is what the batch is chained to.
    let rows = db
        .of(Whose::Log)
        .rows(
            "SELECT position, event_id, envelope FROM event_log WHERE shard = $1 AND position >= $2 ORDER BY position LIMIT $3",
            args![shard, from - 1, (limit + 1) as i64],
        )
        .await?;
    let incarnations = incarnations(db).await?;
    let of_shard = incarnations.get(&shard).ok_or_else(|| Error::invalid("shard", "does not exist in this log"))?;
    let mut batch = Batch { service: service.to_owned(), shard, ..Batch::default() };
    let (mut previous, mut bytes) = (String::new(), 0);
    for row in rows {
        let position = row.int(0)?;
        if position < from {
            previous = row.id(1)?.to_string();
            continue;
        }
        let envelope: Vec<u8> = row.get(2)?;
        bytes += envelope.len();
        let incarnation =
            of_shard.iter().rev().find(|one| one.start < position).ok_or_else(|| Error::internal("an event has no incarnation"))?;
        if batch.events.is_empty() {
            batch.first = position;
            batch.incarnation.clone_from(&incarnation.id);
            if position > incarnation.start + 1 {
                batch.previous_event_id = previous.clone();
            }
        } else if incarnation.id != batch.incarnation || bytes > MAX_BYTES || batch.events.len() == limit {
            break;
        }
        batch.events.push(decode(&envelope)?);
    }
    if batch.events.is_empty() {
        batch.first = from;
        if let Some(last) = of_shard.last() {
            batch.incarnation.clone_from(&last.id);
            if from > last.start + 1 {
                batch.previous_event_id = previous;
            }
        }
    }
    Ok(batch)
}
