//! Messages and notes.

use kernel::{Id, Result};
use log::Unit;
use proto::intake::{Message, Note};
use store::{Row, Scoped, args};

use crate::domain::terms;

const COLUMNS: &str = "case_id, seq, client_id, sender_kind, sender, body, created_at, erased";

fn read(row: &Row) -> Result<Message> {
    let kind = terms::Sender::from_wire(row.int(3)? as i32).unwrap_or(terms::Sender::System);
    Ok(Message {
        case_id: row.id(0)?.to_string(),
        seq: row.int(1)?,
        client_id: row.text(2)?,
        sender_kind: kind.to_wire(),
        worker_id: if kind == terms::Sender::Worker { row.text(4)? } else { String::new() },
        text: row.text(5)?,
        created_at: Some(proto::timestamp(row.time(6)?)),
        erased: row.bool(7)?,
    })
}

/// Who writes a message.
#[derive(Clone, Debug)]
pub struct Sender {
    pub kind: terms::Sender,
    /// The visitor's or worker's id.
    pub id: String,
}

pub async fn insert(unit: &mut Unit<'_>, case: Id, seq: i64, client_id: &str, sender: &Sender, text: &str) -> Result<Message> {
    let now = unit.now;
    unit.tx
        .exec(
            "INSERT INTO message (case_id, seq, client_id, sender_kind, sender, body, created_at, erased, organisation) \
             VALUES ($1,$2,$3,$4,$5,$6,$7,FALSE,$8)",
            args![case, seq, client_id, sender.kind.to_wire(), &sender.id, text, now, unit.origin.organisation()?],
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
    })
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
        .exec("UPDATE message SET body = '', sender = '', client_id = CAST(seq AS TEXT), erased = TRUE WHERE case_id = $1", args![case])
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
