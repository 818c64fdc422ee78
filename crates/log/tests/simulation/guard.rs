//! The guard of the source's log: who has been asked since it started, and for which events a consumer may miss out all
//! the same, because a window was open.

use std::collections::BTreeSet;

use proto::log::Batch;
use proto::log::Cursor as Told;
use samtal_log::guard::contradiction;

use crate::checks::Step;
use crate::consumers::ReplicaEvent;
use crate::relays::RelayEvent;
use crate::world::{Event, World};

/// For this long a start waits for consumers that are away.
const PATIENCE: u64 = 25;

/// What the source's process knows.
#[derive(Default)]
pub struct Guard {
    /// Consumers that have not answered since the process started.
    away: BTreeSet<usize>,
    /// When the log opens without them.
    opens_at: u64,
    /// Highest position of each shard that this process has seen committed.
    seen: Vec<i64>,
    /// The database lost commits under the living process: only consumers can tell.
    failover: bool,
    /// (consumer, shard) that what was lost may still reach, although the consumer has been asked.
    doubt: BTreeSet<(usize, u32)>,
    /// (consumer, event) committed while a window was open.
    pub exempt: BTreeSet<(usize, String)>,
    /// Counts starts: answers to an earlier one are lost.
    start: u32,
}

impl Guard {
    pub fn new(shards: u32) -> Self {
        Self { seen: vec![0; shards as usize], ..Self::default() }
    }
}

impl World {
    /// The source's process starts on a database that may be an older one.
    pub fn start_source(&mut self) {
        self.guard.start += 1;
        self.guard.seen = self.source.shards.iter().map(|log| log.head).collect();
        self.guard.failover = false;
        self.guard.doubt.clear();
        self.guard.away = (0..self.groups.len()).collect();
        self.guard.opens_at = self.now + PATIENCE;
        for group in 0..self.groups.len() {
            self.ask(group, self.guard.start);
        }
    }

    /// What a restore takes away is lost to consumers, even if a newer backup should bring it back.
    pub fn orphan_what_is_lost(&mut self) {
        let held: BTreeSet<&str> = self.source.shards.iter().flat_map(|log| &log.events).map(|event| event.event_id.as_str()).collect();
        let orphans: Vec<String> = self.history.ids().filter(|id| !held.contains(id.as_str())).collect();
        for group in 0..self.groups.len() {
            self.guard.exempt.extend(orphans.iter().map(|id| (group, id.clone())));
        }
    }

    pub fn failed_over(&mut self) {
        self.guard.failover = true;
    }

    fn ask(&mut self, group: usize, start: u32) {
        let delay = self.rng.range(1, 5);
        self.schedule(delay, Event::Ask { group, start });
    }

    pub fn ask_event(&mut self, group: usize, start: u32) {
        if start != self.guard.start {
            return;
        }
        if self.fault(self.faults.source_away) {
            self.schedule(8, Event::Ask { group, start });
            return;
        }
        let cursors = (0..self.source.shards.len() as u32).filter_map(|shard| self.told(group, shard)).collect();
        let delay = self.rng.range(1, 4);
        self.schedule(delay, Event::Hear { answer: Some((group, start)), cursors });
    }

    /// As `ListCursors`: what is stored, or the position alone of a replica that is ahead.
    pub fn told(&self, group: usize, shard: u32) -> Option<Told> {
        let stored = &self.groups[group].db.shards.get(&shard)?.cursor;
        let ahead = self.groups[group].replicas.iter().filter_map(|replica| replica.shards.get(&shard));
        let ahead = ahead.map(|shard| shard.consumer.cursor()).max_by_key(|cursor| cursor.position);
        let mut told = self.tell(shard, &stored.incarnation, stored.position, &stored.event_id);
        if let Some(ahead) = ahead.filter(|ahead| ahead.position > told.position) {
            told.position = ahead.position;
            told.event_id.clear();
        }
        Some(told)
    }

    pub fn tell(&self, shard: u32, incarnation: &str, position: i64, event_id: &str) -> Told {
        let (incarnation, event_id) = (incarnation.to_owned(), event_id.to_owned());
        Told { shard, incarnation, position, event_id, ..Told::default() }
    }

    fn contradicts(&self, cursor: &Told) -> bool {
        let held = self.source.shards[cursor.shard as usize].events.iter().find(|event| event.position == cursor.position);
        contradiction(&self.source.head(cursor.shard), held.map(|event| event.event_id.as_str()), cursor).is_some()
    }

    /// As `guard::hear`.
    pub fn hear_event(&mut self, answer: Option<(usize, u32)>, cursors: &[Told]) {
        if answer.is_some_and(|(_, start)| start != self.guard.start) {
            return;
        }
        if self.options.guard && !self.source.refused && cursors.iter().any(|cursor| self.contradicts(cursor)) {
            self.say(|| "the source's log takes no events".to_owned());
            self.source.refused = true;
            self.stats.refused += 1;
        }
        if let Some((group, _)) = answer {
            self.doubt_what_may_come(group);
            self.guard.away.remove(&group);
        }
    }

    /// A consumer that agrees with the log may yet be reached by what the log has lost.
    fn doubt_what_may_come(&mut self, group: usize) {
        for shard in 0..self.source.shards.len() as u32 {
            let agrees = self.told(group, shard).is_none_or(|cursor| !self.contradicts(&cursor));
            let idle =
                self.groups[group].replicas.iter().filter_map(|replica| replica.shards.get(&shard)).all(|one| one.consumer.is_idle());
            if agrees && (!idle || self.lost_is_under_way(group, shard)) {
                self.guard.doubt.insert((group, shard));
            }
        }
    }

    /// A consumer's database went back too, or forward to what the source has lost.
    pub fn doubt_consumer(&mut self, group: usize) {
        self.guard.doubt.extend((0..self.source.shards.len() as u32).map(|shard| (group, shard)));
    }

    fn lost_is_under_way(&self, group: usize, shard: u32) -> bool {
        let held: BTreeSet<&str> = self.source.shards[shard as usize].events.iter().map(|event| event.event_id.as_str()).collect();
        let lost = |batch: &Batch| batch.shard == shard && batch.events.iter().any(|event| !held.contains(event.event_id.as_str()));
        let mine = |other: &usize| *other == group;
        self.bus.stored().any(|batch| lost(batch))
            || self.events().any(|event| match event {
                Event::Deliver { group, batch, .. } => mine(group) && lost(batch),
                Event::Backfill { group, batch, .. } => mine(group) && lost(batch),
                Event::Relay { event: RelayEvent::Publish { batch, .. }, .. } => lost(batch),
                Event::Replica { group, event: ReplicaEvent::Answer { shard: of, .. }, .. } => mine(group) && *of == shard,
                Event::Replica { group, event: ReplicaEvent::Write(write), .. } => {
                    let lost = |step: &Step| matches!(step, Step::Event(id) if !held.contains(id.as_str()));
                    mine(group) && write.shard == shard && write.steps.iter().any(lost)
                }
                _ => false,
            })
    }

    /// Whether the source's process may commit to this shard now. A replica that has not seen the shard's last commits
    /// knows less.
    pub fn may_commit(&self, shard: u32, knows: bool) -> bool {
        let next = self.source.shards[shard as usize].head + 1;
        !self.options.guard
            || !self.source.refused
                && (self.guard.away.is_empty() || self.now >= self.guard.opens_at)
                && !(knows && next <= self.guard.seen[shard as usize])
    }

    /// What is committed now need not reach those consumers for whom a window is open.
    pub fn note_committed(&mut self, shard: u32, ids: &[String], knows: bool) {
        let head = self.source.shards[shard as usize].head;
        if knows {
            self.guard.seen[shard as usize] = self.guard.seen[shard as usize].max(head);
        }
        for group in 0..self.groups.len() {
            if self.guard.failover || self.guard.away.contains(&group) || self.guard.doubt.contains(&(group, shard)) {
                self.guard.exempt.extend(ids.iter().map(|id| (group, id.clone())));
            } else {
                self.stats.guarded += ids.len();
            }
        }
    }

    /// The operator has asked every consumer. In this small world a consumer may have come further meanwhile.
    pub fn guard_rejoined(&mut self) {
        self.source.refused = false;
        self.guard.away.clear();
        self.guard.failover = false;
        self.guard.doubt.clear();
        for group in 0..self.groups.len() {
            for shard in 0..self.source.shards.len() as u32 {
                let beyond = self.told(group, shard).is_some_and(|cursor| self.contradicts(&cursor));
                let idle =
                    self.groups[group].replicas.iter().filter_map(|replica| replica.shards.get(&shard)).all(|one| one.consumer.is_idle());
                if beyond || !idle || self.lost_is_under_way(group, shard) {
                    self.guard.doubt.insert((group, shard));
                }
            }
        }
        self.guard.seen = self.source.shards.iter().map(|log| log.head).collect();
    }
}
