//! How far clinics are on their way to being live.

use kernel::{Result, Time};
use log::Unit;
use store::{Scoped, args};

/// A step that is done.
pub struct Done {
    pub clinic: String,
    pub step: i32,
    pub set_by: String,
    pub set_at: Time,
}

pub async fn list(db: &Scoped, organisation: &str) -> Result<Vec<Done>> {
    let sql = "SELECT clinic, step, set_by, set_at FROM rollout_step WHERE organisation = $1 ORDER BY clinic, step";
    let rows = db.rows(sql, args![organisation]).await?;
    rows.iter().map(|row| Ok(Done { clinic: row.text(0)?, step: row.int(1)? as i32, set_by: row.text(2)?, set_at: row.time(3)? })).collect()
}

/// The steps of one clinic that are done, locked by the clinic's lane.
pub async fn steps(unit: &mut Unit<'_>, organisation: &str, clinic: &str) -> Result<Vec<i32>> {
    let sql = "SELECT step FROM rollout_step WHERE organisation = $1 AND clinic = $2 ORDER BY step";
    unit.tx.rows(sql, args![organisation, clinic]).await?.iter().map(|row| Ok(row.int(0)? as i32)).collect()
}

pub async fn set(unit: &mut Unit<'_>, organisation: &str, clinic: &str, step: i32, by: &str) -> Result<()> {
    let now = unit.now;
    unit.tx
        .exec(
            "INSERT INTO rollout_step (organisation, clinic, step, set_by, set_at) VALUES ($1,$2,$3,$4,$5) \
             ON CONFLICT (organisation, clinic, step) DO NOTHING",
            args![organisation, clinic, step, by, now],
        )
        .await?;
    Ok(())
}

pub async fn unset(unit: &mut Unit<'_>, organisation: &str, clinic: &str, step: i32) -> Result<()> {
    const SQL: &str = "DELETE FROM rollout_step WHERE organisation = $1 AND clinic = $2 AND step = $3";
    unit.tx.exec(SQL, args![organisation, clinic, step]).await?;
    Ok(())
}

/// What a clinic has practised.
pub struct Practised {
    pub cases: u32,
    /// Workers who have had one.
    pub workers: u32,
}

/// Of all time: what erasure leaves of a case still says that it was practice, and who had it.
pub async fn practised(db: &Scoped, organisation: &str, clinic: &str) -> Result<Practised> {
    const SQL: &str = "SELECT COUNT(*), COUNT(DISTINCT CASE WHEN worker = '' THEN NULL ELSE worker END) FROM cases \
                       WHERE organisation = $1 AND clinic = $2 AND practice";
    let row = db.row(SQL, args![organisation, clinic]).await?;
    let count = |at| row.as_ref().map_or(Ok(0), |row| row.int(at).map(|count| u32::try_from(count).unwrap_or(u32::MAX)));
    Ok(Practised { cases: count(0)?, workers: count(1)? })
}
