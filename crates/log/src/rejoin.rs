//! Taking a log back into service that was restored from a backup, or lost commits in a failover.
//!
//! Consumers have seen positions that the log no longer holds, and halt. A new incarnation begins above every one of
//! them, so that no position ever means two things; what is lost is listed.

use kernel::{Error, Id, Result};
use proto::log::{Cursor, Orphans};
use store::args;

use crate::committer::finish;
use crate::guard::{self, Phase};
use crate::log::Log;
use crate::unit::{Origin, Scope, Unit};

/// Positions left empty between two incarnations.
const VOID: i64 = 100_000;

/// What a rejoin did, or would do.
#[derive(Debug, Default)]
pub struct Rejoined {
    /// The new incarnation; empty for a dry run.
    pub incarnation: String,
    pub orphans: Vec<Orphans>,
}

/// Starts a new incarnation of every shard above all `cursors`, which are those of every consumer of this log. From then
/// on a log that was refused takes events again. The audit row names the incarnation.
pub async fn rejoin(log: &Log, cursors: Vec<Cursor>, dry_run: bool, origin: Origin) -> Result<Rejoined> {
    let (now, owned) = (log.clock().now(), log.clone());
    let id = Id::new(now);
    let incarnation = id.to_string();
    let shards = log.shards();
    if let Some(cursor) = cursors.iter().find(|cursor| cursor.shard >= shards || cursor.source != log.service()) {
        return Err(Error::invalid("cursors", format!("hold shard {} of {}, which is not of this log", cursor.shard, cursor.source)));
    }
    let name = incarnation.clone();
    let (orphans, starts) = log
        .machinery()
        .transaction(move |tx| {
            Box::pin(async move {
                let (mut orphans, mut starts) = (Vec::new(), Vec::new());
                for shard in 0..shards {
                    let row = tx
                        .row("SELECT head FROM log_head WHERE shard = $1 FOR UPDATE", args![shard])
                        .await?
                        .ok_or_else(|| Error::internal("a shard is missing"))?;
                    let head = row.int(0)?;
                    let seen = cursors.iter().filter(|cursor| cursor.shard == shard);
                    let highest = seen.clone().map(|cursor| cursor.position).max().unwrap_or(0).max(head);
                    for cursor in seen.clone().filter(|cursor| cursor.position <= head && !cursor.event_id.is_empty()) {
                        let row = tx
                            .row("SELECT event_id FROM event_log WHERE shard = $1 AND position = $2", args![shard, cursor.position])
                            .await?;
                        let held = row.map(|row| row.id(0)).transpose()?.map(|id| id.to_string());
                        if held.is_some_and(|held| held != cursor.event_id) {
                            // The log has grown again past what was consumed: where the two part cannot be told from here.
                            orphans.push(Orphans {
                                shard,
                                consumer: cursor.consumer.clone(),
                                first: cursor.position,
                                last: cursor.position,
                            });
                        }
                    }
                    orphans.extend(seen.filter(|cursor| cursor.position > head).map(|cursor| Orphans {
                        shard,
                        consumer: cursor.consumer.clone(),
                        first: head + 1,
                        last: cursor.position,
                    }));
                    if dry_run {
                        continue;
                    }
                    // Far above every cursor: a consumer that took effect while the cursors were being asked stays below it.
                    let start = highest + VOID;
                    // An incarnation without events ends where the one before it did.
                    let last = tx.row("SELECT MAX(position) FROM event_log WHERE shard = $1", args![shard]).await?;
                    let end = last.map(|row| row.get::<Option<i64>>(0)).transpose()?.flatten().unwrap_or(0);
                    tx.exec(
                        "INSERT INTO log_incarnation (shard, number, incarnation, start, previous_end) \
                         SELECT $1, MAX(number) + 1, $2, $3, $4 FROM log_incarnation WHERE shard = $1",
                        args![shard, &name, start, end],
                    )
                    .await?;
                    tx.exec("UPDATE log_head SET head = $2, event_id = NULL, refused = NULL WHERE shard = $1", args![shard, start]).await?;
                    starts.push((shard, start));
                }
                if !dry_run {
                    let mut unit = Unit::new(tx, owned, now, origin);
                    unit.audit(id, &Scope::default());
                    finish(&mut unit).await?;
                }
                Ok((orphans, starts))
            })
        })
        .await?;
    for (shard, start) in starts {
        log.progress().committed(shard, start);
    }
    if !dry_run {
        // Every consumer has told its cursor, so that nothing is left to doubt.
        log.guard().set(Phase::Open);
        guard::refresh(log).await?;
    }
    Ok(Rejoined { incarnation: if dry_run { String::new() } else { incarnation }, orphans })
}
