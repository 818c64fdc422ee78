//! The region's workers as candidates, and where cases belong.

use std::collections::{BTreeMap, BTreeSet};

use kernel::{Channel, Profession, Time};
use region::{Organisation, Queue, QueueKind, Region, Worker};

use super::plan::with_siblings;
use crate::domain::eligible::{Candidate, Costs, Load};
use crate::store::presence::Presence;

/// The queues that a worker answers.
pub fn queues_of(region: &Region, worker: &str) -> BTreeSet<String> {
    let Some((organisation, worker)) = region.worker(worker) else { return BTreeSet::new() };
    answered(organisation, worker).map(|queue| queue.id.clone()).collect()
}

fn answered<'r>(organisation: &'r Organisation, worker: &'r Worker) -> impl Iterator<Item = &'r Queue> {
    organisation.queues.iter().filter(|queue| worker.answers(queue))
}

/// A worker with presence and load.
pub fn candidate(organisation: &Organisation, worker: &Worker, presence: Option<&Presence>, load: Load) -> Candidate {
    let languages = if worker.languages.is_empty() { &organisation.languages } else { &worker.languages };
    Candidate {
        worker: worker.id.clone(),
        professions: vec![worker.profession],
        queues: answered(organisation, worker).map(|queue| queue.id.clone()).collect(),
        languages: with_siblings(languages),
        present: presence.is_some_and(|one| one.present),
        practising: presence.is_some_and(|one| one.practising),
        load,
        capacity: presence.map_or(worker.capacity, |one| one.capacity),
        unoccupied_since: presence.map_or(Time::ZERO, |one| one.unoccupied_since),
        met_visitor_before: false,
        emergency_first: false,
    }
}

/// Points in use by worker.
pub fn loads(held: Vec<(String, Channel)>) -> BTreeMap<String, Load> {
    let mut by_worker: BTreeMap<String, Vec<Channel>> = BTreeMap::new();
    for (worker, channel) in held {
        by_worker.entry(worker).or_default().push(channel);
    }
    by_worker.into_iter().map(|(worker, channels)| (worker, Costs::default().load(channels))).collect()
}

/// A queue that Samtal offers from.
pub fn push_queue<'r>(region: &'r Region, id: &str) -> Option<(&'r Organisation, &'r Queue)> {
    region.queue(id).filter(|(_, queue)| queue.kind == QueueKind::Push)
}

/// The queue of a case: the one that a rule named, if it is the organisation's, else the one of the entry point for the
/// profession, else any of the clinic, else any of the organisation. None only if the organisation has no queue here (yet).
pub fn queue_for(
    region: &Region,
    organisation: &str,
    clinic: &str,
    entry_point: &str,
    named: &str,
    profession: Profession,
) -> Option<String> {
    let organisation = region.organisation(organisation)?;
    let named = Some(named).filter(|id| !id.is_empty());
    let by_door = match organisation.entry_point(entry_point) {
        Some(door) => organisation.queue_for(door, named, profession),
        None => named.and_then(|id| organisation.queue(id)),
    };
    let queue = by_door.or_else(|| organisation.queues.iter().find(|queue| queue.clinic == clinic)).or_else(|| organisation.queues.first());
    queue.map(|queue| queue.id.clone())
}

/// Where a case goes on when a colleague takes it who does not answer its queue: a queue of theirs, the profession's first.
pub fn home_of(region: &Region, worker: &str, queue: &str, profession: Profession) -> Option<String> {
    let (organisation, worker) = region.worker(worker)?;
    let own: Vec<&Queue> = answered(organisation, worker).collect();
    if own.iter().any(|one| one.id == queue) {
        return None;
    }
    own.iter().find(|one| one.profession == profession).or_else(|| own.first()).map(|one| one.id.clone())
}
