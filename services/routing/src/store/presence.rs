//! Who is there.

use std::collections::BTreeMap;

use ::store::{Row, Scoped, Tx, Val, args};
use kernel::{Id, Result, Time};

use super::placeholders;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    pub worker: String,
    pub organisation: String,
    /// True if they take cases.
    pub present: bool,
    /// For practice cases, and no others.
    pub practising: bool,
    /// Their presence ran out without their saying so.
    pub vanished: bool,
    /// Points.
    pub capacity: u32,
    /// When they said so last.
    pub since: Time,
    /// When they last gave up a case, or came.
    pub unoccupied_since: Time,
    /// When it runs out unless it is renewed.
    pub expires_at: Time,
}

impl Presence {
    /// Whether they are there for cases of this kind.
    pub const fn is_there_for(&self, practice: bool) -> bool {
        self.present && self.practising == practice
    }
}

/// Names a worker in the timer table.
pub fn timer_key(worker: &str) -> Id {
    Id::derived(&[b"presence", worker.as_bytes()])
}

const SELECT: &str =
    "SELECT worker, organisation, present, vanished, capacity, since, unoccupied_since, expires_at, practising FROM presence WHERE ";

fn read(row: &Row) -> Result<Presence> {
    Ok(Presence {
        worker: row.text(0)?,
        organisation: row.text(1)?,
        present: row.bool(2)?,
        vanished: row.bool(3)?,
        capacity: u32::try_from(row.int(4)?).unwrap_or(u32::MAX),
        since: row.time(5)?,
        unoccupied_since: row.time(6)?,
        expires_at: row.time(7)?,
        practising: row.bool(8)?,
    })
}

fn by_worker(rows: &[Row]) -> Result<BTreeMap<String, Presence>> {
    rows.iter().map(read).map(|one| one.map(|one| (one.worker.clone(), one))).collect()
}

fn of(workers: &[&str], suffix: &str) -> (String, ::store::Args) {
    let sql = format!("{SELECT} worker IN ({}) ORDER BY worker{suffix}", placeholders(1, workers.len()));
    (sql, workers.iter().map(|worker| Val::from(*worker)).collect())
}

/// The rows of these workers, locked in the order of their ids.
pub async fn lock(tx: &mut Tx, workers: &[&str]) -> Result<BTreeMap<String, Presence>> {
    if workers.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (sql, args) = of(workers, " FOR UPDATE");
    by_worker(&tx.rows(sql, args).await?)
}

/// The rows of these workers, as committed.
pub async fn list(db: &Scoped, workers: &[&str]) -> Result<BTreeMap<String, Presence>> {
    if workers.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (sql, args) = of(workers, "");
    by_worker(&db.rows(sql, args).await?)
}

/// The worker whom a timer's key names.
pub async fn worker_of(tx: &mut Tx, key: Id) -> Result<Option<String>> {
    let row = tx.row("SELECT worker FROM presence WHERE timer_key = $1", args![key]).await?;
    row.map(|row| row.text(0)).transpose()
}

pub async fn save(tx: &mut Tx, one: &Presence) -> Result<()> {
    tx.exec(
        "INSERT INTO presence (worker, organisation, timer_key, present, vanished, capacity, since, unoccupied_since, expires_at, practising) \
         VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10) ON CONFLICT (worker) DO UPDATE SET organisation = excluded.organisation, \
         present = excluded.present, vanished = excluded.vanished, capacity = excluded.capacity, since = excluded.since, \
         unoccupied_since = excluded.unoccupied_since, expires_at = excluded.expires_at, practising = excluded.practising",
        args![
            &one.worker,
            &one.organisation,
            timer_key(&one.worker),
            one.present,
            one.vanished,
            one.capacity,
            one.since,
            one.unoccupied_since,
            one.expires_at,
            one.practising,
        ],
    )
    .await?;
    Ok(())
}

/// The worker has given up a case.
pub async fn unoccupied(tx: &mut Tx, worker: &str, now: Time) -> Result<()> {
    tx.exec("UPDATE presence SET unoccupied_since = $2 WHERE worker = $1", args![worker, now]).await?;
    Ok(())
}

/// Whoever is there, has a case or is asked to take one, as committed: organisation and worker.
pub async fn busy(db: &Scoped) -> Result<Vec<(String, String)>> {
    const SQL: &str = "SELECT organisation, worker FROM presence WHERE present = TRUE OR vanished = TRUE \
         UNION SELECT organisation, holder FROM routing_case WHERE holder <> '' \
         UNION SELECT organisation, offered_to FROM routing_case WHERE offered_to <> ''";
    let rows = db.rows(SQL, args![]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}
