//! Proposals to go on at another organisation, as the one that proposes them keeps them.

use kernel::{Error, Id, Result, Time};
use log::Unit;
use store::{Row, Scoped, args};

use crate::domain::transfer::State;

#[derive(Clone, Debug)]
pub struct Stored {
    pub id: Id,
    pub organisation: String,
    pub case: Id,
    /// The other organisation, its door, and why somebody comes there.
    pub to: String,
    pub entry_point: String,
    pub reason: String,
    pub text: String,
    /// Who proposed it.
    pub worker: String,
    pub state: State,
    pub proposed_at: Time,
    pub expires_at: Time,
    pub ended_at: Option<Time>,
}

const COLUMNS: &str =
    "transfer_id, organisation, case_id, to_organisation, entry_point, reason, body, worker, state, proposed_at, expires_at, ended_at";

fn read(row: &Row) -> Result<Stored> {
    Ok(Stored {
        id: row.id(0)?,
        organisation: row.text(1)?,
        case: row.id(2)?,
        to: row.text(3)?,
        entry_point: row.text(4)?,
        reason: row.text(5)?,
        text: row.text(6)?,
        worker: row.text(7)?,
        state: State::from_wire(row.int(8)? as i32).ok_or_else(|| Error::internal("a stored proposal has no state"))?,
        proposed_at: row.time(9)?,
        expires_at: row.time(10)?,
        ended_at: row.opt_time(11)?,
    })
}

pub async fn insert(unit: &mut Unit<'_>, one: &Stored) -> Result<()> {
    unit.tx
        .exec(
            "INSERT INTO transfer (transfer_id, organisation, case_id, to_organisation, entry_point, reason, body, worker, state, \
             proposed_at, expires_at) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)",
            args![
                one.id,
                &one.organisation,
                one.case,
                &one.to,
                &one.entry_point,
                &one.reason,
                &one.text,
                &one.worker,
                one.state.to_wire(),
                one.proposed_at,
                one.expires_at
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

/// The same inside a transaction. Whoever changes it has locked its case first.
pub async fn find(unit: &mut Unit<'_>, id: Id) -> Result<Option<Stored>> {
    unit.tx.row(format!("SELECT {COLUMNS} FROM transfer WHERE transfer_id = $1"), args![id]).await?.as_ref().map(read).transpose()
}

/// The one that the case's visitor has not answered.
pub async fn open_of(unit: &mut Unit<'_>, case: Id) -> Result<Option<Stored>> {
    let sql = format!("SELECT {COLUMNS} FROM transfer WHERE case_id = $1 AND state = $2");
    unit.tx.row(sql, args![case, State::Proposed.to_wire()]).await?.as_ref().map(read).transpose()
}

pub async fn end(unit: &mut Unit<'_>, id: Id, state: State) -> Result<()> {
    let now = unit.now;
    unit.tx.exec("UPDATE transfer SET state = $2, ended_at = $3 WHERE transfer_id = $1", args![id, state.to_wire(), now]).await?;
    Ok(())
}

/// With the case, that its visitor went on elsewhere is forgotten too.
pub async fn forget_case(unit: &mut Unit<'_>, case: Id) -> Result<()> {
    unit.tx.exec("DELETE FROM transfer WHERE case_id = $1", args![case]).await?;
    Ok(())
}
