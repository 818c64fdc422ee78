//! How a case comes to wait: by triage's verdict, or without it when the deadline has passed.

use kernel::{Id, Result, Severity};

use super::desk::{Desk, Note};
use super::perform::TRIAGE;
use super::{TRIAGE_DEADLINE, roster};
use crate::domain::case::{Command, State, decide};
use crate::domain::eligible::Needs;
use crate::store::alerts;
use crate::store::cases::CaseRow;
use crate::store::verdicts::{self, Verdict};

impl Desk<'_, '_> {
    /// Triage's verdict, on whatever state the case is in.
    pub async fn triaged(&mut self, row: &mut CaseRow, verdict: &Verdict) -> Result<()> {
        let queue = self.queue_of(row, verdict);
        if queue.is_none() && matches!(row.case.state, State::Pending { .. }) {
            return self.put_off(row, Some(verdict)).await;
        }
        let ahead = !row.case.triaged && matches!(row.case.state, State::Waiting | State::Offered(_));
        let (queue, note) = match queue {
            Some(queue) if ahead => self.belongs(row, queue, verdict).await?,
            queue => (queue, Note::default()),
        };
        let commands = [
            Some(Command::Triaged { severity: verdict.severity, queue, profession: verdict.profession }),
            verdict.lowered.then_some(Command::Lowered { severity: verdict.severity }),
        ];
        let mut decision = crate::domain::case::Decision { case: row.case.clone(), effects: Vec::new() };
        for command in commands.into_iter().flatten() {
            // A closed case is past all triage.
            let Ok(next) = decide(&decision.case, &command, self.unit.now) else { return Ok(()) };
            decision.case = next.case;
            decision.effects.extend(next.effects);
        }
        self.perform(row, decision, note).await
    }

    /// Where a case belongs that went ahead of triage. It goes there only if somebody is there, for its visitor may have been told that
    /// a person is alerted; and that person is alerted in turn.
    async fn belongs(&mut self, row: &CaseRow, queue: String, verdict: &Verdict) -> Result<(Option<String>, Note)> {
        let needs = Needs { queue: queue.clone(), profession: verdict.profession, ..row.case.needs.clone() };
        if needs.queue == row.case.needs.queue {
            return Ok((None, Note::default()));
        }
        let there = self.who_is_there(row, &needs).await?;
        if there.is_empty() {
            return Ok((None, Note::default()));
        }
        let offered = matches!(row.case.state, State::Offered(_));
        for worker in alerts::pass_on(self.unit.tx, row.id, &row.organisation, there, offered, self.unit.now).await? {
            self.ring(&worker);
        }
        Ok((Some(queue), Note { why: "triage named another queue, and somebody is there".to_owned(), ..Note::default() }))
    }

    /// The deadline of triage has passed.
    pub async fn triage_late(&mut self, case: Id) -> Result<()> {
        let Some(mut row) = self.case(case).await? else { return Ok(()) };
        if !matches!(row.case.state, State::Pending { .. }) {
            return Ok(());
        }
        if let Some(verdict) = verdicts::take(self.unit.tx, case).await? {
            return self.triaged(&mut row, &verdict).await;
        }
        if row.case.needs.queue.is_empty() {
            let untriaged =
                Verdict { severity: Severity::Urgent, profession: row.case.needs.profession, queue: String::new(), lowered: false };
            match self.queue_of(&row, &untriaged) {
                Some(queue) => row.case.needs.queue = queue,
                None => return self.put_off(&mut row, None).await,
            }
        }
        let Ok(decision) = decide(&row.case, &Command::TriageLate, self.unit.now) else { return Ok(()) };
        let why = format!(
            "triage did not answer within {} s, so it waits as {} for a person to look at",
            TRIAGE_DEADLINE.as_secs(),
            decision.case.severity
        );
        self.perform(&mut row, decision, Note { why, ..Note::default() }).await
    }

    fn queue_of(&self, row: &CaseRow, verdict: &Verdict) -> Option<String> {
        roster::queue_for(&self.region, &row.organisation, &row.clinic, &row.entry_point, &verdict.queue, verdict.profession)
    }

    /// No queue is known here for this organisation: the region's description has not come yet. Nothing is lost meanwhile.
    async fn put_off(&mut self, row: &mut CaseRow, verdict: Option<&Verdict>) -> Result<()> {
        tracing::warn!(case = %row.id, organisation = row.organisation, "no queue is known for the case; it is tried again");
        if let Some(verdict) = verdict {
            verdicts::keep(self.unit.tx, &row.organisation, row.id, verdict).await?;
        }
        self.unit.set_timer(TRIAGE, row.id, self.unit.now + TRIAGE_DEADLINE).await
    }
}
