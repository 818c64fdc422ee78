//! Messages and notes.

use std::collections::HashMap;

use kernel::{Error, Id, Result, Time};
use log::Unit;
use proto::intake::{Attachment, Message, Note, SystemLine};
use store::{Row, Scoped, args};

use crate::domain::terms;

const COLUMNS: &str = "case_id, seq, client_id, sender_kind, sender, body, created_at, erased, code, params, attachments";

fn read(row: &Row) -> Result<Message> {
    let kind = terms::Sender::from_wire(row.int(3)? as i32).unwrap_or(terms::Sender::System);
    Ok(Message {
        case_id: row.id(0)?.to_string(),
        seq: row.int(1)?,
        client_id: row.text(2)?,
        sender_kind: kind.to_wire(),
        // A line of Samtal's own may be about a worker.
        worker_id: if kind == terms::Sender::Visitor { String::new() } else { row.text(4)? },
        text: row.text(5)?,
        created_at: Some(proto::timestamp(row.time(6)?)),
        erased: row.bool(7)?,
        system: match row.int(8)? {
            0 => None,
            code => Some(SystemLine { code: code as i32, params: params(&row.text(9)?)? }),
        },
        attachments: attachments(&row.text(10)?)?,
    })
}

/// What a message was sent with, as it is kept: id, name, type, bytes.
type Kept = (String, String, String, u64);

fn attachments(json: &str) -> Result<Vec<Attachment>> {
    // Empty if there are none, and once they are erased.
    if json.is_empty() {
        return Ok(Vec::new());
    }
    let kept: Vec<Kept> =
        serde_json::from_str(json).map_err(|error| Error::internal(format!("stored attachments cannot be read: {error}")))?;
    let attachment = |(attachment_id, file_name, media_type, size)| Attachment { attachment_id, file_name, media_type, size };
    Ok(kept.into_iter().map(attachment).collect())
}

fn params(json: &str) -> Result<HashMap<String, String>> {
    // Empty once it is erased.
    if json.is_empty() {
        return Ok(HashMap::new());
    }
    serde_json::from_str(json).map_err(|error| Error::internal(format!("a stored line cannot be read: {error}")))
}

/// Who writes a message.
#[derive(Clone, Debug)]
pub struct Sender {
    pub kind: terms::Sender,
    /// The visitor's or worker's id.
    pub id: String,
}

pub async fn insert(
    unit: &mut Unit<'_>,
    case: Id,
    seq: i64,
    client_id: &str,
    sender: &Sender,
    text: &str,
    attachments: Vec<Attachment>,
) -> Result<Message> {
    let now = unit.now;
    let kept: Vec<Kept> = attachments.iter().cloned().map(|one| (one.attachment_id, one.file_name, one.media_type, one.size)).collect();
    let kept = if kept.is_empty() {
        String::new()
    } else {
        serde_json::to_string(&kept).map_err(|error| Error::internal(format!("attachments cannot be written: {error}")))?
    };
    unit.tx
        .exec(
            "INSERT INTO message (case_id, seq, client_id, sender_kind, sender, body, created_at, erased, attachments, organisation) \
             VALUES ($1,$2,$3,$4,$5,$6,$7,FALSE,$8,$9)",
            args![case, seq, client_id, sender.kind.to_wire(), &sender.id, text, now, kept, unit.origin.organisation()?],
        )
        .await?;
    Ok(Message {
        case_id: case.to_string(),
        seq,
        client_id: client_id.to_owned(),
        sender_kind: sender.kind.to_wire(),
        worker_id: if sender.kind == terms::Sender::Worker { sender.id.clone() } else { String::new() },
        text: text.to_owned(),
        created_at: Some(proto::timestamp(now)),
        erased: false,
        system: None,
        attachments,
    })
}

/// A line of Samtal's own, about this worker or nobody.
pub async fn insert_line(unit: &mut Unit<'_>, case: Id, seq: i64, client_id: &str, worker: &str, line: SystemLine) -> Result<Message> {
    let now = unit.now;
    let params = serde_json::to_string(&line.params).map_err(|error| Error::internal(format!("a line cannot be written: {error}")))?;
    let kind = terms::Sender::System.to_wire();
    unit.tx
        .exec(
            "INSERT INTO message (case_id, seq, client_id, sender_kind, sender, body, created_at, erased, code, params, organisation) \
             VALUES ($1,$2,$3,$4,$5,'',$6,FALSE,$7,$8,$9)",
            args![case, seq, client_id, kind, worker, now, line.code, params, unit.origin.organisation()?],
        )
        .await?;
    Ok(Message {
        case_id: case.to_string(),
        seq,
        client_id: client_id.to_owned(),
        sender_kind: kind,
        worker_id: worker.to_owned(),
        text: String::new(),
        created_at: Some(proto::timestamp(now)),
        erased: false,
        system: Some(line),
        attachments: Vec::new(),
    })
}

/// How many messages visitors and workers have written in a conversation.
pub async fn counts(db: &Scoped, case: Id) -> Result<(u32, u32)> {
    let rows = db.rows("SELECT sender_kind, COUNT(*) FROM message WHERE case_id = $1 GROUP BY sender_kind", args![case]).await?;
    let (mut visitor, mut worker) = (0, 0);
    for row in rows {
        match terms::Sender::from_wire(row.int(0)? as i32) {
            Some(terms::Sender::Visitor) => visitor = row.int(1)? as u32,
            Some(terms::Sender::Worker) => worker = row.int(1)? as u32,
            _ => {}
        }
    }
    Ok((visitor, worker))
}

/// When somebody last wrote, and who; None if nobody has.
pub async fn last_word(unit: &mut Unit<'_>, case: Id) -> Result<Option<(Time, terms::Sender)>> {
    let sql = "SELECT created_at, sender_kind FROM message WHERE case_id = $1 AND code = 0 ORDER BY seq DESC LIMIT 1";
    let row = unit.tx.row(sql, args![case]).await?;
    row.map(|row| Ok((row.time(0)?, terms::Sender::from_wire(row.int(1)? as i32).unwrap_or(terms::Sender::Visitor)))).transpose()
}

/// The message that this sender sent under this client id.
pub async fn find(unit: &mut Unit<'_>, case: Id, sender: &Sender, client_id: &str) -> Result<Option<Message>> {
    let row = unit
        .tx
        .row(
            format!("SELECT {COLUMNS} FROM message WHERE case_id = $1 AND sender_kind = $2 AND sender = $3 AND client_id = $4"),
            args![case, sender.kind.to_wire(), &sender.id, client_id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Messages after `seq`, by seq.
pub async fn after(db: &Scoped, case: Id, seq: i64, limit: i64) -> Result<Vec<Message>> {
    let rows = db
        .rows(format!("SELECT {COLUMNS} FROM message WHERE case_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"), args![case, seq, limit])
        .await?;
    rows.iter().map(read).collect()
}

fn read_note(row: &Row) -> Result<Note> {
    Ok(Note {
        case_id: row.id(0)?.to_string(),
        seq: row.int(1)?,
        client_id: row.text(2)?,
        worker_id: row.text(3)?,
        text: row.text(4)?,
        created_at: Some(proto::timestamp(row.time(5)?)),
    })
}

pub async fn find_note(unit: &mut Unit<'_>, case: Id, worker: &str, client_id: &str) -> Result<Option<Note>> {
    let row = unit
        .tx
        .row(
            "SELECT case_id, seq, client_id, worker, body, created_at FROM note WHERE case_id = $1 AND worker = $2 AND client_id = $3",
            args![case, worker, client_id],
        )
        .await?;
    row.as_ref().map(read_note).transpose()
}

pub async fn insert_note(unit: &mut Unit<'_>, case: Id, seq: i64, worker: &str, client_id: &str, text: &str) -> Result<Note> {
    let now = unit.now;
    unit.tx
        .exec(
            "INSERT INTO note (case_id, seq, client_id, worker, body, created_at, organisation) VALUES ($1,$2,$3,$4,$5,$6,$7)",
            args![case, seq, client_id, worker, text, now, unit.origin.organisation()?],
        )
        .await?;
    Ok(Note {
        case_id: case.to_string(),
        seq,
        client_id: client_id.to_owned(),
        worker_id: worker.to_owned(),
        text: text.to_owned(),
        created_at: Some(proto::timestamp(now)),
    })
}

pub async fn notes(db: &Scoped, case: Id) -> Result<Vec<Note>> {
    let rows =
        db.rows("SELECT case_id, seq, client_id, worker, body, created_at FROM note WHERE case_id = $1 ORDER BY seq", args![case]).await?;
    rows.iter().map(read_note).collect()
}

/// Erases the text of a case's messages and notes; their rows and numbers stay.
pub async fn erase(unit: &mut Unit<'_>, case: Id) -> Result<()> {
    unit.tx
        .exec(
            "UPDATE message SET body = '', params = '', attachments = '', sender = '', client_id = CAST(seq AS TEXT), erased = TRUE WHERE case_id = $1",
            args![case],
        )
        .await?;
    unit.tx.exec("UPDATE note SET body = '', worker = '', client_id = CAST(seq AS TEXT) WHERE case_id = $1", args![case]).await?;
    Ok(())
}

/// Messages of several conversations: the last seq of each.
pub async fn last_seqs(db: &Scoped, cases: &[Id]) -> Result<Vec<(Id, i64)>> {
    let rows = db
        .rows(
            format!("SELECT case_id, last_seq FROM cases WHERE case_id IN {}", store::values(1, 1, cases.len())),
            cases.iter().map(|case| store::Val::from(*case)).collect(),
        )
        .await?;
    rows.iter().map(|row| Ok((row.id(0)?, row.int(1)?))).collect()
}
