//! Where a log and its consumers stand, for metrics: a few small questions to the database, asked by a timer and by no call.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel::{Result, Time};
use store::args;

use crate::log::Log;

/// What the database says now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Per shard: its number, its head, and how far it is known to be on the bus.
    pub shards: Vec<(u32, i64, i64)>,
    /// Source, shard, and the last position that took effect.
    pub cursors: Vec<(String, u32, i64)>,
    /// By source: events that are dead, and those parked behind them.
    pub letters: BTreeMap<String, (i64, i64)>,
    /// Age of the oldest audit row without a seal.
    pub unsealed: Duration,
    /// For how long the oldest timer that is due has not fired.
    pub overdue: Duration,
}

pub async fn read(log: &Log) -> Result<Gauges> {
    let (db, now) = (log.machinery(), log.clock().now());
    let since = |time: Option<Time>| time.filter(|time| *time < now).map(|time| now.since(time)).unwrap_or_default();
    let mut gauges = Gauges::default();
    let sql = "SELECT h.shard, h.head, r.position FROM log_head h JOIN log_relay r ON r.shard = h.shard ORDER BY h.shard";
    for row in db.rows(sql, args![]).await? {
        gauges.shards.push((row.int(0)? as u32, row.int(1)?, row.int(2)?));
    }
    for row in db.rows("SELECT source, shard, position FROM log_cursor ORDER BY source, shard", args![]).await? {
        gauges.cursors.push((row.text(0)?, row.int(1)? as u32, row.int(2)?));
    }
    for row in db.rows("SELECT source, reason <> '', COUNT(*) FROM dead_letter GROUP BY source, reason <> ''", args![]).await? {
        let (dead, parked) = gauges.letters.entry(row.text(0)?).or_default();
        *(if row.bool(1)? { dead } else { parked }) += row.int(2)?;
    }
    // The row after each shard's last seal: nothing is read that has one.
    let sql = "SELECT MIN(a.at) FROM log_head h JOIN audit_log a ON a.shard = h.shard AND a.position = \
               (SELECT COALESCE(MAX(s.position), 0) + 1 FROM audit_seal s WHERE s.shard = h.shard)";
    gauges.unsealed = since(db.row(sql, args![]).await?.map(|row| row.opt_time(0)).transpose()?.flatten());
    gauges.overdue = since(db.row("SELECT MIN(due_at) FROM timer", args![]).await?.map(|row| row.opt_time(0)).transpose()?.flatten());
    Ok(gauges)
}
