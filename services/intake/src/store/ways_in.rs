//! How people come in without a sign-in service: invitations, addresses, codes.

use kernel::{Id, Result, Time};
use log::Unit;
use store::{Row, Scoped, args};

/// An invitation's row. Its token follows from its id and the installation's secret; what is stored is the token's hash.
#[derive(Clone, Debug)]
pub struct Invitation {
    pub id: Id,
    pub organisation: String,
    pub worker: String,
    pub email: String,
    pub language: String,
    pub expires_at: Time,
}

fn invitation(row: &Row) -> Result<Invitation> {
    Ok(Invitation {
        id: row.id(0)?,
        organisation: row.text(1)?,
        worker: row.text(2)?,
        email: row.text(3)?,
        language: row.text(4)?,
        expires_at: row.time(5)?,
    })
}

/// Keeps a new invitation in place of earlier ones of the same worker. Those of the organisation whose time is over go, with their addresses.
pub async fn invite(unit: &mut Unit<'_>, new: &Invitation, token_hash: Vec<u8>, by: &str) -> Result<()> {
    let old = "DELETE FROM invitation WHERE organisation = $1 AND (worker_id = $2 OR expires_at <= $3)";
    unit.tx.exec(old, args![&new.organisation, &new.worker, unit.now]).await?;
    unit.tx
        .exec(
            "INSERT INTO invitation (invitation_id, organisation, worker_id, email, language, token_hash, invited_by, created_at, expires_at) \
             VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)",
            args![new.id, &new.organisation, &new.worker, &new.email, &new.language, token_hash, by, unit.now, new.expires_at],
        )
        .await?;
    Ok(())
}

/// Whose the invitation of a link is: all that is known of it before this.
pub async fn organisation_of_link(machinery: &Scoped, token_hash: &[u8]) -> Result<Option<String>> {
    let row = machinery.row("SELECT organisation FROM invitation WHERE token_hash = $1", args![token_hash]).await?;
    row.map(|row| row.text(0)).transpose()
}

/// Whose the invitation with this id is.
pub async fn organisation_of_invitation(machinery: &Scoped, id: Id) -> Result<Option<String>> {
    let row = machinery.row("SELECT organisation FROM invitation WHERE invitation_id = $1", args![id]).await?;
    row.map(|row| row.text(0)).transpose()
}

macro_rules! invitations {
    ($rest:literal) => {
        concat!("SELECT invitation_id, organisation, worker_id, email, language, expires_at FROM invitation WHERE ", $rest)
    };
}

/// The invitation of a link, if it stands.
pub async fn by_link(db: &Scoped, token_hash: &[u8], now: Time) -> Result<Option<Invitation>> {
    let row = db.row(invitations!("token_hash = $1 AND expires_at > $2"), args![token_hash, now]).await?;
    row.map(|row| invitation(&row)).transpose()
}

/// The invitation with this id, over or not.
pub async fn by_id(db: &Scoped, id: Id) -> Result<Option<Invitation>> {
    db.row(invitations!("invitation_id = $1"), args![id]).await?.map(|row| invitation(&row)).transpose()
}

/// An organisation's invitations that stand.
pub async fn standing(db: &Scoped, organisation: &str, now: Time) -> Result<Vec<Invitation>> {
    db.rows(invitations!("organisation = $1 AND expires_at > $2"), args![organisation, now]).await?.iter().map(invitation).collect()
}

/// Ends an invitation; false if it had ended, or its time is over.
pub async fn end_invitation(unit: &mut Unit<'_>, id: Id) -> Result<bool> {
    Ok(unit.tx.exec("DELETE FROM invitation WHERE invitation_id = $1 AND expires_at > $2", args![id, unit.now]).await? == 1)
}

/// An address that lets a worker in.
#[derive(Clone, Debug)]
pub struct Address {
    pub worker: String,
    pub email: String,
    pub since: Time,
}

/// Makes an address the worker's, in place of another. Gives the other.
pub async fn set_address(unit: &mut Unit<'_>, invitation: &Invitation, hash: Vec<u8>) -> Result<Option<String>> {
    let before = "SELECT email FROM staff_address WHERE organisation = $1 AND worker_id = $2 FOR UPDATE";
    let before = unit.tx.row(before, args![&invitation.organisation, &invitation.worker]).await?;
    unit.tx
        .exec(
            "INSERT INTO staff_address (organisation, worker_id, email, address_hash, since) VALUES ($1,$2,$3,$4,$5) \
             ON CONFLICT (organisation, worker_id) DO UPDATE SET email = excluded.email, address_hash = excluded.address_hash, \
             since = excluded.since",
            args![&invitation.organisation, &invitation.worker, &invitation.email, hash, unit.now],
        )
        .await?;
    before.map(|row| row.text(0)).transpose()
}

/// Takes away how a worker comes in: their address, an invitation to have one, and their passkeys.
pub async fn remove(unit: &mut Unit<'_>, organisation: &str, worker: &str) -> Result<()> {
    for sql in [
        "DELETE FROM staff_address WHERE organisation = $1 AND worker_id = $2",
        "DELETE FROM invitation WHERE organisation = $1 AND worker_id = $2",
    ] {
        unit.tx.exec(sql, args![organisation, worker]).await?;
    }
    super::passkeys::remove_all(unit, organisation, worker).await
}

/// Whose an address is: organisation and worker of each. Across organisations: the address says so, and nothing else does yet.
pub async fn owners(machinery: &Scoped, hash: &[u8]) -> Result<Vec<(String, String)>> {
    let sql = "SELECT organisation, worker_id FROM staff_address WHERE address_hash = $1 ORDER BY organisation, worker_id LIMIT 50";
    machinery.rows(sql, args![hash]).await?.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}

/// An organisation's addresses.
pub async fn addresses(db: &Scoped, organisation: &str) -> Result<Vec<Address>> {
    let sql = "SELECT worker_id, email, since FROM staff_address WHERE organisation = $1";
    let one = |row: &Row| Ok(Address { worker: row.text(0)?, email: row.text(1)?, since: row.time(2)? });
    db.rows(sql, args![organisation]).await?.iter().map(one).collect()
}

/// The address of one worker.
pub async fn address_of(db: &Scoped, organisation: &str, worker: &str) -> Result<Option<String>> {
    let sql = "SELECT email FROM staff_address WHERE organisation = $1 AND worker_id = $2";
    db.row(sql, args![organisation, worker]).await?.map(|row| row.text(0)).transpose()
}

/// A code that was asked for. The code itself follows from the id and the installation's secret and is stored nowhere.
#[derive(Clone, Debug)]
pub struct Code {
    pub id: Id,
    pub address_hash: Vec<u8>,
    pub language: String,
    pub expires_at: Time,
}

fn code(row: &Row) -> Result<Code> {
    Ok(Code { id: row.id(0)?, address_hash: row.get(1)?, language: row.text(2)?, expires_at: row.time(3)? })
}

/// How many codes were asked for an address since `since`.
pub async fn codes_since(unit: &mut Unit<'_>, hash: &[u8], since: Time) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM sign_in_code WHERE address_hash = $1 AND created_at > $2";
    unit.tx.row(sql, args![hash, since]).await?.map_or(Ok(0), |row| row.int(0))
}

/// Keeps a new code. Earlier ones go on: another browser's request must not end mine. Those from before `forget`, whosever, go.
pub async fn add_code(unit: &mut Unit<'_>, new: &Code, token_hash: Vec<u8>, forget: Time) -> Result<()> {
    unit.tx.exec("DELETE FROM sign_in_code WHERE created_at < $1", args![forget]).await?;
    unit.tx
        .exec(
            "INSERT INTO sign_in_code (code_id, organisation, token_hash, address_hash, language, created_at, expires_at, tries, used) \
             VALUES ($1,'',$2,$3,$4,$5,$6,0,FALSE)",
            args![new.id, token_hash, new.address_hash.clone(), &new.language, unit.now, new.expires_at],
        )
        .await?;
    Ok(())
}

/// The code that the browser with this token asked for, used or not.
pub async fn code_of_browser(db: &Scoped, token_hash: &[u8]) -> Result<Option<Code>> {
    let sql = "SELECT code_id, address_hash, language, expires_at FROM sign_in_code WHERE token_hash = $1";
    db.row(sql, args![token_hash]).await?.map(|row| code(&row)).transpose()
}

/// A code that has not been used and is not over, for its mail.
pub async fn code_to_send(db: &Scoped, id: Id, now: Time) -> Result<Option<Code>> {
    let sql = "SELECT code_id, address_hash, language, expires_at FROM sign_in_code WHERE code_id = $1 AND NOT used AND expires_at > $2";
    db.row(sql, args![id, now]).await?.map(|row| code(&row)).transpose()
}

/// Counts a try, and ends the code if that was the right one and `ends` it; false if the code could not be tried any more.
pub async fn try_code(unit: &mut Unit<'_>, id: Id, most: i64, wrong: bool, ends: bool) -> Result<bool> {
    let sql = "UPDATE sign_in_code SET tries = tries + $4, used = $5 WHERE code_id = $1 AND NOT used AND expires_at > $2 AND tries < $3";
    Ok(unit.tx.exec(sql, args![id, unit.now, most, i64::from(wrong), ends]).await? == 1)
}
