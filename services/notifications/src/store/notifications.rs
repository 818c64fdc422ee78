//! The rows of notifications.

use kernel::{Error, Id, Result, Time};
use log::Scope;
use store::{Row, Scoped, Tx, args};

use crate::domain::delivery::{Delivery, State};

/// For whom a notification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecipientKind {
    Visitor,
    Worker,
}

impl RecipientKind {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Visitor => "visitor",
            Self::Worker => "worker",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    InApp,
    Email,
    Sms,
}

impl Channel {
    pub const fn code(self) -> &'static str {
        match self {
            Self::InApp => "in_app",
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }

    fn from_code(code: &str) -> Self {
        [Self::Email, Self::Sms].into_iter().find(|channel| channel.code() == code).unwrap_or(Self::InApp)
    }
}

#[derive(Clone, Debug)]
pub struct Notification {
    pub delivery: Delivery,
    pub case: Id,
    pub scope: Scope,
    pub recipient_kind: RecipientKind,
    pub recipient: String,
    pub kind: String,
    pub channel: Channel,
    pub created_at: Time,
    pub next_try_at: Option<Time>,
    pub seen_at: Option<Time>,
}

/// Kind of a mail about a staff member's way in. What it says and to whom, intake tells when it is sent, and nothing of it is kept here.
pub const WAY_IN: &str = "way_in";

impl Notification {
    pub fn is_way_in(&self) -> bool {
        self.kind == WAY_IN
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, case_id, organisation, clinic, practice, recipient_kind, recipient, kind, channel, state, created_at, due_at, tries, \
             next_try_at, wanted, seen_at FROM notification WHERE ",
            $rest
        )
    };
}

impl Notification {
    fn from(row: &Row) -> Result<Self> {
        let state = State::from_code(&row.text(9)?).ok_or_else(|| Error::internal("a stored notification has no valid state"))?;
        let tries = u32::try_from(row.int(12)?).map_err(|_| Error::internal("a stored notification has no valid number of tries"))?;
        Ok(Self {
            delivery: Delivery { id: row.id(0)?, state, tries, due_at: row.time(11)?, wanted: row.bool(14)? },
            case: row.id(1)?,
            scope: Scope { organisation: row.text(2)?, clinic: row.text(3)?, practice: row.bool(4)? },
            recipient_kind: if row.text(5)? == "worker" { RecipientKind::Worker } else { RecipientKind::Visitor },
            recipient: row.text(6)?,
            kind: row.text(7)?,
            channel: Channel::from_code(&row.text(8)?),
            created_at: row.time(10)?,
            next_try_at: row.opt_time(13)?,
            seen_at: row.opt_time(15)?,
        })
    }
}

fn all(rows: &[Row]) -> Result<Vec<Notification>> {
    rows.iter().map(Notification::from).collect()
}

pub async fn insert(tx: &mut Tx, new: &Notification) -> Result<()> {
    let delivery = &new.delivery;
    tx.exec(
        "INSERT INTO notification (id, case_id, organisation, clinic, practice, recipient_kind, recipient, kind, channel, state, created_at, \
         due_at, tries, next_try_at, wanted, seen_at) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16)",
        args![
            delivery.id,
            new.case,
            &new.scope.organisation,
            &new.scope.clinic,
            new.scope.practice,
            new.recipient_kind.code(),
            &new.recipient,
            &new.kind,
            new.channel.code(),
            delivery.state.code(),
            new.created_at,
            delivery.due_at,
            delivery.tries,
            new.next_try_at,
            delivery.wanted,
            new.seen_at
        ],
    )
    .await?;
    Ok(())
}

pub async fn lock(tx: &mut Tx, id: Id) -> Result<Option<Notification>> {
    tx.row(select!("id = $1 FOR UPDATE"), args![id]).await?.map(|row| Notification::from(&row)).transpose()
}

/// A case's e-mails and text messages that have not come to their end, locked.
pub async fn lock_open_mails(tx: &mut Tx, case: Id) -> Result<Vec<Notification>> {
    let sql = select!("case_id = $1 AND channel <> 'in_app' AND state IN ('pending', 'sending') ORDER BY id FOR UPDATE");
    all(&tx.rows(sql, args![case]).await?)
}

/// A recipient's notifications, newest first; of one case, or of all.
pub async fn of_recipient(
    db: &Scoped,
    organisation: &str,
    kind: RecipientKind,
    recipient: &str,
    case: Option<Id>,
) -> Result<Vec<Notification>> {
    let rows = match case {
        Some(case) => {
            let sql = select!(
                "organisation = $1 AND recipient_kind = $2 AND recipient = $3 AND case_id = $4 ORDER BY created_at DESC, id DESC LIMIT 200"
            );
            db.rows(sql, args![organisation, kind.code(), recipient, case]).await?
        }
        None => {
            let sql = select!("organisation = $1 AND recipient_kind = $2 AND recipient = $3 ORDER BY created_at DESC, id DESC LIMIT 200");
            db.rows(sql, args![organisation, kind.code(), recipient]).await?
        }
    };
    all(&rows)
}

/// Writes where a delivery is and when it is looked at again.
pub async fn set_delivery(tx: &mut Tx, delivery: &Delivery, next_try_at: Option<Time>) -> Result<()> {
    tx.exec(
        "UPDATE notification SET state = $2, tries = $3, next_try_at = $4, wanted = $5 WHERE id = $1",
        args![delivery.id, delivery.state.code(), delivery.tries, next_try_at, delivery.wanted],
    )
    .await?;
    Ok(())
}

/// Forgets one that has had its end.
pub async fn delete(tx: &mut Tx, id: Id) -> Result<()> {
    tx.exec("DELETE FROM notification WHERE id = $1", args![id]).await?;
    Ok(())
}

pub async fn set_seen(tx: &mut Tx, id: Id, at: Time) -> Result<()> {
    tx.exec("UPDATE notification SET seen_at = $2 WHERE id = $1", args![id, at]).await?;
    Ok(())
}

/// Forgets whom a case's notifications were for.
pub async fn blank_recipients(tx: &mut Tx, case: Id) -> Result<()> {
    tx.exec("UPDATE notification SET recipient = '' WHERE case_id = $1", args![case]).await?;
    Ok(())
}
