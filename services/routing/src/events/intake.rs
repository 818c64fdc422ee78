//! Cases as intake tells of them.

use futures::future::BoxFuture;
use kernel::{Channel, Id, Language, Profession, Result, Severity};
use log::{Handler, Scope, Unit};
use proto::Event;
use proto::intake::{CaseClosed, CaseErased, CaseMode, CaseModeChanged, CaseOpened, CaseReopened, Outcome};
use proto::log::Envelope;

use super::{broken, case_of};
use crate::app::desk::{Desk, Note};
use crate::app::perform::{AGAIN, OFFER, OPENS, TRIAGE};
use crate::app::{Desks, TRIAGE_DEADLINE, roster};
use crate::domain::case::{Case, Command, Decision, Effect, State, decide};
use crate::domain::eligible::Needs;
use crate::store::cases::{self, CaseRow, points_as};
use crate::store::verdicts;

pub struct Intake(pub Desks);

impl Handler for Intake {
    fn source(&self) -> &'static str {
        "intake"
    }

    fn wants(&self, event: &Envelope) -> bool {
        [CaseOpened::TYPE, CaseClosed::TYPE, CaseReopened::TYPE, CaseModeChanged::TYPE, CaseErased::TYPE].contains(&event.r#type.as_str())
    }

    fn apply<'a>(&'a self, unit: &'a mut Unit<'_>, event: &'a Envelope) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let case = case_of(event)?;
            let mut desk = self.0.open(unit);
            if event.r#type == CaseErased::TYPE {
                desk.erased(case).await?;
            } else if event.erased {
                // A tombstone says nothing any more, and the erasure itself follows.
            } else if let Some(opened) = event.event::<CaseOpened>().map_err(broken)? {
                desk.opened(case, event, &opened).await?;
            } else if let Some(closed) = event.event::<CaseClosed>().map_err(broken)? {
                desk.closed(case, &closed).await?;
            } else if let Some(reopened) = event.event::<CaseReopened>().map_err(broken)? {
                desk.reopened(case, reopened.mode() == CaseMode::Asynchronous).await?;
            } else if let Some(changed) = event.event::<CaseModeChanged>().map_err(broken)? {
                desk.mode_changed(case, changed.mode() == CaseMode::Asynchronous).await?;
            }
            desk.settle().await
        })
    }
}

impl Desk<'_, '_> {
    async fn opened(&mut self, id: Id, event: &Envelope, opened: &CaseOpened) -> Result<()> {
        if cases::peek(self.unit.tx, id).await?.is_some() {
            return Ok(());
        }
        verdicts::meet(self.unit.tx, &event.organisation_id, id).await?;
        let now = self.now();
        let channel = opened.channel().known().unwrap_or(Channel::Chat);
        let asynchronous = opened.mode() == CaseMode::Asynchronous;
        let (organisation, clinic, door) = (&event.organisation_id, &event.clinic_id, &opened.entry_point_id);
        let queue = roster::queue_for(&self.region, organisation, clinic, door, "", Profession::Any).unwrap_or_default();
        let needs = Needs {
            queue,
            channel: points_as(channel, asynchronous),
            profession: Profession::Any,
            language: Language::from_code(&opened.language),
            practice: event.practice,
        };
        let since = proto::from_timestamp("occurred_at", event.occurred_at.as_ref())?.unwrap_or(now).min(now);
        let deadline = now + TRIAGE_DEADLINE;
        // The mildest, so that triage's verdict, which can only raise it, holds as it is.
        let case = Case::opened(needs, Severity::Admin, since, deadline);
        let scope = Scope { organisation: organisation.clone(), clinic: clinic.clone(), practice: event.practice };
        let mut row = cases::new(id, scope, door.clone(), opened.visitor_id.clone(), asynchronous, channel, case);
        let opens_at = proto::from_timestamp("opens_at", opened.opens_at.as_ref())?.filter(|at| opened.left_message && *at > now);
        if let Some(opens_at) = opens_at {
            row.not_before = opens_at;
            self.unit.set_timer(OPENS, id, opens_at).await?;
        }
        let queues = std::collections::BTreeSet::from([row.case.needs.queue.clone()]);
        self.lock_queues(&queues).await?;
        cases::insert(self.unit.tx, &row).await?;
        if opened.keep && !opened.opened_by_worker_id.is_empty() {
            self.keep(&mut row, &opened.opened_by_worker_id, "the worker who opened the case keeps it").await?;
        }
        match verdicts::take(self.unit.tx, id).await? {
            Some(verdict) => self.triaged(&mut row, &verdict).await,
            None if matches!(row.case.state, State::Pending { .. }) => self.unit.set_timer(TRIAGE, id, deadline).await,
            None => Ok(()),
        }
    }

    /// Assigns a case at once; it never waits.
    async fn keep(&mut self, row: &mut CaseRow, worker: &str, why: &str) -> Result<()> {
        let mut case = row.case.clone();
        case.state = State::Assigned { worker: worker.to_owned(), since: self.now(), handover: None, turned_down: None };
        let decision = Decision { case, effects: vec![Effect::Assigned { worker: worker.to_owned() }] };
        self.perform(row, decision, Note { how: "kept", why: why.to_owned(), ..Note::default() }).await
    }

    async fn closed(&mut self, id: Id, closed: &CaseClosed) -> Result<()> {
        let Some(mut row) = self.case(id).await? else { return Ok(()) };
        if row.case.state == State::Done {
            return Ok(());
        }
        let abandoned = closed.outcome() == Outcome::Abandoned && row.case.holder().is_none();
        let command = if abandoned { Command::Abandon } else { Command::Close };
        self.act(&mut row, &command, Note::default()).await
    }

    /// A fresh case under the same id: back to whom had it if the visitor does not wait at a screen, else into the queue.
    async fn reopened(&mut self, id: Id, asynchronous: bool) -> Result<()> {
        let Some(mut row) = self.case(id).await? else { return Ok(()) };
        if row.case.state != State::Done {
            return Ok(());
        }
        let now = self.now();
        row.asynchronous = asynchronous;
        row.counted = false;
        row.again_at = None;
        cases::reset_overtaken(self.unit.tx, id).await?;
        let needs = Needs { channel: points_as(row.channel, asynchronous), ..row.case.needs.clone() };
        row.case = Case { triaged: row.case.triaged, ..Case::opened(needs, row.case.severity, now, now) };
        let former = row.last_holder.clone();
        if asynchronous && self.region.worker(&former).is_some_and(|(organisation, _)| organisation.id == row.organisation) {
            return self.keep(&mut row, &former, "the case was opened again and goes back to the worker who had it").await;
        }
        if row.case.needs.queue.is_empty() {
            cases::save(self.unit.tx, &mut row).await?;
            return self.unit.set_timer(TRIAGE, id, now).await;
        }
        let case = Case { state: State::Waiting, ..row.case.clone() };
        let note = Note { why: "the case was opened again".to_owned(), ..Note::default() };
        self.perform(&mut row, Decision { case, effects: vec![Effect::Queued] }, note).await
    }

    /// Who has the case keeps it; what it costs them changes.
    async fn mode_changed(&mut self, id: Id, asynchronous: bool) -> Result<()> {
        let Some(mut row) = self.case(id).await? else { return Ok(()) };
        if row.asynchronous == asynchronous || row.case.state == State::Done {
            return Ok(());
        }
        row.asynchronous = asynchronous;
        row.case.needs.channel = points_as(row.channel, asynchronous);
        cases::save(self.unit.tx, &mut row).await?;
        if let Some(holder) = row.case.holder() {
            self.stir_worker(holder);
        }
        self.stir(&row.case.needs.queue);
        Ok(())
    }

    async fn erased(&mut self, id: Id) -> Result<()> {
        if let Some(mut row) = self.case(id).await? {
            // Intake erases closed cases only; should one be open all the same, its worker must not be left waiting.
            if let Ok(decision) = decide(&row.case, &Command::Close, self.unit.now) {
                if let Some(open) = row.case.offer() {
                    self.unit.cancel_timer(OFFER, open.offer).await?;
                }
                self.perform(&mut row, decision, Note::default()).await?;
            }
        }
        for kind in [TRIAGE, OPENS, AGAIN] {
            self.unit.cancel_timer(kind, id).await?;
        }
        cases::erase(self.unit.tx, id).await?;
        self.unit.erase_key(id).await
    }
}
