//! The world: one queue of events in simulated time, faults drawn from the seed, and what must hold in the end.

use std::collections::BTreeMap;
use std::rc::Rc;

use proto::log::Batch;
use samtal_log::consumer::{Checks, Halt};

use crate::checks::{History, Verdict, wanted};
use crate::consumers::{Database, Group, ReplicaEvent};
use crate::faults::{Faults, Stats};
use crate::guard::Guard;
use crate::network::Bus;
use crate::relays::{Process, RelayEvent};
use crate::rng::Rng;
use crate::source::Source;

/// Ticks with faults.
const STORMY: u64 = 320;
/// Ticks after which everything must have come through once the faults are over.
const CALM: u64 = 3000;

/// Which checks are on.
#[derive(Clone, Copy)]
pub struct Options {
    pub checks: Checks,
    /// The database refuses writes under an old epoch.
    pub epoch: bool,
    /// A log that went back takes no events.
    pub guard: bool,
    pub trace: bool,
}

impl Options {
    pub const ALL: Self = Self { checks: Checks::ALL, epoch: true, guard: true, trace: false };
}

pub enum Event {
    Relay {
        shard: u32,
        event: RelayEvent,
    },
    Deliver {
        group: usize,
        replica: usize,
        batch: Rc<Batch>,
    },
    Replica {
        group: usize,
        replica: usize,
        event: ReplicaEvent,
    },
    /// The source has read a batch that was asked for, and now reads the head.
    Backfill {
        group: usize,
        replica: usize,
        life: u32,
        restores: u32,
        batch: Batch,
    },
    /// The source's process asks a consumer how far it has come.
    Ask {
        group: usize,
        start: u32,
    },
    /// A consumer tells, asked or by itself.
    Hear {
        answer: Option<(usize, u32)>,
        cursors: Vec<proto::log::Cursor>,
    },
    /// The operator has asked for every cursor; now the log rejoins above them.
    Rejoin {
        highest: Vec<i64>,
    },
}

pub struct World {
    pub now: u64,
    pub rng: Rng,
    pub options: Options,
    pub faults: Faults,
    pub stats: Stats,
    pub source: Source,
    pub history: History,
    pub bus: Bus,
    pub relays: Vec<Process>,
    pub groups: Vec<Group>,
    pub guard: Guard,
    /// Numbers the lives of consumers.
    pub lives: u32,
    /// How often the source was restored.
    pub restores: u32,
    queue: BTreeMap<(u64, u64), Event>,
    scheduled: u64,
    calm: bool,
    /// The source was restored and has not rejoined since.
    restored: bool,
    source_backups: Vec<Source>,
    consumer_backups: Vec<(usize, Database)>,
}

impl World {
    pub fn new(seed: u64, options: Options) -> Self {
        let mut rng = Rng::new(seed);
        let faults = Faults::draw(&mut rng);
        let shards = rng.range(1, 2) as u32;
        let groups = (0..rng.range(1, 2)).map(|number| Group::new(number as usize, rng.chance(250), rng.range(1, 2) as usize)).collect();
        Self {
            now: 0,
            rng,
            options,
            faults,
            stats: Stats::default(),
            source: Source::new(shards),
            history: History::default(),
            bus: Bus::default(),
            relays: (0..shards).map(Process::new).collect(),
            groups,
            guard: Guard::new(shards),
            lives: 0,
            restores: 0,
            queue: BTreeMap::new(),
            scheduled: 0,
            calm: false,
            restored: false,
            source_backups: vec![Source::new(shards)],
            consumer_backups: Vec::new(),
        }
    }

    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.options.trace {
            println!("{:>5}  {}", self.now, what());
        }
    }

    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.queue.values()
    }

    /// Draws whether a fault happens.
    pub fn fault(&mut self, permille: u64) -> bool {
        !self.calm && self.rng.chance(permille)
    }

    pub fn schedule(&mut self, delay: u64, event: Event) {
        self.scheduled += 1;
        self.queue.insert((self.now + delay, self.scheduled), event);
    }

    pub fn run(&mut self) -> Verdict {
        while self.now < STORMY {
            self.tick()?;
            self.storm()?;
        }
        self.say(|| "the faults are over".to_owned());
        self.calm = true;
        self.faults.delay = self.faults.delay.min(8);
        self.faults.limit = self.faults.limit.max(4);
        let mut settled = 0;
        while self.now < STORMY + CALM {
            if self.now < STORMY + 30 && self.now.is_multiple_of(10) {
                self.commit(0);
            }
            self.revive();
            self.tick()?;
            if self.now > STORMY + 60 && self.now.is_multiple_of(20) {
                settled = if self.unsettled().is_none() { settled + 1 } else { 0 };
                if settled == 3 {
                    return self.finished();
                }
            }
        }
        Err(format!("not settled: {}", self.unsettled().unwrap_or_default()))
    }

    fn tick(&mut self) -> Verdict {
        self.now += 1;
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let event = entry.remove();
            self.happen(event)?;
        }
        for group in 0..self.groups.len() {
            for replica in 0..self.groups[group].replicas.len() {
                let phase = self.now + (group * 3 + replica * 5) as u64;
                if phase.is_multiple_of(8) {
                    self.happen(Event::Replica { group, replica, event: ReplicaEvent::Beat })?;
                }
                if phase.is_multiple_of(30) {
                    self.happen(Event::Replica { group, replica, event: ReplicaEvent::Compare })?;
                }
            }
        }
        if self.now.is_multiple_of(12) { self.poll_relays() } else { Ok(()) }
    }

    fn happen(&mut self, event: Event) -> Verdict {
        if let Event::Deliver { group, replica, .. } | Event::Replica { group, replica, .. } = &event {
            let until = self.groups[*group].replicas[*replica].paused_until;
            // A paused replica does nothing until it wakes up; what it sent before may be under way all the same.
            let sent = matches!(event, Event::Replica { event: ReplicaEvent::Write(_), .. }) && self.rng.chance(400);
            let periodic = matches!(event, Event::Replica { event: ReplicaEvent::Beat | ReplicaEvent::Compare, .. });
            if self.now < until && !sent {
                if !periodic {
                    self.schedule(until - self.now, event);
                }
                return Ok(());
            }
        }
        match event {
            Event::Relay { shard, event } => self.relay_event(shard, event),
            Event::Deliver { group, replica, batch } => self.batch_event(group, replica, &batch),
            Event::Replica { group, replica, event } => self.replica_event(group, replica, event),
            Event::Backfill { group, replica, life, restores, batch } => {
                self.backfill_event(group, replica, life, restores, batch);
                Ok(())
            }
            Event::Ask { group, start } => {
                self.ask_event(group, start);
                Ok(())
            }
            Event::Hear { answer, cursors } => {
                self.hear_event(answer, &cursors);
                Ok(())
            }
            Event::Rejoin { highest } => {
                self.say(|| format!("the log rejoins above {highest:?}"));
                self.source.rejoin(&highest, &mut self.history);
                self.guard_rejoined();
                self.stats.rejoins += 1;
                self.restored = false;
                Ok(())
            }
        }
    }

    /// What goes wrong in this tick.
    fn storm(&mut self) -> Verdict {
        if self.fault(self.faults.commit) {
            self.commit(400);
        }
        if self.fault(self.faults.relay_crash) {
            let shard = self.rng.index(self.relays.len()) as u32;
            self.crash_relay(shard)?;
        }
        let group = self.rng.index(self.groups.len());
        let replica = self.rng.index(self.groups[group].replicas.len());
        if self.groups[group].replicas[replica].alive {
            if self.fault(self.faults.replica_crash) {
                self.crash_replica(group, replica);
            }
        } else if self.fault(80) {
            self.groups[group].replicas[replica].alive = true;
        }
        if self.fault(self.faults.pause) {
            let until = self.now + self.rng.range(5, 80);
            self.say(|| format!("replica {group}.{replica} is paused until {until}"));
            self.groups[group].replicas[replica].paused_until = until;
        }
        if self.fault(self.faults.lose_store) {
            self.lose_the_store();
        }
        if self.fault(self.faults.redeliver) {
            self.redeliver(group, replica);
        }
        if self.fault(20) {
            self.source_backups.push(self.source.clone());
            self.consumer_backups.push((group, self.groups[group].db.clone()));
        }
        if self.fault(self.faults.source_restore) {
            self.restore_source()?;
        }
        if self.fault(self.faults.consumer_restore) {
            self.restore_consumer();
        }
        let wanted = self.restored && self.faults.rejoin && self.fault(25);
        if wanted || self.fault(self.faults.needless_rejoin) {
            self.rejoin();
        }
        Ok(())
    }

    /// The source's database is put back; its relays restart, or live on if it was a failover.
    fn restore_source(&mut self) -> Verdict {
        let failover = self.rng.chance(500);
        if failover && self.rng.chance(700) {
            let last = self.rng.range(1, 3) as usize;
            self.source.shards.iter_mut().for_each(|log| log.lose(last));
        } else {
            let backup = self.rng.index(self.source_backups.len());
            self.source = self.source_backups[backup].clone();
        }
        self.restores += 1;
        self.restored = true;
        self.stats.source_restores += 1;
        self.say(|| format!("the source is restored: heads {:?}", self.source.shards.iter().map(|log| log.head).collect::<Vec<_>>()));
        self.orphan_what_is_lost();
        if failover {
            self.stats.failovers += 1;
            self.failed_over();
            self.refill();
            return Ok(());
        }
        self.start_source();
        (0..self.relays.len() as u32).try_for_each(|shard| self.crash_relay(shard))
    }

    /// A consumer's database is put back; its replicas restart, or live on if it was a failover.
    fn restore_consumer(&mut self) {
        if self.consumer_backups.is_empty() {
            return;
        }
        let backup = self.rng.index(self.consumer_backups.len());
        let (group, db) = self.consumer_backups[backup].clone();
        self.say(|| format!("consumer {group} is restored"));
        self.groups[group].db = db;
        self.doubt_consumer(group);
        self.stats.consumer_restores += 1;
        for replica in 0..self.groups[group].replicas.len() {
            if self.groups[group].db.shards.is_empty() || self.rng.chance(600) {
                self.crash_replica(group, replica);
            }
        }
    }

    /// The operator asks for every cursor; by the time the log rejoins, consumers may have moved on.
    fn rejoin(&mut self) {
        let highest = (0..self.source.shards.len() as u32)
            .map(|shard| {
                self.groups.iter().filter_map(|group| group.db.shards.get(&shard)).map(|stored| stored.cursor.position).max().unwrap_or(0)
            })
            .collect();
        let delay = self.rng.range(1, 10);
        self.schedule(delay, Event::Rejoin { highest });
    }

    /// After the faults: everything runs again, and an operator does what the alerts say.
    fn revive(&mut self) {
        for replica in self.groups.iter_mut().flat_map(|group| &mut group.replicas) {
            replica.alive = true;
            replica.paused_until = replica.paused_until.min(STORMY + 5);
        }
        if self.now > STORMY + 40 && self.now <= STORMY + 40 + self.faults.quiet_rejoins {
            self.rejoin();
        }
        if !self.now.is_multiple_of(40) || self.now < STORMY + 60 {
            return;
        }
        let shards = self.source.shards.len() as u32;
        let below = self.groups.iter().any(|group| (0..shards).any(|shard| matches!(group.halted(shard), Some(Halt::BeginsBelow { .. }))));
        if self.faults.rejoin && self.restored {
            self.rejoin();
        } else if !self.restored && (below || self.source.refused) {
            self.stats.rejoins_again += 1;
            self.rejoin();
        }
    }

    /// What still has not come through.
    fn unsettled(&self) -> Option<String> {
        for (shard, process) in self.relays.iter().enumerate() {
            let end = self.source.shards[shard].last().map_or(0, |last| last.position);
            if process.relay.published() < end {
                return Some(format!("relay {shard} has published {} of {end}: {:?}", process.relay.published(), process.relay));
            }
        }
        for (number, group) in self.groups.iter().enumerate() {
            for shard in 0..self.source.shards.len() as u32 {
                let head = self.source.head(shard);
                let Some(stored) = group.db.shards.get(&shard) else { return Some(format!("consumer {number} has not begun")) };
                let cursor = &stored.cursor;
                let there = cursor.position == head.position && cursor.event_id == head.event_id;
                let same = cursor.incarnation == head.incarnation || head.position == 0;
                let halted = group.halted(shard);
                if !(there && same || halted.is_some() && self.restored) || halted.is_some() && !self.restored {
                    return Some(format!("consumer {number} shard {shard} is at {cursor:?}, halted {halted:?}, and the log at {head:?}"));
                }
            }
        }
        None
    }

    /// What must hold in the end, beyond what every step was checked for.
    fn finished(&mut self) -> Verdict {
        for (shard, log) in self.source.shards.iter().enumerate() {
            let all: Vec<&String> = log.events.iter().filter(|event| wanted(event)).map(|event| &event.event_id).collect();
            if self.restores == 0 && log.events.iter().any(|event| !self.bus.ever.contains(&event.event_id)) {
                return Err(format!("relay {shard} has not published everything"));
            }
            for (number, group) in self.groups.iter().enumerate() {
                self.stats.ended_halted += usize::from(group.halted(shard as u32).is_some());
                let effects: Vec<&String> = group.db.shards[&(shard as u32)].effects.iter().collect();
                let right = if group.from_head { all.ends_with(&effects) } else { all == effects };
                let missed = log.events.iter().filter(|event| wanted(event)).find(|event| {
                    let whole = !group.from_head && group.halted(shard as u32).is_none();
                    whole && !effects.contains(&&event.event_id) && !self.guard.exempt.contains(&(number, event.event_id.clone()))
                });
                if let Some(missed) = missed {
                    return Err(format!("{} at {} was acknowledged and never reached consumer {number}", missed.event_id, missed.position));
                }
                if self.restores == 0 && !right {
                    return Err(format!("consumer {number} shard {shard}: {effects:?} took effect, and the log holds {all:?}"));
                }
            }
        }
        Ok(())
    }
}
