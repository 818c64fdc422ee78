//! Passkeys: their public halves.

use kernel::{Id, Result, Time};
use log::Unit;
use store::{Row, Scoped, args};

/// One passkey's row.
#[derive(Clone, Debug)]
pub struct Passkey {
    pub id: Id,
    pub organisation: String,
    pub worker: String,
    pub credential: Vec<u8>,
    /// The public key, a point of P-256.
    pub point: Vec<u8>,
    /// How often it had signed when it was last seen.
    pub count: i64,
    pub device: String,
    pub added_at: Time,
    pub used_at: Option<Time>,
}

macro_rules! passkeys {
    ($rest:literal) => {
        concat!(
            "SELECT passkey_id, organisation, worker_id, credential_id, point, signed, device, added_at, used_at FROM passkey WHERE ",
            $rest
        )
    };
}

fn passkey(row: &Row) -> Result<Passkey> {
    Ok(Passkey {
        id: row.id(0)?,
        organisation: row.text(1)?,
        worker: row.text(2)?,
        credential: row.get(3)?,
        point: row.get(4)?,
        count: row.int(5)?,
        device: row.text(6)?,
        added_at: row.time(7)?,
        used_at: row.opt_time(8)?,
    })
}

/// Keeps a new one; false if its id is taken.
pub async fn add(unit: &mut Unit<'_>, new: &Passkey) -> Result<bool> {
    let sql = "INSERT INTO passkey (passkey_id, organisation, worker_id, credential_id, point, signed, device, added_at) \
               VALUES ($1,$2,$3,$4,$5,$6,$7,$8) ON CONFLICT (credential_id) DO NOTHING";
    let (credential, point) = (new.credential.clone(), new.point.clone());
    let values = args![new.id, &new.organisation, &new.worker, credential, point, new.count, &new.device, new.added_at];
    Ok(unit.tx.exec(sql, values).await? == 1)
}

/// Whose the passkey with this id is: all that is known of it before this.
pub async fn organisation(machinery: &Scoped, credential: &[u8]) -> Result<Option<String>> {
    let row = machinery.row("SELECT organisation FROM passkey WHERE credential_id = $1", args![credential]).await?;
    row.map(|row| row.text(0)).transpose()
}

pub async fn by_credential(db: &Scoped, credential: &[u8]) -> Result<Option<Passkey>> {
    db.row(passkeys!("credential_id = $1"), args![credential]).await?.map(|row| passkey(&row)).transpose()
}

/// A worker's, newest first.
pub async fn of_worker(db: &Scoped, organisation: &str, worker: &str) -> Result<Vec<Passkey>> {
    let sql = passkeys!("organisation = $1 AND worker_id = $2 ORDER BY added_at DESC, passkey_id DESC");
    db.rows(sql, args![organisation, worker]).await?.iter().map(passkey).collect()
}

/// How many each worker of an organisation has.
pub async fn counts(db: &Scoped, organisation: &str) -> Result<Vec<(String, u32)>> {
    let rows = db.rows("SELECT worker_id, COUNT(*) FROM passkey WHERE organisation = $1 GROUP BY worker_id", args![organisation]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, u32::try_from(row.int(1)?).unwrap_or(u32::MAX)))).collect()
}

/// After a use; false if another use came between.
pub async fn used(unit: &mut Unit<'_>, passkey: &Passkey, count: u32) -> Result<bool> {
    let sql = "UPDATE passkey SET signed = $3, used_at = $4 WHERE passkey_id = $1 AND signed = $2";
    Ok(unit.tx.exec(sql, args![passkey.id, passkey.count, i64::from(count), unit.now]).await? == 1)
}

/// Takes one of a worker's away; false if it is none.
pub async fn remove(unit: &mut Unit<'_>, organisation: &str, worker: &str, id: Id) -> Result<bool> {
    let sql = "DELETE FROM passkey WHERE organisation = $1 AND worker_id = $2 AND passkey_id = $3";
    Ok(unit.tx.exec(sql, args![organisation, worker, id]).await? == 1)
}

/// Takes all of a worker's away.
pub async fn remove_all(unit: &mut Unit<'_>, organisation: &str, worker: &str) -> Result<()> {
    unit.tx.exec("DELETE FROM passkey WHERE organisation = $1 AND worker_id = $2", args![organisation, worker]).await?;
    Ok(())
}
