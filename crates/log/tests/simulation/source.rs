//! The source's log: commits, `reader::read` and `reader::heads`, backups and `rejoin::rejoin`, in memory.

use std::rc::Rc;

use proto::log::{Batch, Envelope, Head};

use crate::checks::History;

pub const SERVICE: &str = "source";
/// Type of the events that have an effect on consumers; the others only move cursors.
pub const EFFECT: &str = "effect";

#[derive(Clone)]
pub struct Incarnation {
    pub id: String,
    pub start: i64,
    pub previous_end: i64,
}

/// What the source's database holds of one shard.
#[derive(Clone)]
pub struct ShardLog {
    pub events: Vec<Rc<Envelope>>,
    pub incarnations: Vec<Incarnation>,
    /// `log_head`.
    pub head: i64,
    head_event: String,
    /// `log_relay`.
    pub relayed: i64,
    /// Rejoins that led to this log, as the oracle numbers them.
    pub rejoins: Vec<usize>,
}

impl ShardLog {
    fn new() -> Self {
        let first = Incarnation { id: "A0000".to_owned(), start: 0, previous_end: 0 };
        Self { events: Vec::new(), incarnations: vec![first], head: 0, head_event: String::new(), relayed: 0, rejoins: Vec::new() }
    }

    pub fn incarnation(&self) -> &Incarnation {
        self.incarnations.last().unwrap()
    }

    /// A failover to a database that never got the last events of this incarnation.
    pub fn lose(&mut self, last: usize) {
        let start = self.incarnation().start;
        for _ in 0..last {
            if self.events.pop_if(|event| event.position > start).is_some() {
                self.head -= 1;
            }
        }
        self.head_event = self.last().filter(|event| event.position > start).map(|event| event.event_id.clone()).unwrap_or_default();
    }

    pub fn last(&self) -> Option<&Rc<Envelope>> {
        self.events.last()
    }
}

/// The source's database. A backup is a clone.
#[derive(Clone)]
pub struct Source {
    pub shards: Vec<ShardLog>,
    /// The mark of a log that went back.
    pub refused: bool,
}

impl Source {
    pub fn new(shards: u32) -> Self {
        Self { shards: (0..shards).map(|_| ShardLog::new()).collect(), refused: false }
    }

    /// Commits `effects.len()` events; each has an effect on consumers or has not. Answers also the event before them.
    pub fn commit(&mut self, shard: u32, effects: &[bool], history: &mut History) -> (Option<String>, Vec<Envelope>) {
        let log = &mut self.shards[shard as usize];
        let previous = Some(log.head_event.clone()).filter(|id| !id.is_empty());
        let mut committed = Vec::new();
        for effect in effects {
            log.head += 1;
            let r#type = if *effect { EFFECT } else { "noise" }.to_owned();
            let event_id = history.committed(shard, log, log.head);
            log.head_event.clone_from(&event_id);
            let envelope = Envelope { event_id, position: log.head, r#type, ..Envelope::default() };
            log.events.push(Rc::new(envelope.clone()));
            committed.push(envelope);
        }
        (previous, committed)
    }

    /// As `reader::heads`.
    pub fn head(&self, shard: u32) -> Head {
        let log = &self.shards[shard as usize];
        let last = log.incarnation();
        Head {
            shard,
            incarnation: last.id.clone(),
            incarnation_start: last.start,
            previous_end: last.previous_end,
            position: log.head,
            event_id: if log.head > last.start { log.head_event.clone() } else { String::new() },
        }
    }

    /// As `reader::read`.
    pub fn read(&self, shard: u32, from: i64, limit: usize) -> Batch {
        let log = &self.shards[shard as usize];
        let from = from.max(1);
        let at = log.events.partition_point(|event| event.position < from);
        let before = at.checked_sub(1).map(|before| &log.events[before]).filter(|before| before.position == from - 1);
        let previous = before.map(|before| before.event_id.clone()).unwrap_or_default();
        let mut batch = Batch { service: SERVICE.to_owned(), shard, ..Batch::default() };
        for event in &log.events[at..] {
            let incarnation = log.incarnations.iter().rev().find(|one| one.start < event.position).unwrap();
            if batch.events.is_empty() {
                batch.first = event.position;
                batch.incarnation.clone_from(&incarnation.id);
                if event.position > incarnation.start + 1 {
                    batch.previous_event_id.clone_from(&previous);
                }
            } else if incarnation.id != batch.incarnation || batch.events.len() == limit {
                break;
            }
            batch.events.push((**event).clone());
        }
        if batch.events.is_empty() {
            batch.first = from;
            batch.incarnation.clone_from(&log.incarnation().id);
            if from > log.incarnation().start + 1 {
                batch.previous_event_id = previous;
            }
        }
        batch
    }

    /// As `rejoin::rejoin`, with the highest cursor of each shard.
    pub fn rejoin(&mut self, highest: &[i64], history: &mut History) {
        for (shard, log) in self.shards.iter_mut().enumerate() {
            let end = log.head;
            let start = end.max(highest[shard]) + 1;
            let id = history.rejoined(shard as u32, log, start);
            log.incarnations.push(Incarnation { id, start, previous_end: end });
            log.head = start;
            log.head_event = String::new();
        }
    }
}
