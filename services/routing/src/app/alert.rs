//! Signs of danger: whoever is there is told at once, and the case goes ahead of its queue, also past triage and past the opening
//! for which a left message waits.
//!
//! An alert is a row, like an offer: a worker who looks sees it, and bells only say when to look. Nobody is said to be alerted
//! for whom there is no row.

use std::collections::BTreeSet;

use kernel::{Result, Severity};

use super::desk::{Desk, Note};
use super::plan::reachable;
use super::roster;
use crate::domain::case::{Command, State};
use crate::domain::eligible::{Candidate, Costs, Load, Needs, Reason, Wanted, verdict};
use crate::store::cases::CaseRow;
use crate::store::{alerts, presence};

impl Desk<'_, '_> {
    /// Alerts those who are there and have the case or could take it; answers whether there is anybody. Without anybody the case
    /// stays as it is: triage raises it in its own time.
    pub async fn alert(&mut self, row: &mut CaseRow, severity: Severity) -> Result<bool> {
        let there = self.who_is_there(row, &row.case.needs).await?;
        if there.is_empty() {
            return Ok(false);
        }
        let now = self.unit.now;
        row.not_before = row.not_before.min(now);
        // Whoever turned it down is asked again, now.
        row.again_at = Some(now);
        let why = format!("signs of danger in what the visitor wrote or answered; told to {}", there.join(", "));
        self.record(row, "alerted", "", why, &Note::default()).await?;
        let note = Note { why: "a sign of danger".to_owned(), ..Note::default() };
        self.act(row, &Command::Alert { severity }, note).await?;
        self.stir(&row.case.needs.queue.clone());
        for worker in &there {
            alerts::raise(self.unit.tx, row.id, &row.organisation, worker, severity, now).await?;
            self.ring(worker);
        }
        Ok(true)
    }

    /// The one who has the case, or those who could take it with these needs if they had room; present ones only.
    pub async fn who_is_there(&mut self, row: &CaseRow, needs: &Needs) -> Result<Vec<String>> {
        let region = self.region.clone();
        let Some(organisation) = region.organisation(&row.organisation) else { return Ok(Vec::new()) };
        let holder = match &row.case.state {
            State::Done => return Ok(Vec::new()),
            State::Assigned { worker, .. } => Some(worker.as_str()),
            State::Pending { .. } | State::Waiting | State::Offered(_) => None,
        };
        let asked: Vec<_> = match (holder, region.queue(&needs.queue)) {
            (Some(holder), _) => organisation.workers.iter().filter(|worker| worker.id == holder).collect(),
            (None, Some((_, queue))) => organisation.workers.iter().filter(|worker| worker.answers(queue)).collect(),
            // No queue is known yet.
            (None, None) => return Ok(Vec::new()),
        };
        let ids: Vec<&str> = asked.iter().map(|worker| worker.id.as_str()).collect();
        let mut presences = presence::lock(self.unit.tx, &ids).await?;
        // A timer may be late; who has not said so again is not there.
        presences.retain(|_, one| one.present && one.expires_at > self.unit.now);
        let candidates: Vec<Candidate> =
            asked.iter().map(|worker| roster::candidate(organisation, worker, presences.get(&worker.id), Load::default())).collect();
        let needs = reachable(needs, &candidates);
        // Room is asked of nobody: what they have on their hands does not matter here.
        let none = BTreeSet::new();
        let case = Wanted { needs: &needs, severity: Severity::Emergency, excluded: &none };
        let fits = |candidate: &&Candidate| match holder {
            Some(_) => candidate.present,
            None => verdict(case, candidate, &Costs::default()) == Reason::Eligible,
        };
        Ok(candidates.iter().filter(fits).map(|candidate| candidate.worker.clone()).collect())
    }
}
