//! Events that can never take effect, and the later ones of the same key that wait behind them.

use std::collections::BTreeSet;

use kernel::error::Code;
use kernel::{Error, Id, Result};
use prost::Message;
use proto::log::{DeadLetter, Envelope};
use store::{Db, Row, Whose, args};

use crate::consumer_driver::Handler;
use crate::log::Log;
use crate::unit::{Origin, Scope, Unit};

/// Keys of a shard of `source` that have a dead letter: their later events are parked.
pub async fn parked_keys(unit: &mut Unit<'_>, source: &str, shard: u32) -> Result<BTreeSet<String>> {
    let rows = unit.tx.rows("SELECT DISTINCT key FROM dead_letter WHERE source = $1 AND shard = $2", args![source, shard]).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// Forgets what is set aside of `key`, because it is erased.
pub async fn forget(unit: &mut Unit<'_>, source: &str, key: &str) -> Result<()> {
    unit.tx.exec("DELETE FROM dead_letter WHERE source = $1 AND key = $2", args![source, key]).await?;
    Ok(())
}

/// Sets `event` aside, in the transaction that moves the cursor past it. An empty reason: parked behind another.
pub async fn put(unit: &mut Unit<'_>, source: &str, shard: u32, event: &Envelope, reason: &str) -> Result<()> {
    let now = unit.now;
    unit.tx
        .exec(
            "INSERT INTO dead_letter (source, shard, position, event_id, key, reason, envelope, created_at, organisation) \
             VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9) ON CONFLICT (source, shard, position, event_id) DO NOTHING",
            args![source, shard, event.position, &event.event_id, &event.key, reason, event.encode_to_vec(), now, &event.organisation_id],
        )
        .await?;
    Ok(())
}

/// What is set aside, oldest first, at most 1,000.
pub async fn list(db: &Db, consumer: &str) -> Result<Vec<DeadLetter>> {
    let rows = db
        .of(Whose::Log)
        .rows(
            "SELECT source, envelope, reason, created_at FROM dead_letter ORDER BY created_at, source, shard, position LIMIT 1000",
            args![],
        )
        .await?;
    rows.iter().map(|row| read(row, consumer)).collect()
}

/// A letter from its source, envelope, reason and time.
pub(crate) fn read(row: &Row, consumer: &str) -> Result<DeadLetter> {
    Ok(DeadLetter {
        consumer: consumer.to_owned(),
        source: row.text(0)?,
        event: Some(crate::reader::decode(&row.get::<Vec<u8>>(1)?)?),
        reason: row.text(2)?,
        created_at: Some(proto::timestamp(row.time(3)?)),
    })
}

/// What to do with the dead letter itself; those parked behind it take effect either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    Replay,
    Drop,
}

/// Whose rows a dead letter, and what is parked behind it, may touch.
async fn whose(log: &Log, event_id: &str) -> Result<Whose> {
    let row = log.machinery().row("SELECT envelope FROM dead_letter WHERE event_id = $1 AND reason <> ''", args![event_id]).await?;
    let event = crate::reader::decode(&row.ok_or_else(|| Error::not_found("dead letter"))?.get::<Vec<u8>>(0)?)?;
    Ok(of_events([&event]))
}

/// Whose rows these events may touch. The empty name is there for letters from before they knew whose they are.
pub(crate) fn of_events<'e>(events: impl IntoIterator<Item = &'e Envelope>) -> Whose {
    Whose::many(events.into_iter().map(|event| event.organisation_id.as_str()).chain([""]))
}

/// Lets a dead letter's key go on, in one transaction: the letter is tried again or given up, then what was parked takes
/// effect in order. If any of it fails, nothing changes. Answers how many took effect.
///
/// The audit row says who did it and which letter it was: a letter that is dropped leaves no other trace here.
pub async fn settle(
    log: &Log,
    handlers: Vec<std::sync::Arc<dyn Handler>>,
    event_id: String,
    remedy: Remedy,
    origin: Origin,
) -> Result<u32> {
    let (owned, now) = (log.clone(), log.clock().now());
    let finished = log
        .db()
        .of(whose(log, &event_id).await?)
        .transaction(move |tx| {
            Box::pin(async move {
                let row = tx
                    .row("SELECT source, shard, key FROM dead_letter WHERE event_id = $1 AND reason <> ''", args![&event_id])
                    .await?
                    .ok_or_else(|| Error::not_found("dead letter"))?;
                let (source, shard, key) = (row.text(0)?, row.int(1)?, row.text(2)?);
                // Whoever parks another event of this key moves this cursor first, so it waits, and then finds nothing parked.
                tx.rows("SELECT position FROM log_cursor WHERE source = $1 AND shard = $2 FOR UPDATE", args![&source, shard]).await?;
                let handler = handlers
                    .iter()
                    .find(|handler| handler.source() == source)
                    .ok_or_else(|| Error::new(Code::FailedPrecondition, "NO_HANDLER", format!("nothing here consumes {source}")))?;
                let rows = tx
                    .rows(
                        "SELECT envelope FROM dead_letter WHERE source = $1 AND shard = $2 AND key = $3 ORDER BY position",
                        args![&source, shard, &key],
                    )
                    .await?;
                let events = rows.iter().map(|row| crate::reader::decode(&row.get::<Vec<u8>>(0)?)).collect::<Result<Vec<_>>>()?;
                tx.exec("DELETE FROM dead_letter WHERE source = $1 AND shard = $2 AND key = $3", args![&source, shard, &key]).await?;
                let action = format!("{} {event_id}", origin.action);
                let mut unit = Unit::new(tx, owned, now, Origin { action, ..origin });
                if let Some(letter) = events.iter().find(|event| event.event_id == event_id) {
                    let scope =
                        Scope { organisation: letter.organisation_id.clone(), clinic: letter.clinic_id.clone(), practice: letter.practice };
                    unit.audit(Id::parse("key", &letter.key)?, &scope);
                }
                let mut done = 0;
                for event in events {
                    if remedy == Remedy::Drop && event.event_id == event_id {
                        continue;
                    }
                    unit.origin = Origin::event(&event);
                    handler.apply(&mut unit, &event).await?;
                    done += 1;
                }
                Ok((crate::committer::finish(&mut unit).await?, done))
            })
        })
        .await?;
    finished.0.publish(log);
    Ok(finished.1)
}
