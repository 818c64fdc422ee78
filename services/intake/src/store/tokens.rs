//! Tokens: stored hashed, with who bears them.

use auth::{Principal, Role};
use kernel::{Error, Id, Result, Time};
use log::Unit;
use store::{Row, Scoped, args};

/// A token's row.
pub struct Token {
    pub id: Id,
    pub principal: Principal,
    pub expires_at: Time,
    /// When it ends unless its bearer does something; None: it has no idle time.
    pub idle_at: Option<Time>,
}

/// Keeps a token; the same hash again changes nothing, so that a repeated call gives the same token.
pub async fn insert(unit: &mut Unit<'_>, hash: Vec<u8>, token_id: Id, principal: &Principal, expires_at: Time) -> Result<()> {
    let clinics = serde_json::to_string(&principal.clinics).map_err(|error| Error::internal(error.to_string()))?;
    unit.tx
        .exec(
            "INSERT INTO access_token (hash, token_id, role, principal_id, organisation, clinics, expires_at, revoked) \
             VALUES ($1,$2,$3,$4,$5,$6,$7,FALSE) ON CONFLICT (hash) DO NOTHING",
            args![hash, token_id, principal.role.code(), &principal.id, &principal.organisation, clinics, expires_at],
        )
        .await?;
    Ok(())
}

/// From now on the token ends at `idle_at` unless that is moved on.
pub async fn set_idle(unit: &mut Unit<'_>, token_id: Id, idle_at: Time) -> Result<()> {
    unit.tx.exec("UPDATE access_token SET idle_at = $1 WHERE token_id = $2", args![idle_at, token_id]).await?;
    Ok(())
}

/// Says how and where the session with this token began.
pub async fn set_session(unit: &mut Unit<'_>, token_id: Id, way: &str, device: &str) -> Result<()> {
    let sql = "UPDATE access_token SET way = $1, device = $2, begun_at = $3 WHERE token_id = $4";
    unit.tx.exec(sql, args![way, device, unit.now, token_id]).await?;
    Ok(())
}

/// A session as its owner sees it.
pub struct Session {
    pub id: Id,
    pub hash: Vec<u8>,
    pub way: String,
    pub device: String,
    pub begun_at: Time,
    pub expires_at: Time,
    pub idle_at: Option<Time>,
}

/// Most that a list of sessions holds.
const SHOWN: i64 = 100;

/// A person's sessions that have not ended, newest first. A leader who works as one of the team is the same person.
pub async fn sessions(db: &Scoped, owner: &Principal, now: Time) -> Result<Vec<Session>> {
    let rows = db
        .rows(
            "SELECT token_id, hash, way, device, begun_at, expires_at, idle_at FROM access_token \
             WHERE organisation = $1 AND principal_id = $2 AND role NOT IN ('visitor', 'integrator') AND way <> '' AND NOT revoked \
             AND expires_at > $3 AND (idle_at IS NULL OR idle_at > $3) ORDER BY begun_at DESC, token_id DESC LIMIT $4",
            args![&owner.organisation, &owner.id, now, SHOWN],
        )
        .await?;
    let one = |row: &Row| {
        Ok(Session {
            id: row.id(0)?,
            hash: row.get(1)?,
            way: row.text(2)?,
            device: row.text(3)?,
            begun_at: row.time(4)?,
            expires_at: row.time(5)?,
            idle_at: row.opt_time(6)?,
        })
    };
    rows.iter().map(one).collect()
}

/// Ends a person's sessions, but not the one with the hash `except`; says how many ended.
pub async fn end_sessions(unit: &mut Unit<'_>, owner: &Principal, except: Vec<u8>) -> Result<u64> {
    unit.tx
        .exec(
            "UPDATE access_token SET revoked = TRUE WHERE organisation = $1 AND principal_id = $2 AND role NOT IN ('visitor', 'integrator') \
             AND way <> '' AND NOT revoked AND hash <> $3 AND expires_at > $4 AND (idle_at IS NULL OR idle_at > $4)",
            args![&owner.organisation, &owner.id, except, unit.now],
        )
        .await
}

/// The token with this hash, unless it is ended, idle for too long, or revoked. Across organisations: it is what says whose the caller is.
pub async fn find(machinery: &Scoped, hash: &[u8], now: Time) -> Result<Option<Token>> {
    let row = machinery
        .row(
            "SELECT role, principal_id, organisation, clinics, expires_at, token_id, idle_at FROM access_token \
             WHERE hash = $1 AND NOT revoked AND expires_at > $2 AND (idle_at IS NULL OR idle_at > $2)",
            args![hash, now],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let role = Role::from_code(&row.text(0)?).ok_or_else(|| Error::internal("a token has an unknown role"))?;
    let clinics =
        serde_json::from_str(&row.text(3)?).map_err(|error| Error::internal(format!("a token's clinics cannot be read: {error}")))?;
    let principal = Principal { role, id: row.text(1)?, organisation: row.text(2)?, clinics };
    Ok(Some(Token { id: row.id(5)?, principal, expires_at: row.time(4)?, idle_at: row.opt_time(6)? }))
}

/// Whose a token is.
pub struct Bearer {
    pub id: String,
    pub organisation: String,
    pub clinics: Vec<String>,
}

/// Whose the token with this id is: all that is known of it before this.
pub async fn organisation(machinery: &Scoped, token_id: Id) -> Result<Option<String>> {
    let row = machinery.row("SELECT organisation FROM access_token WHERE token_id = $1", args![token_id]).await?;
    row.map(|row| row.text(0)).transpose()
}

/// Who bears the token with this id; for the check of who may revoke it.
pub async fn bearer(unit: &mut Unit<'_>, token_id: Id) -> Result<Option<Bearer>> {
    let sql = "SELECT organisation, clinics, principal_id FROM access_token WHERE token_id = $1 FOR UPDATE";
    let row = unit.tx.row(sql, args![token_id]).await?;
    let Some(row) = row else { return Ok(None) };
    let clinics =
        serde_json::from_str(&row.text(1)?).map_err(|error| Error::internal(format!("a token's clinics cannot be read: {error}")))?;
    Ok(Some(Bearer { id: row.text(2)?, organisation: row.text(0)?, clinics }))
}

pub async fn revoke(unit: &mut Unit<'_>, token_id: Id) -> Result<()> {
    unit.tx.exec("UPDATE access_token SET revoked = TRUE WHERE token_id = $1", args![token_id]).await?;
    Ok(())
}

/// Ends all tokens of a visitor whose last case is erased.
pub async fn forget_visitor(unit: &mut Unit<'_>, organisation: &str, visitor: Id) -> Result<()> {
    unit.tx
        .exec(
            "DELETE FROM access_token WHERE organisation = $1 AND principal_id = $2 AND role = 'visitor'",
            args![organisation, visitor.to_string()],
        )
        .await?;
    Ok(())
}
