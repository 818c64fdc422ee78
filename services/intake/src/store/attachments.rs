//! Files that were sent along. The bytes lie in the object store under the attachment's id; a row says what they are.

use kernel::{Error, Id, Result};
use log::Unit;
use proto::intake::Attachment;
use store::{Row, Scoped, args};

use super::messages::Sender;
use crate::domain::terms;

/// Where an attachment is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its bytes are on their way.
    Uploading = 0,
    Stored = 1,
    /// Nobody may have it any more; its bytes are about to go.
    Doomed = 2,
}

#[derive(Clone, Debug)]
pub struct Stored {
    pub id: Id,
    pub case: Id,
    pub sender: Sender,
    pub file_name: String,
    pub media_type: String,
    pub size: i64,
    pub state: State,
    /// The message that it was sent with.
    pub seq: Option<i64>,
}

impl Stored {
    pub fn to_proto(&self) -> Attachment {
        Attachment {
            attachment_id: self.id.to_string(),
            file_name: self.file_name.clone(),
            media_type: self.media_type.clone(),
            size: self.size as u64,
        }
    }
}

const COLUMNS: &str = "attachment_id, case_id, sender_kind, sender, file_name, media_type, size, state, seq";

fn read(row: &Row) -> Result<Stored> {
    let kind = terms::Sender::from_wire(row.int(2)? as i32).ok_or_else(|| Error::internal("a stored file has no sender"))?;
    Ok(Stored {
        id: row.id(0)?,
        case: row.id(1)?,
        sender: Sender { kind, id: row.text(3)? },
        file_name: row.text(4)?,
        media_type: row.text(5)?,
        size: row.int(6)?,
        state: match row.int(7)? {
            0 => State::Uploading,
            1 => State::Stored,
            _ => State::Doomed,
        },
        seq: row.get(8)?,
    })
}

pub async fn insert(unit: &mut Unit<'_>, file: &Stored) -> Result<()> {
    let now = unit.now;
    unit.tx
        .exec(
            "INSERT INTO attachment (attachment_id, case_id, sender_kind, sender, file_name, media_type, size, state, seq, created_at, organisation) \
             VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)",
            args![
                file.id,
                file.case,
                file.sender.kind.to_wire(),
                &file.sender.id,
                &file.file_name,
                &file.media_type,
                file.size,
                file.state as i64,
                file.seq,
                now,
                unit.origin.organisation()?
            ],
        )
        .await?;
    Ok(())
}

pub async fn load(db: &Scoped, id: Id) -> Result<Option<Stored>> {
    let row = db.row(format!("SELECT {COLUMNS} FROM attachment WHERE attachment_id = $1"), args![id]).await?;
    row.as_ref().map(read).transpose()
}

pub async fn lock(unit: &mut Unit<'_>, id: Id) -> Result<Option<Stored>> {
    let row = unit.tx.row(format!("SELECT {COLUMNS} FROM attachment WHERE attachment_id = $1 FOR UPDATE"), args![id]).await?;
    row.as_ref().map(read).transpose()
}

pub async fn set_state(unit: &mut Unit<'_>, id: Id, state: State) -> Result<()> {
    unit.tx.exec("UPDATE attachment SET state = $2 WHERE attachment_id = $1", args![id, state as i64]).await?;
    Ok(())
}

/// Sent with this message.
pub async fn refer(unit: &mut Unit<'_>, id: Id, seq: i64) -> Result<()> {
    unit.tx.exec("UPDATE attachment SET seq = $2 WHERE attachment_id = $1", args![id, seq]).await?;
    Ok(())
}

/// Nobody may have it, and nothing is said of it any more.
pub async fn doom(unit: &mut Unit<'_>, id: Id) -> Result<()> {
    const SQL: &str = "UPDATE attachment SET state = $2, file_name = '', sender = '' WHERE attachment_id = $1";
    unit.tx.exec(SQL, args![id, State::Doomed as i64]).await?;
    Ok(())
}

/// The same for all of a case.
pub async fn doom_case(unit: &mut Unit<'_>, case: Id) -> Result<()> {
    unit.tx
        .exec("UPDATE attachment SET state = $2, file_name = '', sender = '' WHERE case_id = $1", args![case, State::Doomed as i64])
        .await?;
    Ok(())
}

/// Those whose bytes are to go, and whose they are.
pub async fn doomed(machinery: &Scoped, limit: i64) -> Result<Vec<(Id, String)>> {
    const SQL: &str = "SELECT attachment_id, organisation FROM attachment WHERE state = $1 LIMIT $2";
    let rows = machinery.rows(SQL, args![State::Doomed as i64, limit]).await?;
    rows.iter().map(|row| Ok((row.id(0)?, row.text(1)?))).collect()
}

pub async fn forget(unit: &mut Unit<'_>, id: Id) -> Result<()> {
    unit.tx.exec("DELETE FROM attachment WHERE attachment_id = $1 AND state = $2", args![id, State::Doomed as i64]).await?;
    Ok(())
}
