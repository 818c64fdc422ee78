//! Every decision about a case, with who was looked at.

use ::store::{Scoped, Tx, args};
use kernel::{Error, Id, Result, Time};

use super::cases::CaseRow;
use crate::domain::eligible::Verdict;

/// One decision.
#[derive(Clone, Debug)]
pub struct Decision {
    pub at: Time,
    pub kind: String,
    pub worker: String,
    pub queue: String,
    pub why: String,
    pub candidates: Vec<Verdict>,
    /// The person who decided, if it was neither a rule nor the worker themselves.
    pub by: String,
    /// What that person gave as their reason. Gone with the case's texts.
    pub reason: String,
}

/// Adds a decision to a case; the caller saves the case, which counts them.
pub async fn add(tx: &mut Tx, row: &mut CaseRow, decision: &Decision) -> Result<()> {
    let candidates =
        serde_json::to_string(&decision.candidates).map_err(|error| Error::internal(format!("a decision cannot be written: {error}")))?;
    tx.exec(
        "INSERT INTO decision (case_id, n, at, kind, worker, queue, why, candidates, organisation, by_worker, reason) \
         VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)",
        args![
            row.id,
            row.decisions,
            decision.at,
            &decision.kind,
            &decision.worker,
            &decision.queue,
            &decision.why,
            candidates,
            &row.organisation,
            &decision.by,
            &decision.reason
        ],
    )
    .await?;
    row.decisions += 1;
    Ok(())
}

/// All decisions about a case, oldest first.
pub async fn list(db: &Scoped, case: Id) -> Result<Vec<Decision>> {
    const SQL: &str = "SELECT at, kind, worker, queue, why, candidates, by_worker, reason FROM decision WHERE case_id = $1 ORDER BY n";
    let rows = db.rows(SQL, args![case]).await?;
    rows.iter()
        .map(|row| {
            let candidates = serde_json::from_str(&row.text(5)?)
                .map_err(|error| Error::internal(format!("a stored decision cannot be read: {error}")))?;
            Ok(Decision {
                at: row.time(0)?,
                kind: row.text(1)?,
                worker: row.text(2)?,
                queue: row.text(3)?,
                why: row.text(4)?,
                candidates,
                by: row.text(6)?,
                reason: row.text(7)?,
            })
        })
        .collect()
}
