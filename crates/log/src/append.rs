//! The end of every transaction: take the heads, insert the events and the audit rows.

use std::collections::BTreeMap;

use kernel::error::Code;
use kernel::{Error, Result};
use prost::Message;
use proto::log::Envelope;
use store::{Val, args, values};

use crate::guard;
use crate::unit::Unit;

/// What a commit adds to each shard.
pub(crate) type Appended = BTreeMap<u32, Added>;

/// Events of one shard as committed, in position order.
#[derive(Default)]
pub(crate) struct Added {
    /// Id of the event before them, as the database has it.
    pub previous: Option<String>,
    pub events: Vec<Envelope>,
}

impl Unit<'_> {
    /// Writes what was said. Heads are taken last and in ascending shard order, so that two transactions never wait for
    /// each other in a circle, and no head is locked longer than the insert and the commit take.
    pub(crate) async fn append(&mut self) -> Result<Appended> {
        kernel::failpoint::pass("unit.before_heads");
        let counts = self.per_shard();
        let mut appended = Appended::new();
        for (shard, envelope) in self.events.drain(..) {
            appended.entry(shard).or_default().events.push(envelope);
        }
        let mut audit_heads = BTreeMap::new();
        for (shard, (events, audits)) in counts {
            let last = appended.get(&shard).and_then(|added| added.events.last()).map(|last| parse_id(&last.event_id)).transpose()?;
            let row = self
                .tx
                .row(
                    "UPDATE log_head SET head = head + $2, audit_head = audit_head + $3, \
                     previous_event_id = event_id, event_id = COALESCE($4, event_id) \
                     WHERE shard = $1 RETURNING head, audit_head, previous_event_id, refused",
                    args![shard, events, audits, last],
                )
                .await?
                .ok_or_else(|| Error::internal(format!("the log has no shard {shard}")))?;
            let first = row.int(0)? - events + 1;
            if let Some(added) = appended.get_mut(&shard) {
                self.may_add(shard, first, row.get(3)?)?;
                added.previous = row.opt_id(2)?.map(|id| id.to_string());
                for (position, envelope) in (first..).zip(added.events.iter_mut()) {
                    envelope.position = position;
                }
            }
            audit_heads.insert(shard, row.int(1)? - audits);
        }
        self.number_keys(&mut appended).await?;
        self.insert_events(&appended).await?;
        self.insert_audits(audit_heads).await?;
        Ok(appended)
    }

    /// Refuses events of a log that went back in time: it is marked, or this process has seen this position taken before.
    fn may_add(&self, shard: u32, first: i64, refused: Option<String>) -> Result<()> {
        let log = &self.log;
        log.guard().allows()?;
        if let Some(why) = refused {
            return Err(Error::new(Code::Unavailable, guard::WENT_BACK, why));
        }
        let seen = log.progress().head(shard);
        if first <= seen {
            return Err(guard::went_back(log.service(), &format!("shard {shard} ends at {}, after it had come to {seen}", first - 1)));
        }
        Ok(())
    }

    /// Gives each event its number within its key. Safe because a key's shard is locked by now.
    async fn number_keys(&mut self, appended: &mut Appended) -> Result<()> {
        let mut keys: Vec<String> = appended.values().flat_map(|added| &added.events).map(|envelope| envelope.key.clone()).collect();
        keys.sort();
        keys.dedup();
        if keys.is_empty() {
            return Ok(());
        }
        let mut last: BTreeMap<String, i64> = BTreeMap::new();
        for some in keys.chunks(200) {
            let rows = self
                .tx
                .rows(
                    format!("SELECT key, MAX(key_seq) FROM event_log WHERE key IN {} GROUP BY key", values(1, 1, some.len())),
                    some.iter().map(Val::from).collect(),
                )
                .await?;
            for row in rows {
                last.insert(row.text(0)?, row.int(1)?);
            }
        }
        for envelope in appended.values_mut().flat_map(|added| &mut added.events) {
            let seq = last.entry(envelope.key.clone()).or_insert(0);
            *seq += 1;
            envelope.key_seq = *seq;
        }
        Ok(())
    }

    async fn insert_events(&mut self, appended: &Appended) -> Result<()> {
        let rows: Vec<(u32, &Envelope)> =
            appended.iter().flat_map(|(shard, added)| added.events.iter().map(|event| (*shard, event))).collect();
        for some in rows.chunks(100) {
            let mut args = args![];
            for (shard, event) in some {
                args.extend(args![
                    *shard,
                    event.position,
                    parse_id(&event.event_id)?,
                    &event.key,
                    event.key_seq,
                    &event.organisation_id,
                    event.encode_to_vec()
                ]);
            }
            let sql = format!(
                "INSERT INTO event_log (shard, position, event_id, key, key_seq, organisation, envelope) VALUES {}",
                values(1, some.len(), 7)
            );
            self.tx.exec(sql, args).await?;
        }
        Ok(())
    }

    async fn insert_audits(&mut self, mut heads: BTreeMap<u32, i64>) -> Result<()> {
        let audits = std::mem::take(&mut self.audits);
        for some in audits.chunks(100) {
            let mut args = args![];
            for (shard, audit) in some {
                let head = heads.entry(*shard).or_insert(0);
                *head += 1;
                args.extend(args![
                    *shard,
                    *head,
                    self.now,
                    &audit.scope.organisation,
                    &audit.scope.clinic,
                    &audit.key,
                    audit.origin.principal_kind,
                    &audit.origin.principal_id,
                    &audit.origin.action,
                    crate::audit::new_salt()?
                ]);
            }
            let sql = format!(
                "INSERT INTO audit_log (shard, position, at, organisation, clinic, key, principal_kind, principal_id, action, salt) \
                 VALUES {}",
                values(1, some.len(), 10)
            );
            self.tx.exec(sql, args).await?;
        }
        Ok(())
    }
}

fn parse_id(text: &str) -> Result<kernel::Id> {
    text.parse().map_err(|_| Error::internal("an event id is not a UUID"))
}
