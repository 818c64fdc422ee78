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
}

/// Adds a decision to a case; the caller saves the case, which counts them.
pub async fn add(tx: &mut Tx, row: &mut CaseRow, decision: &Decision) -> Result<()> {
    let candidates =
        serde_json::to_string(&decision.candidates).map_err(|error| Error::internal(format!("a decision cannot be written: {error}")))?;
    tx.exec(
        "INSERT INTO decision (case_id, n, at, kind, worker, queue, why, candidates, organisation) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)",
        args![
            row.id,
            row.decisions,
            decision.at,
            &decision.kind,
            &decision.worker,
            &decision.queue,
            &decision.why,
            candidates,
            &row.organisation
        ],
    )
    .await?;
    row.decisions += 1;
    Ok(())
}

/// All decisions about a case, oldest first.
pub async fn list(db: &Scoped, case: Id) -> Result<Vec<Decision>> {
    let rows = db.rows("SELECT at, kind, worker, queue, why, candidates FROM decision WHERE case_id = $1 ORDER BY n", args![case]).await?;
    rows.iter()
        .map(|row| {
            let candidates = serde_json::from_str(&row.text(5)?)
                .map_err(|error| Error::internal(format!("a stored decision cannot be read: {error}")))?;
            Ok(Decision { at: row.time(0)?, kind: row.text(1)?, worker: row.text(2)?, queue: row.text(3)?, why: row.text(4)?, candidates })
        })
        .collect()
}
