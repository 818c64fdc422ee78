//! The consuming services: a database each, and replicas that drive `Consumer` as `consumer_driver` does.

use std::collections::BTreeMap;
use std::rc::Rc;

use proto::log::Batch;
use samtal_log::consumer::{Action, Consumer, Cursor, Halt, Input};
use samtal_log::lease;

use crate::checks::{Step, Trail, Verdict, wanted};
use crate::world::{Event, World};

const DUTY: &str = "consume:source";
/// Without a beat for this long a replica's shards go to others.
const DEAD_AFTER: u64 = 25;

/// One shard in a consumer's database.
#[derive(Clone, Default)]
pub struct Stored {
    pub cursor: Cursor,
    /// Ids of the events that took effect.
    pub effects: Vec<String>,
    pub trail: Trail,
}

#[derive(Clone)]
struct Lease {
    owner: String,
    epoch: i64,
}

/// A consuming service's database. A backup is a clone.
#[derive(Clone, Default)]
pub struct Database {
    pub shards: BTreeMap<u32, Stored>,
    leases: BTreeMap<u32, Lease>,
    beats: BTreeMap<String, u64>,
}

pub struct Group {
    pub from_head: bool,
    pub db: Database,
    pub replicas: Vec<Replica>,
}

pub struct Replica {
    name: String,
    pub alive: bool,
    /// Stopped until this time; what reaches it meanwhile waits.
    pub paused_until: u64,
    owned: BTreeMap<u32, i64>,
    pub shards: BTreeMap<u32, Shard>,
}

pub struct Shard {
    pub consumer: Consumer,
    epoch: i64,
    /// Position that the database holds.
    stored: i64,
    /// What the cursor moved over in memory alone: events without effect.
    unstored: Vec<Step>,
    /// Answers to an earlier life of this shard are lost.
    life: u32,
}

/// A transaction on its way.
pub struct Write {
    pub shard: u32,
    life: u32,
    epoch: i64,
    stored: i64,
    pub steps: Vec<Step>,
    effects: Vec<String>,
    cursor: Cursor,
}

pub enum ReplicaEvent {
    Beat,
    /// Loads the cursors of what it owns.
    Own,
    Compare,
    Write(Write),
    Ask {
        shard: u32,
        life: u32,
        from: i64,
    },
    Answer {
        shard: u32,
        life: u32,
        input: Input,
    },
}

enum Done {
    Committed,
    Fenced,
}

impl Group {
    pub fn new(number: usize, from_head: bool, replicas: usize) -> Self {
        let replica = |replica| Replica {
            name: format!("{DUTY}/{number}-{replica}"),
            alive: true,
            paused_until: 0,
            owned: BTreeMap::new(),
            shards: BTreeMap::new(),
        };
        Self { from_head, db: Database::default(), replicas: (0..replicas).map(replica).collect() }
    }

    /// The halt of the replica that owns the shard, if it has halted.
    pub fn halted(&self, shard: u32) -> Option<&Halt> {
        let lease = self.db.leases.get(&shard)?;
        let owner = self.replicas.iter().find(|replica| replica.alive && replica.name == lease.owner)?;
        owner.shards.get(&shard)?.consumer.halted()
    }
}

impl World {
    pub fn replica_event(&mut self, group: usize, replica: usize, event: ReplicaEvent) -> Verdict {
        let state = &self.groups[group].replicas[replica];
        let life = |shard: u32| state.shards.get(&shard).map(|shard| shard.life);
        match event {
            ReplicaEvent::Write(write) => return self.write_event(group, replica, write),
            _ if !state.alive => {}
            ReplicaEvent::Beat => self.beat(group, replica),
            ReplicaEvent::Own => return self.own(group, replica),
            ReplicaEvent::Compare => return self.compare(group, replica),
            ReplicaEvent::Answer { shard, life: then, input } if life(shard) == Some(then) => {
                return self.feed(group, replica, shard, input);
            }
            ReplicaEvent::Ask { shard, life: then, from } if life(shard) == Some(then) => {
                self.stats.backfills += 1;
                if self.fault(self.faults.source_away) {
                    let (input, wait) = (Input::BackfillFailed, self.rng.range(5, 15));
                    self.schedule(wait, Event::Replica { group, replica, event: ReplicaEvent::Answer { shard, life: then, input } });
                    return Ok(());
                }
                let limit = self.rng.range(1, self.faults.limit) as usize;
                let batch = self.source.read(shard, from, limit);
                // Two queries: something may be committed in between, or the log may rejoin.
                let wait = if self.fault(300) { self.rng.range(1, 10) } else { 0 };
                self.schedule(wait, Event::Backfill { group, replica, life: then, restores: self.restores, batch });
            }
            ReplicaEvent::Answer { .. } | ReplicaEvent::Ask { .. } => {}
        }
        Ok(())
    }

    pub fn batch_event(&mut self, group: usize, replica: usize, batch: &Rc<Batch>) -> Verdict {
        if self.groups[group].replicas[replica].alive {
            return self.feed(group, replica, batch.shard, Input::Batch((**batch).clone()));
        }
        Ok(())
    }

    /// The second half of a backfill: the head beside the batch.
    pub fn backfill_event(&mut self, group: usize, replica: usize, life: u32, restores: u32, batch: Batch) {
        let (shard, head) = (batch.shard, self.source.head(batch.shard));
        let wait = self.rng.range(1, self.faults.delay);
        // A database that is put back breaks what was going on in it.
        let input = if restores == self.restores { Input::Backfilled { batch, head } } else { Input::BackfillFailed };
        self.schedule(wait, Event::Replica { group, replica, event: ReplicaEvent::Answer { shard, life, input } });
    }

    /// As `lease::beat`.
    fn beat(&mut self, group: usize, replica: usize) {
        let now = self.now;
        let Group { db, replicas, .. } = &mut self.groups[group];
        let state = &mut replicas[replica];
        db.beats.insert(state.name.clone(), now);
        let alive: Vec<String> = db.beats.iter().filter(|(_, at)| **at + DEAD_AFTER > now).map(|(name, _)| name.clone()).collect();
        let mut owned = BTreeMap::new();
        for shard in (0..self.source.shards.len() as u32).filter(|shard| lease::owner(DUTY, *shard, &alive) == Some(&state.name)) {
            let lease = db.leases.entry(shard).or_insert_with(|| Lease { owner: String::new(), epoch: 0 });
            if lease.owner != state.name {
                *lease = Lease { owner: state.name.clone(), epoch: lease.epoch + 1 };
                self.stats.takeovers += 1;
            }
            owned.insert(shard, lease.epoch);
        }
        if state.owned != owned {
            state.owned = owned;
            let delay = self.rng.range(1, 3);
            self.say(|| format!("replica {group}.{replica} owns {:?}", self.groups[group].replicas[replica].owned));
            self.schedule(delay, Event::Replica { group, replica, event: ReplicaEvent::Own });
        }
    }

    /// As `Driver::own`.
    fn own(&mut self, group: usize, replica: usize) -> Verdict {
        if self.fault(self.faults.source_away) {
            self.schedule(8, Event::Replica { group, replica, event: ReplicaEvent::Own });
            return Ok(());
        }
        self.tell_stored(group);
        let heads: Vec<_> = (0..self.source.shards.len() as u32).map(|shard| self.source.head(shard)).collect();
        let Group { db, replicas, from_head } = &mut self.groups[group];
        for head in &heads {
            db.shards.entry(head.shard).or_insert_with(|| {
                if !*from_head {
                    return Stored::default();
                }
                let last = self.source.shards[head.shard as usize].last().map(|last| last.event_id.clone());
                let cursor = Cursor { incarnation: head.incarnation.clone(), position: head.position, event_id: head.event_id.clone() };
                Stored { cursor, effects: Vec::new(), trail: Trail { last, position: head.position } }
            });
        }
        let state = &mut replicas[replica];
        state.shards.clear();
        for (shard, epoch) in &state.owned {
            let cursor = db.shards[shard].cursor.clone();
            self.lives += 1;
            let stored = cursor.position;
            let consumer = Consumer::new(cursor, self.options.checks);
            state.shards.insert(*shard, Shard { consumer, epoch: *epoch, stored, unstored: Vec::new(), life: self.lives });
        }
        for head in heads {
            self.feed(group, replica, head.shard, Input::Head(head))?;
        }
        Ok(())
    }

    /// As `Driver::compare`: heads, then cursors that moved in memory alone.
    fn compare(&mut self, group: usize, replica: usize) -> Verdict {
        if !self.fault(self.faults.source_away) {
            self.tell_cursors(group, replica);
            for shard in 0..self.source.shards.len() as u32 {
                let head = self.source.head(shard);
                self.feed(group, replica, shard, Input::Head(head))?;
            }
        }
        for shard in 0..self.source.shards.len() as u32 {
            let Some(state) = self.groups[group].replicas[replica].shards.get(&shard) else { continue };
            let still = state.consumer.is_idle();
            if !still || state.consumer.cursor().position <= state.stored || self.fault(self.faults.database_away) {
                continue;
            }
            let Some(state) = self.groups[group].replicas[replica].shards.get(&shard) else { continue };
            let cursor = state.consumer.cursor().clone();
            let position = cursor.position;
            let steps = state.unstored.clone();
            let write = Write { shard, life: state.life, epoch: state.epoch, stored: state.stored, steps, effects: Vec::new(), cursor };
            match self.write(group, replica, write)? {
                Done::Committed => {
                    let state = self.groups[group].replicas[replica].shards.get_mut(&shard).unwrap();
                    state.stored = position;
                    state.unstored.clear();
                }
                Done::Fenced => self.fenced(group, replica, shard),
            }
        }
        Ok(())
    }

    /// The comparison tells the source how far this replica has come.
    fn tell_cursors(&mut self, group: usize, replica: usize) {
        let shards = &self.groups[group].replicas[replica].shards;
        let cursors = shards.iter().map(|(shard, state)| (*shard, state.consumer.cursor()));
        let cursors = cursors.map(|(shard, cursor)| self.tell(shard, &cursor.incarnation, cursor.position, &cursor.event_id)).collect();
        self.schedule(1, Event::Hear { answer: None, cursors });
    }

    fn tell_stored(&mut self, group: usize) {
        let shards = self.groups[group].db.shards.iter().map(|(shard, stored)| (*shard, &stored.cursor));
        let cursors = shards.map(|(shard, cursor)| self.tell(shard, &cursor.incarnation, cursor.position, &cursor.event_id)).collect();
        self.schedule(1, Event::Hear { answer: None, cursors });
    }

    /// As `Driver::feed`.
    fn feed(&mut self, group: usize, replica: usize, shard: u32, input: Input) -> Verdict {
        let Some(state) = self.groups[group].replicas[replica].shards.get_mut(&shard) else { return Ok(()) };
        let before = state.consumer.halted().is_some();
        let action = state.consumer.on(input);
        let life = state.life;
        if let (false, Some(halt)) = (before, state.consumer.halted()) {
            self.stats.halted(halt);
            let text = halt.to_string();
            self.say(|| format!("consumer {group}.{replica} shard {shard} halts: {text}"));
        }
        match action {
            Some(Action::Apply { events, cursor }) => {
                let jump = events.is_empty();
                let moves: Vec<Step> = if jump {
                    vec![Step::Jump(cursor.position)]
                } else {
                    events.iter().map(|event| Step::Event(event.event_id.clone())).collect()
                };
                let effects: Vec<String> = events.iter().filter(|event| wanted(event)).map(|event| event.event_id.clone()).collect();
                let state = self.groups[group].replicas[replica].shards.get_mut(&shard).unwrap();
                if !jump && effects.is_empty() {
                    state.unstored.extend(moves);
                    return self.feed(group, replica, shard, Input::Applied(cursor));
                }
                let steps = state.unstored.iter().cloned().chain(moves).collect();
                let write = Write { shard, life, epoch: state.epoch, stored: state.stored, steps, effects, cursor };
                let delay = self.rng.range(1, 4);
                self.schedule(delay, Event::Replica { group, replica, event: ReplicaEvent::Write(write) });
            }
            Some(Action::Backfill(from)) => {
                let delay = self.rng.range(1, 3);
                self.schedule(delay, Event::Replica { group, replica, event: ReplicaEvent::Ask { shard, life, from } });
            }
            None => {}
        }
        Ok(())
    }

    /// A transaction reaches the database, and its outcome perhaps the replica.
    fn write_event(&mut self, group: usize, replica: usize, write: Write) -> Verdict {
        let state = &self.groups[group].replicas[replica];
        let (shard, life) = (write.shard, write.life);
        let there = state.alive && state.shards.get(&shard).is_some_and(|shard| shard.life == life);
        // Whoever sent it may be gone: then the transaction may still commit, or not.
        if !there && self.rng.chance(500) {
            return Ok(());
        }
        let cursor = write.cursor.clone();
        let input = if self.fault(self.faults.database_away) {
            Input::ApplyFailed
        } else {
            match self.write(group, replica, write)? {
                // The connection breaks while the commit is answered.
                Done::Committed if self.fault(self.faults.database_away) => Input::ApplyFailed,
                Done::Committed if self.fault(self.faults.crash_after_commit) => {
                    self.crash_replica(group, replica);
                    return Ok(());
                }
                Done::Committed => {
                    if let Some(state) = self.groups[group].replicas[replica].shards.get_mut(&shard).filter(|state| state.life == life) {
                        state.stored = cursor.position;
                        state.unstored.clear();
                    }
                    Input::Applied(cursor)
                }
                Done::Fenced => {
                    if there {
                        self.fenced(group, replica, shard);
                    }
                    return Ok(());
                }
            }
        };
        let delay = self.rng.range(1, 4);
        self.schedule(delay, Event::Replica { group, replica, event: ReplicaEvent::Answer { shard, life, input } });
        Ok(())
    }

    /// Another replica wrote, or this one did without hearing so: what is owned is loaded anew.
    fn fenced(&mut self, group: usize, replica: usize, shard: u32) {
        self.groups[group].replicas[replica].shards.remove(&shard);
        self.schedule(5, Event::Replica { group, replica, event: ReplicaEvent::Own });
    }

    /// As `Context::effects`: the epoch check, the guarded cursor and the effects, in one atomic step.
    fn write(&mut self, group: usize, replica: usize, write: Write) -> Result<Done, String> {
        let Group { db, replicas, .. } = &mut self.groups[group];
        let name = &replicas[replica].name;
        let lease = db.leases.get(&write.shard).cloned();
        let (Some(lease), Some(stored)) = (lease, db.shards.get_mut(&write.shard)) else { return Ok(Done::Fenced) };
        if self.options.epoch && lease.epoch != write.epoch {
            self.stats.fenced_by_epoch += 1;
            return Ok(Done::Fenced);
        }
        if stored.cursor.position != write.stored {
            self.stats.fenced_by_cursor += 1;
            return Ok(Done::Fenced);
        }
        if lease.owner != *name {
            return Err(format!("{name} wrote to shard {}, which {} had taken over", write.shard, lease.owner));
        }
        for step in &write.steps {
            self.history
                .follow(write.shard, &mut stored.trail, step)
                .map_err(|wrong| format!("consumer {group} shard {}: {wrong}", write.shard))?;
        }
        if stored.trail.position != write.cursor.position {
            return Err(format!("consumer {group} stored {:?} after {:?}", write.cursor, stored.trail));
        }
        self.stats.effects += write.effects.len();
        stored.effects.extend(write.effects);
        stored.cursor = write.cursor;
        let (shard, cursor) = (write.shard, stored.cursor.clone());
        self.say(|| {
            format!("consumer {group}.{replica} shard {shard} stores {} {} {:?}", cursor.incarnation, cursor.position, cursor.event_id)
        });
        Ok(Done::Committed)
    }

    pub fn crash_replica(&mut self, group: usize, replica: usize) {
        self.say(|| format!("replica {group}.{replica} crashes"));
        let state = &mut self.groups[group].replicas[replica];
        state.alive = false;
        state.owned.clear();
        state.shards.clear();
    }
}
