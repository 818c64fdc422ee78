//! Who was alerted to signs of danger in which case, until somebody takes it or it is over.

use ::store::{Scoped, Tx, args};
use kernel::{Error, Id, Result, Severity, Time};
use log::Scope;

/// An alert, as its worker sees it.
pub struct Alert {
    pub case: Id,
    pub scope: Scope,
    pub severity: Severity,
    pub raised_at: Time,
}

/// Alerts a worker, anew if they were alerted before.
pub async fn raise(tx: &mut Tx, case: Id, organisation: &str, worker: &str, severity: Severity, now: Time) -> Result<()> {
    tx.exec(
        "INSERT INTO alert (case_id, organisation, worker, severity, raised_at) VALUES ($1,$2,$3,$4,$5) \
         ON CONFLICT (case_id, worker) DO UPDATE SET severity = excluded.severity, raised_at = excluded.raised_at",
        args![case, organisation, worker, severity.code(), now],
    )
    .await?;
    Ok(())
}

/// Somebody has the case, or nobody needs it any more.
pub async fn end(tx: &mut Tx, case: Id) -> Result<()> {
    tx.exec("DELETE FROM alert WHERE case_id = $1", args![case]).await?;
    Ok(())
}

/// Alerts these workers to what others were alerted to, and those no more unless `keep`. Answers who is alerted now: nobody, if nobody was.
pub async fn pass_on(tx: &mut Tx, case: Id, organisation: &str, to: Vec<String>, keep: bool, now: Time) -> Result<Vec<String>> {
    let rows = tx.rows("SELECT severity FROM alert WHERE case_id = $1", args![case]).await?;
    let mut gravest = None;
    for row in &rows {
        gravest = gravest.max(Severity::from_code(&row.text(0)?));
    }
    let Some(severity) = gravest else { return Ok(Vec::new()) };
    if !keep {
        end(tx, case).await?;
    }
    for worker in &to {
        raise(tx, case, organisation, worker, severity, now).await?;
    }
    Ok(to)
}

/// A worker's alerts, oldest first, as committed.
pub async fn list(db: &Scoped, organisation: &str, worker: &str) -> Result<Vec<Alert>> {
    let rows = db
        .rows(
            "SELECT a.case_id, c.organisation, c.clinic, c.practice, a.severity, a.raised_at FROM alert a \
             JOIN routing_case c ON c.case_id = a.case_id WHERE a.worker = $1 AND c.organisation = $2 ORDER BY a.raised_at, a.case_id",
            args![worker, organisation],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Alert {
                case: row.id(0)?,
                scope: Scope { organisation: row.text(1)?, clinic: row.text(2)?, practice: row.bool(3)? },
                severity: Severity::from_code(&row.text(4)?).ok_or_else(|| Error::internal("a stored severity is unknown"))?,
                raised_at: row.time(5)?,
            })
        })
        .collect()
}
