//! The source's relays, one process with one relay per shard, as `relay_driver` drives them.

use std::rc::Rc;

use proto::log::{Batch, Envelope};
use samtal_log::relay::{Action, Input, Relay};

use crate::checks::Verdict;
use crate::source::SERVICE;
use crate::world::{Event, World};

pub struct Process {
    pub relay: Relay,
    /// Counts restarts: answers to an earlier life are lost.
    life: u32,
}

impl Process {
    pub fn new(shard: u32) -> Self {
        Self { relay: Relay::new(SERVICE, shard, 0), life: 0 }
    }
}

/// What a relay's process waits for.
pub enum RelayEvent {
    /// The process committed these itself.
    Committed {
        previous: Option<String>,
        events: Vec<Envelope>,
    },
    Bell,
    Load {
        life: u32,
        from: i64,
    },
    Publish {
        life: u32,
        batch: Rc<Batch>,
    },
    Answer {
        life: u32,
        input: Input,
    },
}

impl World {
    pub fn relay_event(&mut self, shard: u32, event: RelayEvent) -> Verdict {
        let current = self.relays[shard as usize].life;
        match event {
            RelayEvent::Committed { previous, events } => self.relay_feed(shard, Input::Committed { previous, events }),
            RelayEvent::Bell => self.relay_feed(shard, Input::Bell),
            RelayEvent::Answer { life, input } if life == current => self.relay_feed(shard, input),
            RelayEvent::Load { life, from } if life == current => {
                let limit = self.rng.range(1, self.faults.limit) as usize;
                let failed = self.fault(self.faults.source_away);
                let input = if failed { Input::Failed } else { Input::Loaded(self.source.read(shard, from, limit)) };
                self.answer_relay(shard, life, input);
                Ok(())
            }
            RelayEvent::Publish { life, batch } => {
                // A process that died may have sent it or not.
                if life != current && self.rng.chance(500) || self.fault(self.faults.bus_away) {
                    self.answer_relay(shard, life, Input::Failed);
                    return Ok(());
                }
                self.bus_store(&batch);
                let lost = self.fault(self.faults.bus_away);
                let last = batch.events.last().unwrap().position;
                self.answer_relay(shard, life, if lost { Input::Failed } else { Input::Published(last) });
                Ok(())
            }
            RelayEvent::Answer { .. } | RelayEvent::Load { .. } => Ok(()),
        }
    }

    fn answer_relay(&mut self, shard: u32, life: u32, input: Input) {
        let delay = self.rng.range(1, 4);
        self.schedule(delay, Event::Relay { shard, event: RelayEvent::Answer { life, input } });
    }

    fn relay_feed(&mut self, shard: u32, input: Input) -> Verdict {
        let process = &mut self.relays[shard as usize];
        let life = process.life;
        let action = process.relay.on(input);
        let published = process.relay.published();
        let delay = self.rng.range(1, 4);
        match action {
            Some(Action::Load(from)) => self.schedule(delay, Event::Relay { shard, event: RelayEvent::Load { life, from } }),
            Some(Action::Publish(batch)) => {
                self.say(|| {
                    format!("relay {shard} publishes {} {}+{} after {published}", batch.incarnation, batch.first, batch.events.len())
                });
                self.history.published(&batch, published)?;
                self.stats.published += 1;
                self.schedule(delay, Event::Relay { shard, event: RelayEvent::Publish { life, batch: Rc::new(batch) } });
            }
            None => {}
        }
        Ok(())
    }

    /// The relay loses what it has in memory and goes on from the stored position.
    pub fn crash_relay(&mut self, shard: u32) -> Verdict {
        let stored = self.source.shards[shard as usize].relayed;
        let process = &mut self.relays[shard as usize];
        process.life += 1;
        process.relay = Relay::new(SERVICE, shard, stored);
        self.say(|| format!("relay {shard} restarts from {stored}"));
        self.relay_feed(shard, Input::Bell)
    }

    /// The relays' poll: positions are stored, the log is looked at.
    pub fn poll_relays(&mut self) -> Verdict {
        for shard in 0..self.relays.len() {
            if !self.fault(300) {
                let log = &mut self.source.shards[shard];
                log.relayed = log.relayed.max(self.relays[shard].relay.published());
            }
            self.relay_feed(shard as u32, Input::Bell)?;
        }
        Ok(())
    }

    /// After a failover another replica's callers try again at once: it fills up what was lost, and the relay does not hear.
    pub fn refill(&mut self) {
        for shard in 0..self.relays.len() as u32 {
            let lost = self.relays[shard as usize].relay.published() - self.source.shards[shard as usize].head;
            if self.rng.chance(500) && (1..=3).contains(&lost) && self.may_commit(shard, false) {
                let (_, events) = self.source.commit(shard, &vec![true; lost as usize], &mut self.history);
                let ids: Vec<String> = events.into_iter().map(|event| event.event_id).collect();
                self.note_committed(shard, &ids, false);
            }
        }
    }

    /// Commits to each shard, save those left out, and tells the relays: by hand, by bell, or not at all.
    pub fn commit(&mut self, leave_out: u64) {
        for shard in 0..self.relays.len() as u32 {
            // The process beside the relay, or another replica, which has not seen what this one has.
            let way = self.rng.below(10);
            if self.rng.chance(leave_out) || !self.may_commit(shard, way <= 5) {
                continue;
            }
            let count = self.rng.range(1, 3);
            let effects: Vec<bool> = (0..count).map(|_| self.rng.chance(650)).collect();
            let (previous, events) = self.source.commit(shard, &effects, &mut self.history);
            self.say(|| {
                format!(
                    "source {shard} commits {:?}",
                    events.iter().map(|event| (event.position, event.event_id.as_str())).collect::<Vec<_>>()
                )
            });
            let ids: Vec<String> = events.iter().map(|event| event.event_id.clone()).collect();
            self.note_committed(shard, &ids, way <= 5);
            let delay = self.rng.range(1, 3);
            match way {
                0..=5 => self.schedule(delay, Event::Relay { shard, event: RelayEvent::Committed { previous, events } }),
                6..=7 => self.schedule(delay, Event::Relay { shard, event: RelayEvent::Bell }),
                _ => {}
            }
        }
    }
}
