//! Where one change is worked on inside a transaction: what is locked, what has come into motion, and how it ends.
//!
//! Locks are always taken in this order: queues by id, then the case, then workers by id. A change that frees a worker or
//! makes a case wait marks the queues concerned, and [`Desk::settle`] matches them in the same transaction, so that no
//! worker with room and no case that waits for one are ever committed side by side.

use std::collections::BTreeSet;
use std::sync::Arc;

use kernel::{Error, Id, Result, Time};
use log::Unit;
use region::Region;

use super::bells::Bells;
use super::roster;
use crate::domain::case::{Command, decide};
use crate::domain::eligible::Verdict;
use crate::store::cases::{self, CaseRow};
use crate::store::locks;

/// What cannot be read off a decision's effects.
#[derive(Clone, Debug, Default)]
pub struct Note {
    /// How a worker comes to the case: accepted, claimed, transferred, kept.
    pub how: &'static str,
    /// Why, for `Explain`; a text of the kind of decision if it is empty.
    pub why: String,
    pub candidates: Vec<Verdict>,
    /// The open offer is taken back, rather than declined by its worker.
    pub rescind: bool,
    /// Who decided, if not the worker themselves, and why. It stands with the first decision that is recorded.
    pub by: String,
    pub reason: String,
}

impl Note {
    /// Who and why, without the candidates.
    pub fn person(&mut self) -> Self {
        Self { by: std::mem::take(&mut self.by), reason: std::mem::take(&mut self.reason), ..Self::default() }
    }
}

pub struct Desk<'u, 't> {
    pub unit: &'u mut Unit<'t>,
    pub region: Arc<Region>,
    pub(super) bells: Bells,
    locked: BTreeSet<String>,
    /// Queues in which somebody waits anew or somebody has room anew.
    pub(super) dirty: BTreeSet<String>,
    /// Cases that began to wait here.
    pub(super) queued: BTreeSet<Id>,
}

impl<'u, 't> Desk<'u, 't> {
    pub fn new(unit: &'u mut Unit<'t>, region: Arc<Region>, bells: Bells) -> Self {
        Self { unit, region, bells, locked: BTreeSet::new(), dirty: BTreeSet::new(), queued: BTreeSet::new() }
    }

    pub fn now(&self) -> Time {
        self.unit.now
    }

    /// Locks these queues, in the order of their ids.
    pub async fn lock_queues(&mut self, queues: &BTreeSet<String>) -> Result<()> {
        for queue in queues.iter().filter(|queue| !queue.is_empty()) {
            if !self.locked.contains(queue) {
                locks::lock(self.unit.tx, queue).await?;
                self.locked.insert(queue.clone());
            }
        }
        Ok(())
    }

    /// Locks a case, after its queue and the queues of those who have it or are asked. None if there is none.
    pub async fn case(&mut self, id: Id) -> Result<Option<CaseRow>> {
        let mut seen = cases::peek(self.unit.tx, id).await?;
        // It may change while we wait for the locks; whoever changed it did so under the queue's.
        for _ in 0..3 {
            let Some([queue, holder, offered_to]) = &seen else { return Ok(None) };
            let mut queues = BTreeSet::from([queue.clone()]);
            for worker in [holder, offered_to].into_iter().filter(|worker| !worker.is_empty()) {
                queues.extend(roster::queues_of(&self.region, worker));
            }
            self.lock_queues(&queues).await?;
            let row = cases::lock(self.unit.tx, id).await?;
            let again = row.as_ref().map(CaseRow::motion);
            if again == seen {
                return Ok(row);
            }
            seen = again;
        }
        Err(Error::new(kernel::Code::Aborted, "CONFLICT", "the case is changing all the time; try again"))
    }

    /// The same, for a case that must exist.
    pub async fn the_case(&mut self, id: Id) -> Result<CaseRow> {
        self.case(id).await?.ok_or_else(|| Error::not_found("case"))
    }

    /// Decides, and if the command is not refused, writes what follows.
    pub async fn act(&mut self, row: &mut CaseRow, command: &Command, note: Note) -> Result<()> {
        let decision = decide(&row.case, command, self.unit.now)?;
        self.perform(row, decision, note).await
    }

    /// A queue in which something has come into motion.
    pub fn stir(&mut self, queue: &str) {
        if !queue.is_empty() {
            self.dirty.insert(queue.to_owned());
        }
    }

    /// A worker has room, or has come.
    pub fn stir_worker(&mut self, worker: &str) {
        self.dirty.extend(roster::queues_of(&self.region, worker));
    }
}
