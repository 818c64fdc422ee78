//! Transfer to another organisation: proposed by a worker, and nothing of it done before the visitor's yes.
//!
//! The yes opens a case there ([`super::arrive`]) and closes this one, in one commit: whatever dies around it, it is done as a whole or
//! not at all, and the same yes again finds it done.

use std::sync::Arc;

use auth::Role;
use kernel::error::Violations;
use kernel::{Error, Id, Language, Result};
use log::{Receipt, Unit};
use proto::intake::{
    AnswerTransferRequest, AnswerTransferResponse, GetTransferRequest, GetTransferResponse, ProposeTransferRequest, SystemCode, Transfer,
    TransferEnded, TransferProposed, WithdrawTransferRequest,
};
use rpc::Caller;

use crate::app::arrive::{self, Arrival, Fitting};
use crate::app::lines::{self, Line};
use crate::app::{App, change, live, post};
use crate::domain::case::{By, Command, decide};
use crate::domain::terms::{Outcome, Sender};
use crate::domain::transfer::{LIFE, State, ends};
use crate::store::cases;
use crate::store::transfers::{self, Stored};

/// Kind of the timer, keyed by the proposal.
pub const EXPIRY: &str = "transfer";
const MAX_TEXT: usize = 4096;
/// What a proposal that leads nowhere does to its case: the same as an answer of the visitor's.
const OUR_TURN: Command = Command::Post(Sender::Visitor);

impl App {
    fn shown(&self, one: &Stored, language: &str) -> Transfer {
        let mut shown = Transfer {
            transfer_id: one.id.to_string(),
            entry_point_id: one.entry_point.clone(),
            text: one.text.clone(),
            proposed_at: Some(proto::timestamp(one.proposed_at)),
            expires_at: Some(proto::timestamp(one.expires_at)),
            ended_at: one.ended_at.map(proto::timestamp),
            ..Transfer::default()
        };
        shown.state = one.state.to_wire();
        let region = self.node.region.get();
        let Some(organisation) = region.organisation(&one.to) else { return shown };
        let language = Language::from_code(language).unwrap_or_else(|| organisation.default_language());
        shown.organisation_name.clone_from(&organisation.name);
        let door = organisation.entry_points.iter().find(|door| door.id == one.entry_point);
        let reason = organisation.catalogue.reasons.iter().find(|reason| reason.id == one.reason);
        shown.entry_point_name = door.map(|door| organisation.text(&door.name, language).to_owned()).unwrap_or_default();
        shown.contact_reason_name = reason.map(|reason| organisation.text(&reason.name, language).to_owned()).unwrap_or_default();
        shown
    }

    pub async fn propose_transfer(&self, caller: Caller, request: ProposeTransferRequest) -> Result<(Transfer, Receipt)> {
        let once = caller.once(&request.request_id, &request)?;
        let mut violations = Violations::default();
        let id = violations.id("case_id", &request.case_id);
        violations.text("entry_point_id", &request.entry_point_id, 64);
        violations.optional_text("contact_reason_id", &request.contact_reason_id, 64);
        violations.text("text", &request.text, MAX_TEXT);
        violations.done()?;
        let transfer = Id::new(self.node.now());
        // Asked before the transaction: nothing inside one may wait for the network.
        let away = !self.node.platform.ephemeral.is_present(&live::visitor_screen(id)).await;
        let app = self.clone();
        self.node
            .commit(id, caller.origin(), move |unit| {
                let (app, caller, once, request) = (app.clone(), caller.clone(), once.clone(), request.clone());
                Box::pin(async move {
                    if let Some(earlier) = unit.earlier_answer::<Transfer>(&once).await? {
                        return Ok(earlier);
                    }
                    let mut case = change::lock(unit, &caller, caller.rpc, id).await?;
                    // It is the visitor's turn now, as after a message.
                    case.life = decide(&case.life, &Command::Post(Sender::Worker), unit.now)?;
                    if transfers::open_of(unit, id).await?.is_some() {
                        return Err(Error::precondition("TRANSFER_OPEN", "another proposal is not answered yet; withdraw it first"));
                    }
                    let fitting = app.goal(&case, &request.entry_point_id, &request.contact_reason_id, &request.text)?;
                    let proposed = Stored {
                        id: transfer,
                        organisation: case.organisation.clone(),
                        case: id,
                        to: fitting.door.organisation()?.id.clone(),
                        entry_point: request.entry_point_id,
                        reason: request.contact_reason_id,
                        text: request.text,
                        worker: caller.principal.id.clone(),
                        state: State::Proposed,
                        proposed_at: unit.now,
                        expires_at: unit.now + LIFE,
                        ended_at: None,
                    };
                    transfers::insert(unit, &proposed).await?;
                    unit.set_timer(EXPIRY, transfer, proposed.expires_at).await?;
                    case.answer_waits |= away;
                    unit.emit(id, &case.scope(), &TransferProposed { transfer_id: transfer.to_string(), visitor_away: away })?;
                    let answer = app.shown(&proposed, &case.language);
                    let params = [
                        ("transfer_id", answer.transfer_id.clone()),
                        ("organisation", answer.organisation_name.clone()),
                        ("entry_point", answer.entry_point_name.clone()),
                    ];
                    lines::say(unit, &app.node, &mut case, Line::new(SystemCode::TransferProposed, params)).await?;
                    unit.audit(id, &case.scope());
                    cases::update(unit, &case).await?;
                    live::case(unit, &app.node, case.to_proto());
                    unit.remember_answer(&once, &id.to_string(), &answer).await?;
                    Ok(answer)
                })
            })
            .await
    }

    /// Whether the door takes this from here.
    fn goal(&self, case: &cases::Stored, entry_point: &str, reason: &str, text: &str) -> Result<Fitting> {
        let fitting = self.fits(entry_point, reason, text, &case.language)?;
        let (organisation, entry_point) = (fitting.door.organisation()?, fitting.door.entry_point()?);
        let mut violations = Violations::default();
        let elsewhere = organisation.id != case.organisation;
        violations.check(elsewhere, "entry_point_id", "is the case's own organisation's; hand the case over instead");
        violations.check(entry_point.practice == case.practice, "entry_point_id", "is for practice, or the case is, and not both");
        violations.done()?;
        Ok(fitting)
    }

    pub async fn withdraw_transfer(&self, caller: Caller, request: WithdrawTransferRequest) -> Result<(Transfer, Receipt)> {
        let (case, transfer) = ids(&request.case_id, &request.transfer_id)?;
        self.end_transfer(caller, case, transfer, State::Withdrawn, None).await
    }

    pub async fn answer_transfer(&self, caller: Caller, request: AnswerTransferRequest) -> Result<(AnswerTransferResponse, Receipt)> {
        let (id, transfer) = ids(&request.case_id, &request.transfer_id)?;
        if !request.agreed {
            let (ended, receipt) = self.end_transfer(caller, id, transfer, State::Declined, None).await?;
            return Ok((AnswerTransferResponse { transfer: Some(ended), continuation: None }, receipt));
        }
        let db = self.node.of(&caller);
        let case = cases::load(&db, id).await?;
        change::check(&caller, caller.rpc, &case)?;
        let found = transfers::load(&db, transfer).await?.filter(|found| found.case == id).ok_or_else(missing)?;
        let (end, arrival) = match found.state {
            State::Proposed => match self.goal(&case, &found.entry_point, &found.reason, &found.text) {
                Ok(fitting) => (State::Agreed, Some(Arc::new(self.arrival(transfer, fitting).await?))),
                // The region's description has changed since: nobody is sent to a door that does not take them.
                Err(error) => {
                    tracing::info!(%error, "a transfer was agreed to and is not possible any more");
                    (State::Failed, None)
                }
            },
            // Answered already: the commit says how.
            _ => (State::Agreed, None),
        };
        let (ended, receipt) = self.end_transfer(caller, id, transfer, end, arrival.clone()).await?;
        if let Some(arrival) = &arrival {
            self.arrived(arrival, &receipt).await;
        }
        let continuation = (ended.state == State::Agreed.to_wire()).then(|| self.continuation(&found));
        Ok((AnswerTransferResponse { transfer: Some(ended), continuation }, receipt))
    }

    /// An end that somebody asks for; with `arrival`, what is agreed is done in the same commit.
    async fn end_transfer(
        &self,
        caller: Caller,
        id: Id,
        transfer: Id,
        end: State,
        arrival: Option<Arc<Arrival>>,
    ) -> Result<(Transfer, Receipt)> {
        let app = self.clone();
        let mut origin = caller.origin();
        origin.organisations.extend(arrival.as_ref().map(|arrival| arrival.organisation().to_owned()));
        self.node
            .commit(id, origin, move |unit| {
                let (app, caller, arrival) = (app.clone(), caller.clone(), arrival.clone());
                Box::pin(async move {
                    // The commit may touch both organisations' rows, this part of it only our own.
                    unit.origin = caller.origin();
                    let mut case = change::lock(unit, &caller, caller.rpc, id).await?;
                    let found = transfers::find(unit, transfer).await?.filter(|found| found.case == id).ok_or_else(missing)?;
                    if !ends(found.state, end, found.expires_at, unit.now)? {
                        return Ok(app.shown(&found, &case.language));
                    }
                    let visitor = caller.role() == Role::Visitor;
                    let after = match end {
                        State::Agreed => Command::Close { by: By::Worker, outcome: Outcome::Transferred },
                        _ => OUR_TURN,
                    };
                    let life = decide(&case.life, &after, unit.now)?;
                    if visitor {
                        post::came_back(unit, &mut case)?;
                    }
                    let worker = found.worker.clone();
                    let ended = over(unit, &app, &mut case, found, end).await?;
                    case.life = life;
                    if let Some(arrival) = &arrival {
                        arrive::write(unit, &app, arrival).await?;
                        change::closed(unit, &app, &mut case, &worker, "transfer").await?;
                    }
                    unit.audit(id, &case.scope());
                    cases::update(unit, &case).await?;
                    live::case(unit, &app.node, case.to_proto());
                    Ok(app.shown(&ended, &case.language))
                })
            })
            .await
    }

    pub async fn transfer(&self, caller: &Caller, request: &GetTransferRequest) -> Result<GetTransferResponse> {
        let id = Id::parse("case_id", &request.case_id)?;
        let case = self.read(caller, id).await?;
        let Some(last) = transfers::last(&self.node.of(caller), id).await? else { return Ok(GetTransferResponse::default()) };
        let theirs = caller.role() == Role::Visitor && last.state == State::Agreed;
        let continuation = theirs.then(|| self.continuation(&last));
        Ok(GetTransferResponse { transfer: Some(self.shown(&last, &case.language)), continuation })
    }
}

fn ids(case: &str, transfer: &str) -> Result<(Id, Id)> {
    let mut violations = Violations::default();
    let ids = (violations.id("case_id", case), violations.id("transfer_id", transfer));
    violations.done()?;
    Ok(ids)
}

fn missing() -> Error {
    Error::not_found("transfer")
}

/// A proposal that was decided to end: its state, its event, its line. The caller writes the case back.
async fn over(unit: &mut Unit<'_>, app: &App, case: &mut cases::Stored, found: Stored, end: State) -> Result<Stored> {
    transfers::end(unit, found.id, end).await?;
    unit.cancel_timer(EXPIRY, found.id).await?;
    let ended = Stored { state: end, ended_at: Some(unit.now), ..found };
    unit.emit(case.id, &case.scope(), &TransferEnded { transfer_id: ended.id.to_string(), state: end.to_wire() })?;
    let shown = app.shown(&ended, &case.language);
    let state = shown.state().as_str_name().trim_start_matches("TRANSFER_STATE_").to_lowercase();
    let line = Line::new(SystemCode::TransferEnded, [("state", state), ("organisation", shown.organisation_name)]);
    lines::say(unit, &app.node, case, line).await?;
    Ok(ended)
}

/// What is still proposed when the case is closed ends with it.
pub async fn taken_back(unit: &mut Unit<'_>, app: &App, case: &mut cases::Stored) -> Result<()> {
    if let Some(open) = transfers::open_of(unit, case.id).await? {
        over(unit, app, case, open, State::Withdrawn).await?;
    }
    Ok(())
}

/// The timer of a proposal: nobody has answered.
pub async fn expired(unit: &mut Unit<'_>, app: &App, transfer: Id) -> Result<()> {
    let Some(seen) = transfers::find(unit, transfer).await? else { return Ok(()) };
    let Some(mut case) = cases::lock(unit, seen.case).await?.filter(|case| case.life.closed_at.is_none()) else { return Ok(()) };
    // Read again now that the case is locked: an answer may have come in between.
    let Some(found) = transfers::find(unit, transfer).await?.filter(|found| found.state == State::Proposed) else { return Ok(()) };
    if !ends(found.state, State::Expired, found.expires_at, unit.now)? {
        return Ok(());
    }
    case.life = decide(&case.life, &OUR_TURN, unit.now)?;
    over(unit, app, &mut case, found, State::Expired).await?;
    unit.audit(case.id, &case.scope());
    cases::update(unit, &case).await?;
    live::case(unit, &app.node, case.to_proto());
    Ok(())
}
