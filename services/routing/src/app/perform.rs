//! Effects of a decision as rows, events, timers and bells.

use kernel::{Id, Result};
use proto::routing as wire;

use super::desk::{Desk, Note};
use crate::domain::case::{Decision, Effect, Ended, Offer, State, Unassigned};
use crate::store::cases::{self, CaseRow};
use crate::store::{alerts, decisions, offers, presence};

/// Kinds of timers.
pub const TRIAGE: &str = "triage";
pub const OFFER: &str = "offer";
pub const OPENS: &str = "opens";
pub const AGAIN: &str = "again";

impl Desk<'_, '_> {
    /// Writes what a decision brings about, and the case.
    pub async fn perform(&mut self, row: &mut CaseRow, decision: Decision, mut note: Note) -> Result<()> {
        let was_pending = matches!(row.case.state, State::Pending { .. });
        row.case = decision.case;
        if let Some((_, queue)) = self.region.queue(&row.case.needs.queue) {
            row.clinic.clone_from(&queue.clinic);
        }
        let queues_again = decision.effects.contains(&Effect::Queued);
        for effect in decision.effects {
            match effect {
                Effect::Queued => self.queued(row, &mut note).await?,
                Effect::SeverityChanged { from, to } => {
                    // Who is told of the queueing is told of the severity with it.
                    if !was_pending && !queues_again && row.case.state != State::Done {
                        self.stir(&row.case.needs.queue.clone());
                        let who = if note.why.is_empty() { "triage" } else { note.why.as_str() };
                        self.record(row, "severity", "", format!("{who} changed the severity from {from} to {to}"), &Note::default())
                            .await?;
                    }
                }
                Effect::Offered(offer) => self.offered(row, &offer, &mut note).await?,
                Effect::OfferEnded { offer, worker, how } => self.offer_ended(row, offer, &worker, how, &note).await?,
                Effect::Assigned { worker } => self.assigned(row, &worker, &mut note).await?,
                Effect::Unassigned { worker, how } => self.unassigned(row, &worker, how, &mut note).await?,
                Effect::Done { abandoned } => {
                    alerts::end(self.unit.tx, row.id).await?;
                    for kind in [TRIAGE, OPENS, AGAIN] {
                        self.unit.cancel_timer(kind, row.id).await?;
                    }
                    let why = if abandoned { "the visitor left while waiting" } else { "the case was closed" };
                    self.record(row, "closed", "", why.to_owned(), &Note::default()).await?;
                }
            }
        }
        if was_pending && !matches!(row.case.state, State::Pending { .. }) {
            self.unit.cancel_timer(TRIAGE, row.id).await?;
        }
        cases::save(self.unit.tx, row).await
    }

    async fn queued(&mut self, row: &mut CaseRow, note: &mut Note) -> Result<()> {
        let event = wire::CaseQueued {
            queue_id: row.case.needs.queue.clone(),
            severity: proto::intake::Severity::from(row.case.severity).into(),
            waiting_since: Some(proto::timestamp(row.case.since)),
        };
        self.unit.emit(row.id, &row.scope(), &event)?;
        self.stir(&row.case.needs.queue.clone());
        self.queued.insert(row.id);
        let why = if note.why.is_empty() {
            format!("waits as {} for {}, at its place since it came", row.case.severity, row.case.needs.profession)
        } else {
            note.why.clone()
        };
        self.record(row, "queued", "", why, &note.person()).await
    }

    async fn offered(&mut self, row: &mut CaseRow, offer: &Offer, note: &mut Note) -> Result<()> {
        offers::insert(self.unit.tx, row, offer, self.unit.now).await?;
        self.unit.set_timer(OFFER, offer.offer, offer.until).await?;
        let event = wire::CaseOffered {
            offer_id: offer.offer.to_string(),
            worker_id: offer.worker.clone(),
            expires_at: Some(proto::timestamp(offer.until)),
        };
        self.unit.emit(row.id, &row.scope(), &event)?;
        row.again_at = None;
        self.record(row, "offered", &offer.worker, note.why.clone(), note).await?;
        note.person();
        self.ring(&offer.worker);
        Ok(())
    }

    async fn offer_ended(&mut self, row: &mut CaseRow, offer: Id, worker: &str, how: Ended, note: &Note) -> Result<()> {
        let since = offers::end(self.unit.tx, offer, self.unit.now).await?;
        self.unit.cancel_timer(OFFER, offer).await?;
        let (kind, why) = match how {
            Ended::Declined if note.rescind => ("rescinded", "the worker is not there any more"),
            Ended::Rescinded => ("rescinded", "the case went elsewhere"),
            Ended::Declined => ("declined", "the worker turned the offer down"),
            Ended::TimedOut => ("timed_out", "the worker did not answer in time"),
            Ended::Accepted => ("", ""),
        };
        if let Some(stood) = since.map(|since| self.unit.now.since(since)).filter(|_| !row.practice) {
            self.unit.after_commit(move || telemetry::metrics::offer(if kind.is_empty() { "accepted" } else { kind }, stood));
        }
        if !kind.is_empty() {
            let event = wire::OfferEnded { offer_id: offer.to_string(), worker_id: worker.to_owned(), why: kind.to_owned() };
            self.unit.emit(row.id, &row.scope(), &event)?;
            self.record(row, kind, worker, why.to_owned(), &Note::default()).await?;
            self.stir_worker(worker);
            // Whoever wanted to hand it over waits for the answer.
            if let Some(holder) = row.case.holder() {
                self.ring(holder);
            }
        }
        self.ring(worker);
        Ok(())
    }

    async fn assigned(&mut self, row: &mut CaseRow, worker: &str, note: &mut Note) -> Result<()> {
        offers::assign(self.unit.tx, row, worker, self.unit.now).await?;
        alerts::end(self.unit.tx, row.id).await?;
        worker.clone_into(&mut row.last_holder);
        row.again_at = None;
        let queue_id = if note.how == "kept" { String::new() } else { row.case.needs.queue.clone() };
        if note.how != "kept" && !row.practice {
            let (severity, wait) = (row.case.severity.code(), self.unit.now.since(row.case.since));
            self.unit.after_commit(move || telemetry::metrics::waited(severity, wait));
        }
        let event = wire::CaseAssigned { worker_id: worker.to_owned(), how: note.how.to_owned(), queue_id };
        self.unit.emit(row.id, &row.scope(), &event)?;
        self.record(row, note.how, worker, note.why.clone(), note).await
    }

    async fn unassigned(&mut self, row: &mut CaseRow, worker: &str, how: Unassigned, note: &mut Note) -> Result<()> {
        offers::unassign(self.unit.tx, row, self.unit.now).await?;
        alerts::end(self.unit.tx, row.id).await?;
        presence::unoccupied(self.unit.tx, worker, self.unit.now).await?;
        self.stir_worker(worker);
        if how == Unassigned::Released {
            self.unit.emit(row.id, &row.scope(), &wire::CaseReleased { worker_id: worker.to_owned() })?;
            self.record(row, "released", worker, note.why.clone(), &note.person()).await?;
        }
        Ok(())
    }

    /// Keeps a decision for `Explain`.
    pub async fn record(&mut self, row: &mut CaseRow, kind: &str, worker: &str, why: String, note: &Note) -> Result<()> {
        // Pages say it in four languages: what is new here needs a code there.
        debug_assert!(why.is_empty() || crate::domain::why::code(&why).is_some(), "no code for: {why}");
        let decision = decisions::Decision {
            at: self.unit.now,
            kind: kind.to_owned(),
            worker: worker.to_owned(),
            queue: row.case.needs.queue.clone(),
            why,
            candidates: note.candidates.clone(),
            by: note.by.clone(),
            reason: note.reason.clone(),
        };
        decisions::add(self.unit.tx, row, &decision).await
    }

    pub(super) fn ring(&mut self, worker: &str) {
        let (bells, worker) = (self.bells.clone(), worker.to_owned());
        self.unit.after_commit(move || bells.ring(&worker));
    }
}
