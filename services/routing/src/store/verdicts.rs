//! What triage said before the case could be queued.

use ::store::{Tx, args};
use kernel::{Error, Id, Profession, Result, Severity};

use super::severity_of;

/// Triage's verdict on a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub severity: Severity,
    pub profession: Profession,
    /// The queue that a rule chose; empty if none did.
    pub queue: String,
    /// A worker lowered it.
    pub lowered: bool,
}

/// Keeps a verdict; a later one replaces an earlier one.
pub async fn keep(tx: &mut Tx, organisation: &str, case: Id, verdict: &Verdict) -> Result<()> {
    tx.exec(
        "INSERT INTO early_verdict (case_id, severity, profession, queue, lowered, organisation) VALUES ($1,$2,$3,$4,$5,$6) \
         ON CONFLICT (case_id) DO UPDATE SET severity = excluded.severity, profession = excluded.profession, queue = excluded.queue, \
         lowered = excluded.lowered",
        args![case, i64::from(verdict.severity as u8), verdict.profession.code(), &verdict.queue, verdict.lowered, organisation],
    )
    .await?;
    Ok(())
}

/// Keeps the place of a verdict until the transaction ends. Opening and verdict come by two ways at once, and neither would see
/// the other's row before its commit: so one waits here for the other.
pub async fn meet(tx: &mut Tx, organisation: &str, case: Id) -> Result<()> {
    tx.exec(
        "INSERT INTO early_verdict (case_id, severity, profession, queue, lowered, organisation) VALUES ($1,$2,'','',FALSE,$3) \
         ON CONFLICT (case_id) DO NOTHING",
        args![case, NONE_YET, organisation],
    )
    .await?;
    Ok(())
}

/// The severity of a place that holds no verdict.
const NONE_YET: i64 = -1;

/// The verdict that was kept, which is then forgotten.
pub async fn take(tx: &mut Tx, case: Id) -> Result<Option<Verdict>> {
    let Some(row) = tx.row("SELECT severity, profession, queue, lowered FROM early_verdict WHERE case_id = $1", args![case]).await? else {
        return Ok(None);
    };
    if row.int(0)? == NONE_YET {
        tx.exec("DELETE FROM early_verdict WHERE case_id = $1", args![case]).await?;
        return Ok(None);
    }
    let (Some(severity), Some(profession)) = (severity_of(row.int(0)?), Profession::from_code(&row.text(1)?)) else {
        return Err(Error::internal("a stored verdict is unknown"));
    };
    let verdict = Verdict { severity, profession, queue: row.text(2)?, lowered: row.bool(3)? };
    tx.exec("DELETE FROM early_verdict WHERE case_id = $1", args![case]).await?;
    Ok(Some(verdict))
}
