//! Matching: whoever waits and whoever has room, brought together inside the transaction that made it possible.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kernel::{Id, Result, Severity};
use region::{Organisation, Queue, QueueKind};

use super::desk::{Desk, Note};
use super::plan::{self, Step, plan};
use super::{NEXT_ROUND, roster};
use crate::domain::case::{Command, Offer};
use crate::domain::eligible::{Candidate, Costs};
use crate::domain::queue::overtaken_by;
use crate::store::cases::{self, CaseRow};
use crate::store::{loads, presence};

/// Names and versions of the rules, kept with each offer.
const RULE: &str = "longest-unoccupied/1";
const EMERGENCY_RULE: &str = "emergency-least-occupied/1";

impl Desk<'_, '_> {
    /// Ends the work at this desk: matches every queue that has come into motion.
    pub async fn settle(mut self) -> Result<()> {
        while !self.dirty.is_empty() {
            let dirty = std::mem::take(&mut self.dirty);
            self.lock_queues(&dirty).await?;
            let region = self.region.clone();
            // Queues of one organisation at a time: no worker answers two.
            let mut by_organisation: BTreeMap<&str, (&Organisation, Vec<&Queue>)> = BTreeMap::new();
            for (organisation, queue) in dirty.iter().filter_map(|id| roster::push_queue(&region, id)) {
                by_organisation.entry(&organisation.id).or_insert_with(|| (organisation, Vec::new())).1.push(queue);
            }
            for (organisation, queues) in by_organisation.into_values() {
                self.match_queues(organisation, &queues).await?;
            }
        }
        Ok(())
    }

    async fn match_queues(&mut self, organisation: &Organisation, queues: &[&Queue]) -> Result<()> {
        let workers: Vec<_> = organisation.workers.iter().filter(|worker| queues.iter().any(|queue| worker.answers(queue))).collect();
        let ids: Vec<&str> = workers.iter().map(|worker| worker.id.as_str()).collect();
        let there = presence::lock(self.unit.tx, &ids).await?;
        let new = std::mem::take(&mut self.queued);
        if new.is_empty() && !there.values().any(|one| one.present) {
            return Ok(());
        }
        let loads = roster::loads(loads::held(self.unit.tx, &ids).await?);
        let candidates: Vec<Candidate> = workers
            .iter()
            .map(|worker| {
                let load = loads.get(&worker.id).copied().unwrap_or_default();
                roster::candidate(organisation, worker, there.get(&worker.id), load)
            })
            .collect();
        // E-mail takes no room from a live case, so a worker is full only if the live cases fill their room; then only an emergency
        // goes to them.
        let room = !new.is_empty() || candidates.iter().any(|one| one.present && one.load.live < one.capacity);
        let names: Vec<&str> = queues.iter().map(|queue| queue.id.as_str()).collect();
        // What else these workers are asked for: an emergency there keeps them from being asked for less here.
        let others = organisation.queues.iter().filter(|queue| queue.kind == QueueKind::Push && !names.contains(&queue.id.as_str()));
        let others: Vec<&str> =
            others.filter(|queue| workers.iter().any(|worker| worker.answers(queue))).map(|queue| queue.id.as_str()).collect();
        let rows = match room {
            true => cases::waiting(self.unit.tx, &names, &others).await?,
            false => cases::waiting(self.unit.tx, &[], &names).await?,
        };
        let limits: BTreeMap<&str, &Queue> = queues.iter().map(|queue| (queue.id.as_str(), *queue)).collect();
        let (here, elsewhere): (Vec<_>, Vec<_>) = rows
            .iter()
            .map(|row| plan::Case {
                waiting: row.waiting(),
                max_overtakes: limits.get(row.case.needs.queue.as_str()).map_or(u32::MAX, |queue| queue.max_overtakes),
                excluded: row.case.excluded.clone(),
                not_before: row.not_before,
                again_at: row.again_at,
            })
            .partition(|case| limits.contains_key(case.waiting.needs.queue.as_str()));
        // Practice overtakes nobody: it has an order, and workers, of its own.
        let (practice, real): (Vec<_>, Vec<_>) = here.into_iter().partition(|case| case.waiting.needs.practice);
        for waiting in [real, practice] {
            let queued = new.iter().filter(|id| waiting.iter().any(|case| case.waiting.case == **id)).copied().collect();
            for step in plan(&waiting, &elsewhere, &candidates, &Costs::default(), self.unit.now, &queued) {
                self.take_step(&limits, step).await?;
            }
        }
        Ok(())
    }

    async fn take_step(&mut self, queues: &BTreeMap<&str, &Queue>, step: Step) -> Result<()> {
        let now = self.unit.now;
        match step {
            Step::Offer { case, worker, started_over, verdicts, overtakes } => {
                let Some(mut row) = cases::lock(self.unit.tx, case).await? else { return Ok(()) };
                let Some(queue) = queues.get(row.case.needs.queue.as_str()) else { return Ok(()) };
                let until = now + Duration::from_secs(u64::from(queue.offer_seconds));
                let again = if started_over { "; everybody who could take it had been asked before, so a new round begins" } else { "" };
                let why = if row.case.severity == Severity::Emergency {
                    format!(
                        "{EMERGENCY_RULE}: an emergency goes to whoever is there, whatever they have on their hands, and first to who has \
                         least; offer_seconds {}{again}",
                        queue.offer_seconds
                    )
                } else {
                    format!(
                        "{RULE}: of those who can take it, unoccupied longest; severity {}, offer_seconds {}, max_overtakes {}{again}",
                        row.case.severity, queue.offer_seconds, queue.max_overtakes
                    )
                };
                let offer = Offer { offer: Id::new(now), worker, until };
                self.count(&mut row, overtakes).await?;
                self.act(&mut row, &Command::OfferTo(offer), Note { why, candidates: verdicts, ..Note::default() }).await
            }
            Step::Pause { case, verdicts } => {
                let Some(mut row) = cases::lock(self.unit.tx, case).await? else { return Ok(()) };
                let at = now + NEXT_ROUND;
                row.again_at = Some(at);
                self.unit.set_timer(super::perform::AGAIN, case, at).await?;
                let why = format!(
                    "everybody who can take it has been asked, and nobody has taken it; they are asked again after {} s",
                    NEXT_ROUND.as_secs()
                );
                self.record(&mut row, "queued", "", why, &Note { candidates: verdicts, ..Note::default() }).await?;
                cases::save(self.unit.tx, &mut row).await
            }
            Step::Wait { case, verdicts } => {
                let Some(mut row) = cases::lock(self.unit.tx, case).await? else { return Ok(()) };
                let why = if row.not_before > now { "it is offered from the clinic's opening on" } else { "nobody can take it now" };
                self.record(&mut row, "queued", "", why.to_owned(), &Note { candidates: verdicts, ..Note::default() }).await?;
                cases::save(self.unit.tx, &mut row).await
            }
        }
    }

    /// Counts those whom this case goes before, once in its life.
    async fn count(&mut self, row: &mut CaseRow, overtakes: Vec<Id>) -> Result<()> {
        if !std::mem::replace(&mut row.counted, true) {
            for id in overtakes {
                cases::overtake(self.unit.tx, id).await?;
            }
        }
        Ok(())
    }

    /// The same for a case that is claimed from a list.
    pub async fn count_claimed(&mut self, row: &mut CaseRow) -> Result<()> {
        let rows = cases::waiting(self.unit.tx, &[row.case.needs.queue.as_str()], &[]).await?;
        let waiting: Vec<_> = rows.iter().filter(|other| other.practice == row.practice).map(CaseRow::waiting).collect();
        let Some(at) = waiting.iter().position(|one| one.case == row.id) else { return Ok(()) };
        let overtakes: BTreeSet<Id> = overtaken_by(&waiting, at).into_iter().filter_map(|at| waiting.get(at)).map(|one| one.case).collect();
        self.count(row, overtakes.into_iter().collect()).await
    }
}
