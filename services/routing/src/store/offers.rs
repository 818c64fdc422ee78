//! Offers and assignments as rows: the open ones guard the promise that a case has one of each, the ended ones say how long it took.

use std::time::Duration;

use ::store::{Row, Scoped, Tx, args};
use kernel::{Error, Id, Result, Severity, Time};
use log::Scope;

use super::cases::CaseRow;
use crate::domain::case::{Case, Offer};

pub async fn insert(tx: &mut Tx, row: &CaseRow, offer: &Offer, now: Time) -> Result<()> {
    tx.exec(
        "INSERT INTO offer (offer_id, case_id, organisation, worker, queue, created_at, expires_at, ended_at) VALUES ($1,$2,$3,$4,$5,$6,$7,NULL)",
        args![offer.offer, row.id, &row.organisation, &offer.worker, &row.case.needs.queue, now, offer.until],
    )
    .await?;
    Ok(())
}

/// Ends an offer; answers since when it stood, if it had not ended before.
pub async fn end(tx: &mut Tx, offer: Id, now: Time) -> Result<Option<Time>> {
    let sql = "UPDATE offer SET ended_at = $2 WHERE offer_id = $1 AND ended_at IS NULL RETURNING created_at";
    tx.row(sql, args![offer, now]).await?.map(|row| row.time(0)).transpose()
}

/// Whose an offer is: organisation, worker, case.
pub struct Whose {
    pub organisation: String,
    pub worker: String,
    pub case: Id,
}

const WHOSE: &str = "SELECT organisation, worker, case_id FROM offer WHERE offer_id = $1";

fn whose_row(row: &Row) -> Result<Whose> {
    Ok(Whose { organisation: row.text(0)?, worker: row.text(1)?, case: row.id(2)? })
}

/// An offer that was ever made; NOT_FOUND if there is none.
pub async fn whose(db: &Scoped, offer: Id) -> Result<Whose> {
    let row = db.row(WHOSE, args![offer]).await?.ok_or_else(|| Error::not_found("offer"))?;
    whose_row(&row)
}

/// The case that an offer is about.
pub async fn case_of(tx: &mut Tx, offer: Id) -> Result<Option<Id>> {
    let row = tx.row(WHOSE, args![offer]).await?;
    Ok(row.as_ref().map(whose_row).transpose()?.map(|whose| whose.case))
}

/// The open offers to a worker: (offer, case).
pub async fn open_to(tx: &mut Tx, worker: &str) -> Result<Vec<(Id, Id)>> {
    let rows =
        tx.rows("SELECT offer_id, case_id FROM offer WHERE worker = $1 AND ended_at IS NULL ORDER BY case_id", args![worker]).await?;
    rows.iter().map(|row| Ok((row.id(0)?, row.id(1)?))).collect()
}

/// An open offer, as its worker sees it.
pub struct Open {
    pub offer: Id,
    pub case: Id,
    /// Whose the case is.
    pub scope: Scope,
    pub worker: String,
    pub queue: String,
    pub severity: Severity,
    pub created_at: Time,
    pub expires_at: Time,
}

/// The open offers to a worker whose time is not over, oldest first, as committed.
pub async fn list(db: &Scoped, organisation: &str, worker: &str, now: Time) -> Result<Vec<Open>> {
    let rows = db
        .rows(
            "SELECT o.offer_id, o.case_id, o.worker, o.queue, o.created_at, o.expires_at, c.state, c.organisation, c.clinic, c.practice \
             FROM offer o \
             JOIN routing_case c ON c.case_id = o.case_id \
             WHERE o.worker = $1 AND o.organisation = $2 AND o.ended_at IS NULL AND o.expires_at > $3 ORDER BY o.created_at, o.offer_id",
            args![worker, organisation, now],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let case: Case =
                serde_json::from_str(&row.text(6)?).map_err(|error| Error::internal(format!("a stored case cannot be read: {error}")))?;
            Ok(Open {
                offer: row.id(0)?,
                case: row.id(1)?,
                scope: Scope { organisation: row.text(7)?, clinic: row.text(8)?, practice: row.bool(9)? },
                worker: row.text(2)?,
                queue: row.text(3)?,
                severity: case.severity,
                created_at: row.time(4)?,
                expires_at: row.time(5)?,
            })
        })
        .collect()
}

pub async fn assign(tx: &mut Tx, row: &CaseRow, worker: &str, now: Time) -> Result<()> {
    tx.exec(
        "INSERT INTO assignment (assignment_id, case_id, worker, queue, live, since, ended_at, organisation, practice) VALUES ($1,$2,$3,$4,$5,$6,NULL,$7,$8)",
        args![Id::new(now), row.id, worker, &row.case.needs.queue, !row.asynchronous, now, &row.organisation, row.practice],
    )
    .await?;
    Ok(())
}

pub async fn unassign(tx: &mut Tx, row: &CaseRow, now: Time) -> Result<()> {
    tx.exec(
        "UPDATE assignment SET ended_at = $2, live = $3 WHERE case_id = $1 AND ended_at IS NULL",
        args![row.id, now, !row.asynchronous],
    )
    .await?;
    Ok(())
}

/// How long the last conversations from a queue took, of those where somebody waited at the screen: real ones, or practice.
pub async fn recent(db: &Scoped, queue: &str, practice: bool) -> Result<Vec<Duration>> {
    let rows = db
        .rows(
            "SELECT since, ended_at FROM assignment WHERE queue = $1 AND ended_at IS NOT NULL AND live = TRUE AND practice = $2 \
             ORDER BY ended_at DESC LIMIT 40",
            args![queue, practice],
        )
        .await?;
    rows.iter().map(|row| Ok(row.time(1)?.since(row.time(0)?))).collect()
}
