//! Referrals: to whom, and what became of it. The code is stored keyed-hashed, like a return phrase.

use kernel::{Id, Result, Time};
use log::{Scope, Unit};
use store::{Row, Scoped, args};

/// A referral as it is reported on.
pub struct Referral {
    pub id: Id,
    pub target: String,
    pub scope: Scope,
    pub outcome: i32,
}

pub async fn insert(unit: &mut Unit<'_>, id: Id, case: Id, scope: &Scope, target: &str, code_hash: Vec<u8>) -> Result<()> {
    let now = unit.now;
    unit.tx
        .exec(
            "INSERT INTO referral (referral_id, case_id, organisation, clinic, practice, target, code_hash, outcome, referred_at) \
             VALUES ($1,$2,$3,$4,$5,$6,$7,0,$8)",
            args![id, case, &scope.organisation, &scope.clinic, scope.practice, target, code_hash, now],
        )
        .await?;
    Ok(())
}

/// A referral as staff see it.
pub struct Made {
    pub id: Id,
    pub target: String,
    pub outcome: i32,
    pub referred_at: Time,
    pub reported_at: Option<Time>,
}

pub async fn of_case(db: &Scoped, case: Id) -> Result<Vec<Made>> {
    const SQL: &str =
        "SELECT referral_id, target, outcome, referred_at, reported_at FROM referral WHERE case_id = $1 ORDER BY referred_at, referral_id";
    let rows = db.rows(SQL, args![case]).await?;
    let read = |row: &Row| {
        Ok(Made {
            id: row.id(0)?,
            target: row.text(1)?,
            outcome: row.int(2)? as i32,
            referred_at: row.time(3)?,
            reported_at: row.opt_time(4)?,
        })
    };
    rows.iter().map(read).collect()
}

/// Whose referral has this code: the log's machinery may ask before anybody's organisation is known.
pub async fn organisation_of_code(machinery: &Scoped, code_hash: &[u8]) -> Result<Option<String>> {
    let row = machinery.row("SELECT organisation FROM referral WHERE code_hash = $1", args![code_hash]).await?;
    row.map(|row| row.text(0)).transpose()
}

pub async fn by_code(unit: &mut Unit<'_>, code_hash: Vec<u8>) -> Result<Option<Referral>> {
    let row = unit
        .tx
        .row(
            "SELECT referral_id, target, organisation, clinic, practice, outcome FROM referral WHERE code_hash = $1 FOR UPDATE",
            args![code_hash],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let scope = Scope { organisation: row.text(2)?, clinic: row.text(3)?, practice: row.bool(4)? };
    Ok(Some(Referral { id: row.id(0)?, target: row.text(1)?, scope, outcome: row.int(5)? as i32 }))
}

pub async fn report(unit: &mut Unit<'_>, id: Id, outcome: i32) -> Result<()> {
    let now = unit.now;
    unit.tx.exec("UPDATE referral SET outcome = $2, reported_at = $3 WHERE referral_id = $1", args![id, outcome, now]).await?;
    Ok(())
}

/// What is left tells where people were guided to and what became of it, and not whom.
pub async fn forget_case(unit: &mut Unit<'_>, case: Id) -> Result<()> {
    unit.tx.exec("UPDATE referral SET case_id = NULL WHERE case_id = $1", args![case]).await?;
    Ok(())
}
