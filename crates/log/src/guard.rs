//! Whether this log may say that something happened. A log that was restored from a backup holds positions that others
//! have passed; events written there reach nobody. So whoever has seen this log is heard as a witness, at the start and
//! later, and one that contradicts it makes every unit with events fail until the log has rejoined.
//!
//! The mark is kept in `log_head`, whose rows every such unit locks: no replica and no commit slips by.

use std::collections::BTreeMap;

use kernel::error::{Code, Violations};
use kernel::{Error, Id, Result};
use proto::log::{Cursor, Head};
use store::{Scoped, args, values};
use tokio::sync::watch;

use crate::log::Log;

/// Reason of what a log that went back refuses.
pub const WENT_BACK: &str = "LOG_WENT_BACK";
/// Reason of what a log refuses that may have gone back while a consumer cannot be asked.
pub const UNPROVEN: &str = "LOG_UNPROVEN";

/// The longest name of a service, and the longest reason why one stands still, in bytes.
const MAX_NAME: usize = 64;
const MAX_REASON: usize = 4096;

/// Where the check at the start stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Witnesses are being asked: commands wait.
    Asking,
    Open,
    /// There is reason for doubt, and a consumer that does not answer could settle it.
    Doubtful(String),
    /// The process ends before the check did.
    Stopped,
}

/// What this process knows. The mark in the database counts beside it.
pub struct Guard {
    service: &'static str,
    phase: watch::Sender<Phase>,
    refused: watch::Sender<Option<String>>,
}

impl Guard {
    pub(crate) fn new(service: &'static str) -> Self {
        Self { service, phase: watch::Sender::new(Phase::Open), refused: watch::Sender::new(None) }
    }

    /// False if it stands there already.
    pub fn set(&self, phase: Phase) -> bool {
        self.phase.send_if_modified(|now| {
            let changed = *now != phase;
            if changed {
                now.clone_from(&phase);
            }
            changed
        })
    }

    /// Returns once the check at the start is over, whatever came of it.
    pub async fn decided(&self) {
        // It ends only with the guard itself.
        let _ = self.phase.subscribe().wait_for(|phase| *phase != Phase::Asking).await;
    }

    /// Returns once this process may write events.
    pub async fn opened(&self) {
        // It ends only with the guard itself.
        let _ = self.phase.subscribe().wait_for(|phase| *phase == Phase::Open).await;
    }

    /// Whether this process may write events at all.
    pub(crate) fn allows(&self) -> Result<()> {
        match &*self.phase.borrow() {
            Phase::Open => Ok(()),
            Phase::Asking | Phase::Stopped => Err(Error::unavailable("the service starts or stops; try again")),
            Phase::Doubtful(why) => Err(Error::new(
                Code::Unavailable,
                UNPROVEN,
                format!("{}'s log may have gone back in time: {why}; start that service, or run `samtal log rejoin`", self.service),
            )),
        }
    }

    /// Returns once [`Self::why`] may say something else.
    pub async fn changed(&self) {
        let (mut phase, mut refused) = (self.phase.subscribe(), self.refused.subscribe());
        tokio::select! {
            // Both end only with the guard itself.
            _ = phase.changed() => {}
            _ = refused.changed() => {}
        }
    }

    /// Why this log takes no events, as far as this process knows; None if it does.
    pub fn why(&self) -> Option<String> {
        let marked = self.refused.borrow().clone();
        marked.or_else(|| self.allows().err().filter(|error| error.reason == UNPROVEN).map(|error| error.message))
    }
}

/// What a log that went back answers.
pub(crate) fn went_back(service: &str, why: &str) -> Error {
    let message = format!("{service}'s log went back in time: {why}; it takes no writes until `samtal log rejoin {service}`");
    Error::new(Code::Unavailable, WENT_BACK, message)
}

/// Takes over what the database says: another replica may have marked the log, or let it rejoin.
pub async fn refresh(log: &Log) -> Result<Option<String>> {
    let row = log.machinery().row("SELECT MAX(refused) FROM log_head", args![]).await?;
    let mark: Option<String> = row.map(|row| row.get(0)).transpose()?.flatten();
    log.guard().refused.send_if_modified(|known| {
        let changed = *known != mark;
        if changed {
            known.clone_from(&mark);
        }
        changed
    });
    Ok(log.guard().why())
}

/// Whether cursors can be what they say they are; nonsense that was heard would stop a log's writes.
pub fn plausible(cursors: &[Cursor]) -> Result<()> {
    let mut violations = Violations::default();
    let is_id = |id: &str| id.is_empty() || Id::parse("id", id).is_ok();
    for (at, cursor) in cursors.iter().enumerate() {
        let field = |name: &str| format!("cursors[{at}].{name}");
        for (name, text) in [("consumer", &cursor.consumer), ("source", &cursor.source)] {
            violations.check((1..=MAX_NAME).contains(&text.len()), &field(name), "must be the name of a service");
        }
        violations.check(is_id(&cursor.incarnation), &field("incarnation"), "must be an id, or empty");
        violations.check(is_id(&cursor.event_id), &field("event_id"), "must be an id, or empty");
        violations.check(cursor.position >= 0, &field("position"), "must not be negative");
        violations.check(cursor.halted.len() <= MAX_REASON, &field("halted"), "must be at most 4,096 bytes");
    }
    violations.done()
}

/// Hears what others have seen of this log, and marks it if that is more, or other, than it holds. The cursors must have
/// been told before this call, so that a commit in between is no contradiction.
pub async fn hear(log: &Log, cursors: &[Cursor]) -> Result<()> {
    let Some((head, why)) = contradicted(log, cursors).await? else { return Ok(()) };
    let (shards, mark) = (log.shards(), went_back(log.service(), &why).message);
    let marked = log
        .machinery()
        .transaction(move |tx| {
            Box::pin(async move {
                for shard in 0..shards {
                    tx.row("SELECT head FROM log_head WHERE shard = $1 FOR UPDATE", args![shard]).await?;
                }
                // What was true of this incarnation stays true of it; but it may have rejoined meanwhile.
                let newest = "SELECT incarnation FROM log_incarnation WHERE shard = $1 ORDER BY number DESC LIMIT 1";
                let row = tx.row(newest, args![head.shard]).await?;
                if row.map(|row| row.text(0)).transpose()? != Some(head.incarnation) {
                    return Ok(0);
                }
                tx.exec("UPDATE log_head SET refused = $1 WHERE refused IS NULL", args![mark]).await
            })
        })
        .await?;
    if marked > 0 {
        tracing::error!(service = log.service(), "{}", went_back(log.service(), &why).message);
    }
    refresh(log).await.map(drop)
}

/// The first of `cursors` that this log cannot have led to, as the head it was compared with and a sentence.
pub async fn contradicted(log: &Log, cursors: &[Cursor]) -> Result<Option<(Head, String)>> {
    let heads = crate::reader::heads(log.db()).await?;
    let of = |cursor: &Cursor| heads.iter().find(|head| head.shard == cursor.shard);
    let mine: Vec<&Cursor> = cursors.iter().filter(|cursor| cursor.source == log.service()).collect();
    let inner: Vec<&Cursor> = mine
        .iter()
        .copied()
        .filter(|cursor| of(cursor).is_some_and(|head| cursor.position > head.incarnation_start && cursor.position < head.position))
        .collect();
    let held = event_ids(&log.machinery(), &inner).await?;
    for cursor in mine {
        let Some(head) = of(cursor) else { continue };
        let id = if cursor.position == head.position { Some(&head.event_id) } else { held.get(&(cursor.shard, cursor.position)) };
        if let Some(why) = contradiction(head, id.map(String::as_str), cursor) {
            return Ok(Some((head.clone(), why)));
        }
    }
    Ok(None)
}

/// Why the log at `head`, which holds `event_id` at the cursor's position, cannot be the one that led to this cursor.
///
/// Whatever older incarnations held up to the start of the newest one, an operator has declared; their ids, UUIDv7, say
/// which is older. Beyond it, whoever was there must have been there in this incarnation, not after its end, and have met
/// the same event.
pub fn contradiction(head: &Head, event_id: Option<&str>, cursor: &Cursor) -> Option<String> {
    if cursor.position <= head.incarnation_start && cursor.incarnation <= head.incarnation {
        return None;
    }
    let seen = format!("{} has seen shard {} up to {}", cursor.consumer, cursor.shard, cursor.position);
    if cursor.incarnation != head.incarnation {
        return Some(format!(
            "{seen} in the incarnation {:?}, which it does not know (its own is {})",
            cursor.incarnation, head.incarnation
        ));
    }
    if cursor.position > head.position {
        return Some(format!("{seen}, but it ends at {}", head.position));
    }
    let other = !cursor.event_id.is_empty() && event_id != Some(cursor.event_id.as_str());
    other.then(|| format!("{seen}, where it holds another event"))
}

/// The events at these positions, as far as there are any.
async fn event_ids(db: &Scoped, cursors: &[&Cursor]) -> Result<BTreeMap<(u32, i64), String>> {
    let mut held = BTreeMap::new();
    for some in cursors.chunks(100) {
        let args = some.iter().flat_map(|cursor| args![cursor.shard, cursor.position]).collect();
        let sql =
            format!("SELECT shard, position, event_id FROM event_log WHERE (shard, position) IN (VALUES {})", values(1, some.len(), 2));
        for row in db.rows(sql, args).await? {
            held.insert((row.int(0)? as u32, row.int(1)?), row.id(2)?.to_string());
        }
    }
    Ok(held)
}
