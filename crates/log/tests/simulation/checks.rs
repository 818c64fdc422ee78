//! The oracle: knows every event that was ever committed and what it followed on, and judges what consumers and relays do.

use std::collections::BTreeSet;

use proto::log::{Batch, Envelope};

use crate::source::{EFFECT, ShardLog};

/// What one step found to be wrong, if anything.
pub type Verdict = Result<(), String>;

/// An event as it was committed. Ids are never used again, so that histories form a tree.
struct Fact {
    shard: u32,
    position: i64,
    /// The event before it in the log at that time, void or not.
    parent: Option<String>,
    incarnation: String,
    /// Rejoins that led to the log at that time.
    rejoins: Vec<usize>,
}

struct Rejoin {
    shard: u32,
    start: i64,
    /// Position of the last event at that time.
    end: i64,
    /// What the log held at that time.
    log: BTreeSet<String>,
}

#[derive(Default)]
pub struct History {
    facts: Vec<Fact>,
    rejoins: Vec<Rejoin>,
    incarnations: u32,
}

/// How a cursor moves.
#[derive(Clone, Debug)]
pub enum Step {
    Event(String),
    /// To the start of a new incarnation.
    Jump(i64),
}

/// Where a consumer's shard stands, as the oracle sees it. Kept in the consumer's database, so that a restore takes it back.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    pub last: Option<String>,
    pub position: i64,
}

impl History {
    /// Notes that an event is committed on top of `log`; answers its id.
    pub fn committed(&mut self, shard: u32, log: &ShardLog, position: i64) -> String {
        self.facts.push(Fact {
            shard,
            position,
            parent: log.last().map(|last| last.event_id.clone()),
            incarnation: log.incarnation().id.clone(),
            rejoins: log.rejoins.clone(),
        });
        format!("e{}", self.facts.len() - 1)
    }

    /// Notes a rejoin of `log`; answers the new incarnation.
    pub fn rejoined(&mut self, shard: u32, log: &mut ShardLog, start: i64) -> String {
        log.rejoins.push(self.rejoins.len());
        let held = log.events.iter().map(|event| event.event_id.clone()).collect();
        let end = log.last().map_or(0, |last| last.position);
        self.rejoins.push(Rejoin { shard, start, end, log: held });
        self.incarnations += 1;
        format!("A{:04}", self.incarnations)
    }

    /// Every event that was ever committed.
    pub fn ids(&self) -> impl Iterator<Item = String> {
        (0..self.facts.len()).map(|number| format!("e{number}"))
    }

    fn fact(&self, id: &str) -> &Fact {
        &self.facts[id[1..].parse::<usize>().unwrap()]
    }

    fn position_of(&self, id: Option<&String>) -> i64 {
        id.map_or(0, |id| self.fact(id).position)
    }

    fn has_ancestor(&self, id: &str, ancestor: Option<&String>) -> bool {
        let Some(ancestor) = ancestor else { return true };
        let mut at = self.fact(id).parent.as_ref();
        while let Some(one) = at {
            if one == ancestor {
                return true;
            }
            at = self.fact(one).parent.as_ref();
        }
        false
    }

    /// A consumer's cursor makes this step: it must be one of those that a faithful consumer makes.
    pub fn follow(&self, shard: u32, trail: &mut Trail, step: &Step) -> Verdict {
        match step {
            Step::Event(id) => {
                let fact = self.fact(id);
                self.allowed(shard, trail, id, fact)?;
                *trail = Trail { last: Some(id.clone()), position: fact.position };
            }
            Step::Jump(to) => {
                let declared = self
                    .rejoins
                    .iter()
                    .any(|rejoin| rejoin.shard == shard && rejoin.start == *to && rejoin.end <= trail.position && trail.position <= *to);
                if !declared {
                    return Err(format!("a cursor jumped from {trail:?} to {to}, which no rejoin declared"));
                }
                trail.position = *to;
            }
        }
        Ok(())
    }

    fn allowed(&self, shard: u32, trail: &Trail, id: &str, fact: &Fact) -> Verdict {
        let position = fact.position;
        if fact.shard != shard {
            return Err(format!("{id} of shard {} took effect in shard {shard}", fact.shard));
        }
        if position <= trail.position {
            return Err(format!("{id} at {position} took effect after {trail:?}: repeated or out of order"));
        }
        if fact.parent == trail.last {
            return Ok(());
        }
        // After a jump the positions before it are a void that the operator has declared.
        let jumped = trail.position > self.position_of(trail.last.as_ref());
        if !jumped && self.has_ancestor(id, trail.last.as_ref()) {
            return Err(format!("{id} at {position} took effect after {trail:?}: what lies between is skipped"));
        }
        // Another history than the one that was seen. Only a rejoin above the cursor lets the consumer cross over, and then
        // to the very first event beyond the cursor.
        let first = self.position_of(fact.parent.as_ref()) <= trail.position;
        let declared = self.rejoins.iter().enumerate().any(|(number, rejoin)| {
            rejoin.shard == shard && rejoin.start >= trail.position && (rejoin.log.contains(id) || fact.rejoins.contains(&number))
        });
        if !first || !declared {
            return Err(format!("{id} at {position} took effect after {trail:?}, which is of another history"));
        }
        Ok(())
    }

    /// What a relay publishes must be a piece of one history, chained to the event before it.
    pub fn published(&self, batch: &Batch, after: i64) -> Verdict {
        let Some(first) = batch.events.first() else { return Err("an empty batch was published".to_owned()) };
        let fact = self.fact(&first.event_id);
        if batch.first != first.position || first.position <= after {
            return Err(format!("a batch from {} begins with {} and follows on {after}", batch.first, first.position));
        }
        if self.position_of(fact.parent.as_ref()) > after {
            return Err(format!("a batch from {} follows on {after} and leaves events out", batch.first));
        }
        let parent = fact.parent.as_ref().filter(|parent| self.fact(parent).incarnation == fact.incarnation);
        if parent.map_or("", |parent| parent) != batch.previous_event_id {
            return Err(format!(
                "the batch from {} claims to follow {:?}, but it follows {:?}",
                batch.first, batch.previous_event_id, fact.parent
            ));
        }
        for (before, event) in batch.events.iter().zip(batch.events.iter().skip(1)) {
            if event.position != before.position + 1 || self.fact(&event.event_id).parent.as_ref() != Some(&before.event_id) {
                return Err(format!("the batch from {} has {} after {}", batch.first, event.event_id, before.event_id));
            }
        }
        match batch.events.iter().find(|event| self.fact(&event.event_id).incarnation != batch.incarnation) {
            Some(event) => Err(format!("the batch from {} calls {} one of {}", batch.first, event.event_id, batch.incarnation)),
            None => Ok(()),
        }
    }
}

pub fn wanted(event: &Envelope) -> bool {
    event.r#type == EFFECT
}
