//! The bus: stores batches, drops repeated message ids, delivers at least never and at most often.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use proto::log::Batch;
use samtal_log::relay::message_id;

use crate::world::{Event, World};

/// For this long a message id that was seen before is dropped.
const DEDUPLICATION: u64 = 60;
/// Batches that the bus keeps.
const KEPT: usize = 200;

#[derive(Default)]
pub struct Bus {
    stored: VecDeque<Rc<Batch>>,
    seen: VecDeque<(u64, String)>,
    /// Every event that it ever acknowledged.
    pub ever: BTreeSet<String>,
}

impl Bus {
    pub fn stored(&self) -> impl Iterator<Item = &Rc<Batch>> {
        self.stored.iter()
    }
}

impl World {
    /// Stores and delivers a batch, unless its message id was seen before.
    pub fn bus_store(&mut self, batch: &Rc<Batch>) {
        let (now, id) = (self.now, message_id(batch));
        while self.bus.seen.front().is_some_and(|(at, _)| at + DEDUPLICATION < now) {
            self.bus.seen.pop_front();
        }
        self.bus.ever.extend(batch.events.iter().map(|event| event.event_id.clone()));
        if self.bus.seen.iter().any(|(_, seen)| *seen == id) {
            self.stats.deduplicated += 1;
            return;
        }
        self.bus.seen.push_back((now, id));
        self.bus.stored.push_back(batch.clone());
        if self.bus.stored.len() > KEPT {
            self.bus.stored.pop_front();
        }
        for group in 0..self.groups.len() {
            for replica in 0..self.groups[group].replicas.len() {
                self.deliver(group, replica, batch);
            }
        }
    }

    /// Delivers a batch to one replica: late, so that the order changes; twice; or not at all.
    fn deliver(&mut self, group: usize, replica: usize, batch: &Rc<Batch>) {
        if self.fault(self.faults.lose) {
            self.stats.lost += 1;
            return;
        }
        let copies = if self.fault(self.faults.duplicate) { 2 } else { 1 };
        for _ in 0..copies {
            let delay = self.rng.range(1, self.faults.delay);
            self.schedule(delay, Event::Deliver { group, replica, batch: batch.clone() });
        }
    }

    /// A replica's subscription was made anew: some of what is stored comes again.
    pub fn redeliver(&mut self, group: usize, replica: usize) {
        let back = self.rng.range(1, 12) as usize;
        let from = self.bus.stored.len().saturating_sub(back);
        let again: Vec<Rc<Batch>> = self.bus.stored.range(from..).cloned().collect();
        for batch in &again {
            self.deliver(group, replica, batch);
        }
    }

    pub fn lose_the_store(&mut self) {
        self.bus.stored.clear();
        self.bus.seen.clear();
    }
}
