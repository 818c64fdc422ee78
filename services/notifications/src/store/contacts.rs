//! Visitors' addresses, and who is away.

use kernel::{Id, Language, Result};
use store::{Scoped, Tx, args};

use super::notifications::Channel;

/// Where a visitor wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Email(String),
    /// `+46701234567`. For one message.
    Phone(String),
}

impl Address {
    pub const fn channel(&self) -> Channel {
        match self {
            Self::Email(_) => Channel::Email,
            Self::Phone(_) => Channel::Sms,
        }
    }
}

/// Where and in which language a visitor wants to be told.
pub struct Contact {
    pub address: Address,
    pub language: Language,
}

pub async fn get(tx: &mut Tx, case: Id) -> Result<Option<Contact>> {
    let row = tx.row("SELECT email, language, phone FROM contact WHERE case_id = $1", args![case]).await?;
    row.map(|row| {
        let (email, phone) = (row.text(0)?, row.text(2)?);
        let address = if phone.is_empty() { Address::Email(email) } else { Address::Phone(phone) };
        Ok(Contact { address, language: Language::from_code(&row.text(1)?).unwrap_or(Language::English) })
    })
    .transpose()
}

/// By which way a visitor will be told, and whether once only; the address itself stays here.
pub async fn way(db: &Scoped, case: Id) -> Result<Option<(Channel, bool)>> {
    let rows = db.rows("SELECT phone, once FROM contact WHERE case_id = $1", args![case]).await?;
    let way = |row: &store::Row| Ok((if row.text(0)?.is_empty() { Channel::Email } else { Channel::Sms }, row.bool(1)?));
    rows.first().map(way).transpose()
}

/// Keeps `contact`, in place of an earlier one; `once`: for one message only, as a telephone number always is.
pub async fn put(tx: &mut Tx, organisation: &str, case: Id, contact: &Contact, once: bool) -> Result<()> {
    let (email, phone, once) = match &contact.address {
        Address::Email(email) => (email.as_str(), "", once),
        Address::Phone(phone) => ("", phone.as_str(), true),
    };
    tx.exec(
        "INSERT INTO contact (case_id, email, phone, language, once, organisation) VALUES ($1,$2,$3,$4,$5,$6) ON CONFLICT (case_id) \
         DO UPDATE SET email = excluded.email, phone = excluded.phone, language = excluded.language, once = excluded.once",
        args![case, email, phone, contact.language.code(), once, organisation],
    )
    .await?;
    Ok(())
}

/// Forgets an address that was for one message, now that this one has had its end.
pub async fn delete_used(tx: &mut Tx, case: Id) -> Result<()> {
    tx.exec("DELETE FROM contact WHERE case_id = $1 AND once", args![case]).await?;
    Ok(())
}

pub async fn delete(tx: &mut Tx, case: Id) -> Result<()> {
    tx.exec("DELETE FROM contact WHERE case_id = $1", args![case]).await?;
    Ok(())
}

/// Notes that the visitor is away; true if that is new.
pub async fn go_away(tx: &mut Tx, organisation: &str, case: Id) -> Result<bool> {
    let sql = "INSERT INTO away (case_id, email, organisation) VALUES ($1, NULL, $2) ON CONFLICT (case_id) DO NOTHING";
    Ok(tx.exec(sql, args![case, organisation]).await? == 1)
}

/// Whether this absence has had its mail, locking the answer.
pub async fn has_mail(tx: &mut Tx, case: Id) -> Result<bool> {
    let row = tx.row("SELECT email FROM away WHERE case_id = $1 FOR UPDATE", args![case]).await?;
    Ok(row.map(|row| row.opt_id(0)).transpose()?.flatten().is_some())
}

pub async fn set_mail(tx: &mut Tx, case: Id, notification: Id) -> Result<()> {
    tx.exec("UPDATE away SET email = $2 WHERE case_id = $1", args![case, notification]).await?;
    Ok(())
}

pub async fn come_back(tx: &mut Tx, case: Id) -> Result<()> {
    tx.exec("DELETE FROM away WHERE case_id = $1", args![case]).await?;
    Ok(())
}
