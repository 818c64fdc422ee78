//! Transfers to other organisations, as the one that proposes them keeps them.

use kernel::{Error, Id, Result, Time};
use log::Unit;
use proto::intake::TransferState;
use store::{Row, Scoped, args};

#[derive(Clone, Debug)]
pub struct Stored {
    pub id: Id,
    pub organisation: String,
    pub case: Id,
    /// The other organisation's door, and why somebody comes there.
    pub entry_point: String,
    pub reason: String,
    pub text: String,
    /// Who proposed it.
    pub worker: String,
    pub state: TransferState,
    pub proposed_at: Time,
    pub answered_at: Option<Time>,
}

const COLUMNS: &str = "transfer_id, organisation, case_id, entry_point, reason, body, worker, state, proposed_at, answered_at";

fn read(row: &Row) -> Result<Stored> {
    Ok(Stored {
        id: row.id(0)?,
        organisation: row.text(1)?,
        case: row.id(2)?,
        entry_point: row.text(3)?,
        reason: row.text(4)?,
        text: row.text(5)?,
        worker: row.text(6)?,
        state: TransferState::try_from(row.int(7)? as i32).map_err(|_| Error::internal("a stored transfer has no state"))?,
        proposed_at: row.time(8)?,
        answered_at: row.opt_time(9)?,
    })
}

pub async fn insert(unit: &mut Unit<'_>, transfer: &Stored) -> Result<()> {
    unit.tx
        .exec(
            "INSERT INTO transfer (transfer_id, organisation, case_id, entry_point, reason, body, worker, state, proposed_at) \
             VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)",
            args![
                transfer.id,
                &transfer.organisation,
                transfer.case,
                &transfer.entry_point,
                &transfer.reason,
                &transfer.text,
                &transfer.worker,
                transfer.state as i64,
                transfer.proposed_at
            ],
        )
        .await?;
    Ok(())
}

/// The case's last one.
pub async fn last(db: &Scoped, case: Id) -> Result<Option<Stored>> {
    let sql = format!("SELECT {COLUMNS} FROM transfer WHERE case_id = $1 ORDER BY proposed_at DESC, transfer_id DESC LIMIT 1");
    db.row(sql, args![case]).await?.as_ref().map(read).transpose()
}

pub async fn load(db: &Scoped, id: Id) -> Result<Option<Stored>> {
    db.row(format!("SELECT {COLUMNS} FROM transfer WHERE transfer_id = $1"), args![id]).await?.as_ref().map(read).transpose()
}

pub async fn lock(unit: &mut Unit<'_>, id: Id) -> Result<Option<Stored>> {
    let sql = format!("SELECT {COLUMNS} FROM transfer WHERE transfer_id = $1 FOR UPDATE");
    unit.tx.row(sql, args![id]).await?.as_ref().map(read).transpose()
}

/// Those of a case that are in this state.
pub async fn of_case(unit: &mut Unit<'_>, case: Id, state: TransferState) -> Result<Vec<Id>> {
    let sql = "SELECT transfer_id FROM transfer WHERE case_id = $1 AND state = $2";
    unit.tx.rows(sql, args![case, state as i64]).await?.iter().map(|row| row.id(0)).collect()
}

pub async fn set_state(unit: &mut Unit<'_>, transfer: &Stored) -> Result<()> {
    let sql = "UPDATE transfer SET state = $2, answered_at = $3 WHERE transfer_id = $1";
    unit.tx.exec(sql, args![transfer.id, transfer.state as i64, transfer.answered_at]).await?;
    Ok(())
}

/// What the visitors of all organisations have agreed to and is not carried out, and whose it is.
pub async fn agreed(machinery: &Scoped, limit: i64) -> Result<Vec<(Id, String)>> {
    const SQL: &str = "SELECT transfer_id, organisation FROM transfer WHERE state = $1 LIMIT $2";
    let rows = machinery.rows(SQL, args![TransferState::Agreed as i64, limit]).await?;
    rows.iter().map(|row| Ok((row.id(0)?, row.text(1)?))).collect()
}

/// With the case, that its visitor went on elsewhere is forgotten too.
pub async fn forget_case(unit: &mut Unit<'_>, case: Id) -> Result<()> {
    unit.tx.exec("DELETE FROM transfer WHERE case_id = $1", args![case]).await?;
    Ok(())
}
