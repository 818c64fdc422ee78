//! One command's work inside a transaction: what it writes, and what it says has happened.

use std::collections::BTreeMap;

use kernel::{Error, Id, Result, Time, error::Code};
use proto::Event;
use proto::log::{ActorKind, Envelope};
use sha2::{Digest, Sha256};
use store::{Tx, args};

use crate::log::Log;

/// Largest payload of one event. A batch on the bus holds 256 KiB, and an event must fit with its envelope.
pub const MAX_PAYLOAD: usize = 128 * 1024;

/// Who makes something happen, and why.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Whose rows the command may touch: almost always one organisation's.
    pub organisations: Vec<String>,
    pub actor: ActorKind,
    /// `worker`, `visitor`, `integrator`, `service`, …, for the audit row.
    pub principal_kind: &'static str,
    pub principal_id: String,
    /// The RPC, event or timer that this follows from.
    pub action: String,
    pub causation_id: String,
    pub traceparent: String,
}

impl Origin {
    /// Samtal itself, because of `action`; whose rows it may touch is still to be said with [`Origin::of`].
    pub fn system(action: impl Into<String>) -> Self {
        Self {
            organisations: Vec::new(),
            actor: ActorKind::System,
            principal_kind: "system",
            principal_id: String::new(),
            action: action.into(),
            causation_id: String::new(),
            traceparent: String::new(),
        }
    }

    /// Samtal itself, because of `event`.
    pub fn event(event: &Envelope) -> Self {
        Self {
            causation_id: event.event_id.clone(),
            traceparent: event.traceparent.clone(),
            ..Self::system(event.r#type.clone()).of(&event.organisation_id)
        }
    }

    /// The same, touching rows of this organisation only. The empty name is the region itself.
    pub fn of(self, organisation: &str) -> Self {
        Self { organisations: vec![organisation.to_owned()], ..self }
    }

    /// The organisation to which what is written beside the command belongs. Empty for a timer from before they knew theirs.
    pub fn organisation(&self) -> Result<&str> {
        match self.organisations.as_slice() {
            [] => Err(Error::internal(format!("{} does not say whose rows it touches", self.action))),
            [one] => Ok(one),
            _ => Ok(""),
        }
    }
}

/// Whose event or audit row it is.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub organisation: String,
    pub clinic: String,
    /// Practice cases are left out of every figure.
    pub practice: bool,
}

pub(crate) struct Audit {
    pub origin: Origin,
    pub scope: Scope,
    pub key: String,
}

/// A key under which a command's answer is kept, so that a repeated call gets the same one.
#[derive(Clone, Debug)]
pub struct Once {
    pub principal: String,
    pub method: &'static str,
    /// Empty: the caller does not ask for it.
    pub request_id: String,
    /// SHA-256 of the request, to tell a repetition from another request under the same id.
    pub fingerprint: Vec<u8>,
}

impl Once {
    pub fn new(principal: String, method: &'static str, request_id: &str, request: &impl prost::Message) -> Self {
        Self { principal, method, request_id: request_id.to_owned(), fingerprint: Sha256::digest(request.encode_to_vec()).to_vec() }
    }
}

/// What a command does, inside a transaction that may hold other commands too.
///
/// A command must decide before it writes: an error after a write costs the whole batch a rollback.
pub struct Unit<'t> {
    pub tx: &'t mut Tx,
    /// Business time of the batch.
    pub now: Time,
    pub origin: Origin,
    pub(crate) log: Log,
    pub(crate) events: Vec<(u32, Envelope)>,
    pub(crate) audits: Vec<(u32, Audit)>,
    pub(crate) timers_changed: bool,
    pub(crate) after: Vec<Box<dyn FnOnce() + Send>>,
}

/// A place to go back to when a command fails without having written anything.
pub(crate) struct Mark {
    writes: u32,
    events: usize,
    audits: usize,
    after: usize,
}

impl<'t> Unit<'t> {
    pub(crate) fn new(tx: &'t mut Tx, log: Log, now: Time, origin: Origin) -> Self {
        Self { tx, now, origin, log, events: Vec::new(), audits: Vec::new(), timers_changed: false, after: Vec::new() }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { writes: self.tx.writes(), events: self.events.len(), audits: self.audits.len(), after: self.after.len() }
    }

    /// Forgets what was said since `mark`; false if something was written, so that only a rollback helps.
    pub(crate) fn back_to(&mut self, mark: &Mark) -> bool {
        self.events.truncate(mark.events);
        self.audits.truncate(mark.audits);
        self.after.truncate(mark.after);
        !self.tx.failed() && self.tx.writes() == mark.writes
    }

    /// Says that `event` happened to the aggregate `key` (usually a case id).
    pub fn emit<E: Event>(&mut self, key: Id, scope: &Scope, event: &E) -> Result<()> {
        let payload = event.encode_to_vec();
        if payload.len() > MAX_PAYLOAD {
            return Err(Error::new(Code::InvalidArgument, "EVENT_TOO_LARGE", format!("an event of {} bytes is too large", payload.len())));
        }
        let key = key.to_string();
        let envelope = Envelope {
            event_id: Id::new(self.now).to_string(),
            organisation_id: scope.organisation.clone(),
            clinic_id: scope.clinic.clone(),
            r#type: E::TYPE.to_owned(),
            occurred_at: Some(proto::timestamp(self.now)),
            actor_kind: self.origin.actor.into(),
            practice: scope.practice,
            causation_id: self.origin.causation_id.clone(),
            correlation_id: key.clone(),
            traceparent: self.origin.traceparent.clone(),
            payload,
            key,
            ..Envelope::default()
        };
        self.events.push((shard_of(&envelope.key, self.log.shards()), envelope));
        Ok(())
    }

    /// Records that the caller accessed or changed `key`, in the same commit.
    pub fn audit(&mut self, key: Id, scope: &Scope) {
        let key = key.to_string();
        let shard = shard_of(&key, self.log.shards());
        self.audits.push((shard, Audit { origin: self.origin.clone(), scope: scope.clone(), key }));
    }

    /// Asks for the timer `kind` of `key` at `due`, in place of an earlier one of the same kind.
    pub async fn set_timer(&mut self, kind: &'static str, key: Id, due: Time) -> Result<()> {
        self.timers_changed = true;
        let organisation = self.origin.organisation()?;
        self.tx
            .exec(
                "INSERT INTO timer (kind, key, due_at, organisation) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (kind, key) DO UPDATE SET due_at = excluded.due_at",
                args![kind, key.to_string(), due, organisation],
            )
            .await?;
        Ok(())
    }

    pub async fn cancel_timer(&mut self, kind: &'static str, key: Id) -> Result<()> {
        self.timers_changed = true;
        self.tx.exec("DELETE FROM timer WHERE kind = $1 AND key = $2", args![kind, key.to_string()]).await?;
        Ok(())
    }

    /// Does `action` once the commit has succeeded. It must not block.
    pub fn after_commit(&mut self, action: impl FnOnce() + Send + 'static) {
        self.after.push(Box::new(action));
    }

    /// The answer that was given to this request before, if it was. Another request under the same id is refused.
    pub async fn earlier_answer<M: prost::Message + Default>(&mut self, once: &Once) -> Result<Option<M>> {
        if once.request_id.is_empty() {
            return Ok(None);
        }
        let row = self.tx.row(KEPT, args![&once.principal, once.method, &once.request_id]).await?;
        read_kept(row, once)
    }

    /// Keeps the answer for 7 days, or until `key` is erased. Leave secrets out: they are derived again.
    pub async fn remember_answer(&mut self, once: &Once, key: &str, answer: &impl prost::Message) -> Result<()> {
        if once.request_id.is_empty() {
            return Ok(());
        }
        self.tx
            .exec(
                "INSERT INTO idempotency (principal, method, request_id, fingerprint, answer, key, created_at, organisation) \
                 VALUES ($1,$2,$3,$4,$5,$6,$7,$8)",
                args![
                    &once.principal,
                    once.method,
                    &once.request_id,
                    once.fingerprint.clone(),
                    answer.encode_to_vec(),
                    key,
                    self.now,
                    self.origin.organisation()?
                ],
            )
            .await?;
        Ok(())
    }

    /// Turns `key`'s events into tombstones at their positions, forgets the answers that were kept for it, and the salts of
    /// its audit rows: these stay, and so does the chain over them.
    pub async fn erase_key(&mut self, key: Id) -> Result<()> {
        let key = key.to_string();
        let rows = self.tx.rows("SELECT shard, position, envelope FROM event_log WHERE key = $1 ORDER BY position", args![&key]).await?;
        for row in rows {
            let mut envelope = crate::reader::decode(&row.get::<Vec<u8>>(2)?)?;
            envelope.payload.clear();
            envelope.erased = true;
            self.tx
                .exec(
                    "UPDATE event_log SET envelope = $3 WHERE shard = $1 AND position = $2",
                    args![row.int(0)?, row.int(1)?, prost::Message::encode_to_vec(&envelope)],
                )
                .await?;
        }
        self.tx.exec("DELETE FROM idempotency WHERE key = $1", args![&key]).await?;
        self.tx.exec("DELETE FROM dead_letter WHERE key = $1", args![&key]).await?;
        self.tx.exec("UPDATE audit_log SET salt = NULL WHERE key = $1", args![&key]).await?;
        Ok(())
    }

    /// Whether it has said that something happened.
    pub(crate) fn speaks(&self) -> bool {
        !self.events.is_empty()
    }

    /// How many events and audit rows this unit adds to each shard, in ascending order of shards.
    pub(crate) fn per_shard(&self) -> BTreeMap<u32, (i64, i64)> {
        let mut counts = BTreeMap::new();
        for (shard, _) in &self.events {
            counts.entry(*shard).or_insert((0, 0)).0 += 1;
        }
        for (shard, _) in &self.audits {
            counts.entry(*shard).or_insert((0, 0)).1 += 1;
        }
        counts
    }
}

const KEPT: &str = "SELECT fingerprint, answer FROM idempotency WHERE principal = $1 AND method = $2 AND request_id = $3";

/// The answer that was given to this request before, if it was and is committed; for what must be known before a unit begins.
pub async fn kept_answer<M: prost::Message + Default>(db: store::Scoped, once: &Once) -> Result<Option<M>> {
    if once.request_id.is_empty() {
        return Ok(None);
    }
    read_kept(db.row(KEPT, args![&once.principal, once.method, &once.request_id]).await?, once)
}

fn read_kept<M: prost::Message + Default>(row: Option<store::Row>, once: &Once) -> Result<Option<M>> {
    let Some(row) = row else { return Ok(None) };
    if row.get::<Vec<u8>>(0)? != once.fingerprint {
        return Err(Error::new(Code::AlreadyExists, "REQUEST_ID_REUSED", "this request_id was used for another request; make a new one"));
    }
    M::decode(row.get::<Vec<u8>>(1)?.as_slice())
        .map(Some)
        .map_err(|error| Error::internal(format!("a stored answer cannot be read: {error}")))
}

/// The shard that holds `key`'s events.
pub fn shard_of(key: &str, shards: u32) -> u32 {
    (kernel::id::key_hash(key) % u64::from(shards.max(1))) as u32
}
