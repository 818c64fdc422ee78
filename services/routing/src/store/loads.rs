//! What workers have on their hands.

use ::store::{Args, Row, Scoped, Tx, Val};
use kernel::{Channel, Error, Result};

use super::placeholders;

const LOADS: &str = "SELECT holder, offered_to, points_as FROM routing_case WHERE holder IN";

fn read_loads(rows: &[Row]) -> Result<Vec<(String, Channel)>> {
    let mut loads = Vec::new();
    for row in rows {
        let channel = Channel::from_code(&row.text(2)?).ok_or_else(|| Error::internal("a stored channel is unknown"))?;
        loads.extend([row.text(0)?, row.text(1)?].into_iter().filter(|worker| !worker.is_empty()).map(|worker| (worker, channel)));
    }
    Ok(loads)
}

fn loads_of(workers: &[&str]) -> (String, Args) {
    let list = placeholders(1, workers.len());
    let args = workers.iter().map(|worker| Val::from(*worker)).collect();
    (format!("{LOADS} ({list}) OR offered_to IN ({list})"), args)
}

/// What these workers (and others, to be ignored) have: held cases, and offers, which keep their room until they end.
pub async fn held(tx: &mut Tx, workers: &[&str]) -> Result<Vec<(String, Channel)>> {
    if workers.is_empty() {
        return Ok(Vec::new());
    }
    let (sql, args) = loads_of(workers);
    read_loads(&tx.rows(sql, args).await?)
}

/// The same, as committed.
pub async fn committed(db: &Scoped, workers: &[&str]) -> Result<Vec<(String, Channel)>> {
    if workers.is_empty() {
        return Ok(Vec::new());
    }
    let (sql, args) = loads_of(workers);
    read_loads(&db.rows(sql, args).await?)
}
