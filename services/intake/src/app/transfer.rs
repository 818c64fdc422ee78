//! Transfer to another organisation: proposed by a worker, and nothing of it done before the visitor's yes.
//!
//! What is agreed is carried out in two commits, each of one organisation's rows alone: first a case is opened at the other one, then
//! this one is closed. Both may be repeated, so whatever dies between them, the next sweep goes on. Which case it is there follows from
//! the proposal's id and the installation's secret; it stands in no row, so neither organisation can tell it from its own.

use std::sync::Arc;
use std::time::Duration;

use auth::Role;
use kernel::error::{Code, Violations};
use kernel::{Error, Id, Language, Result};
use log::{Origin, Receipt, Unit};
use proto::intake::{
    AnswerTransferRequest, Continuation, GetTransferRequest, GetTransferResponse, OpenCaseRequest, ProposeTransferRequest, SystemCode,
    Transfer, TransferAnswered, TransferProposed, TransferState, WithdrawTransferRequest,
};
use region::{Anonymity, Region};
use rpc::Caller;
use tokio::sync::Notify;

use crate::app::doors::Door;
use crate::app::lines::{self, Line};
use crate::app::{App, change, live, tokens};
use crate::domain::case::{By, Command, decide};
use crate::domain::terms::{Outcome, Sender, State};
use crate::store::cases;
use crate::store::transfers::{self, Stored};

/// How often agreed ones are looked for without anybody saying so.
const LOOK: Duration = Duration::from_secs(5);
const MAX_TEXT: usize = 4096;

/// Wakes the sweep. Cheap to clone.
#[derive(Clone, Default)]
pub struct Transfers {
    agreed: Arc<Notify>,
}

/// Where a visitor goes on: ids that nobody can work out without the secret.
struct There {
    case: Id,
    visitor: Id,
}

impl App {
    fn there(&self, transfer: Id) -> There {
        let derived = |what: &str| Id::derived(&[what.as_bytes(), &self.node.platform.secret.derive(what, &[&transfer.to_string()])]);
        There { case: derived("transferred case"), visitor: derived("transferred visitor") }
    }

    fn wire(&self, transfer: &Stored, language: &str) -> Transfer {
        let (organisation_name, entry_point_name) = names(&self.node.region.get(), &transfer.entry_point, language);
        Transfer {
            transfer_id: transfer.id.to_string(),
            entry_point_id: transfer.entry_point.clone(),
            entry_point_name,
            organisation_name,
            text: transfer.text.clone(),
            state: transfer.state.into(),
            proposed_at: Some(proto::timestamp(transfer.proposed_at)),
            answered_at: transfer.answered_at.map(proto::timestamp),
        }
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
        let app = self.clone();
        self.node
            .commit(id, caller.origin(), move |unit| {
                let (app, caller, once, request) = (app.clone(), caller.clone(), once.clone(), request.clone());
                Box::pin(async move {
                    if let Some(earlier) = unit.earlier_answer::<Transfer>(&once).await? {
                        return Ok(earlier);
                    }
                    let mut case = change::lock(unit, &caller, caller.rpc, id).await?;
                    decide(&case.life, &Command::Post(Sender::System), unit.now)?;
                    let region = app.node.region.get();
                    fits(&region, &case, &request)?;
                    if !transfers::of_case(unit, id, TransferState::Agreed).await?.is_empty() {
                        return Err(over());
                    }
                    for earlier in transfers::of_case(unit, id, TransferState::Proposed).await? {
                        end(unit, &app, &mut case, earlier, TransferState::Withdrawn).await?;
                    }
                    let proposed = Stored {
                        id: transfer,
                        organisation: case.organisation.clone(),
                        case: id,
                        entry_point: request.entry_point_id,
                        reason: request.contact_reason_id,
                        text: request.text,
                        worker: caller.principal.id.clone(),
                        state: TransferState::Proposed,
                        proposed_at: unit.now,
                        answered_at: None,
                    };
                    transfers::insert(unit, &proposed).await?;
                    unit.emit(id, &case.scope(), &TransferProposed { transfer_id: transfer.to_string() })?;
                    let (organisation, entry_point) = names(&region, &proposed.entry_point, &case.language);
                    let params = [("transfer_id", transfer.to_string()), ("organisation", organisation), ("entry_point", entry_point)];
                    lines::say(unit, &app.node, &mut case, Line::new(SystemCode::TransferProposed, params)).await?;
                    unit.audit(id, &case.scope());
                    cases::update(unit, &case).await?;
                    let answer = app.wire(&proposed, &case.language);
                    unit.remember_answer(&once, &id.to_string(), &answer).await?;
                    Ok(answer)
                })
            })
            .await
    }

    pub async fn withdraw_transfer(&self, caller: Caller, request: WithdrawTransferRequest) -> Result<(Transfer, Receipt)> {
        self.end_transfer(caller, &request.case_id, &request.transfer_id, TransferState::Withdrawn).await
    }

    /// The visitor's yes or no, in the same commit with its event and its audit row.
    pub async fn answer_transfer(&self, caller: Caller, request: AnswerTransferRequest) -> Result<(Transfer, Receipt)> {
        let state = if request.agreed { TransferState::Agreed } else { TransferState::Declined };
        self.end_transfer(caller, &request.case_id, &request.transfer_id, state).await
    }

    async fn end_transfer(&self, caller: Caller, case: &str, transfer: &str, state: TransferState) -> Result<(Transfer, Receipt)> {
        let mut violations = Violations::default();
        let (id, transfer) = (violations.id("case_id", case), violations.id("transfer_id", transfer));
        violations.done()?;
        let app = self.clone();
        self.node
            .commit(id, caller.origin(), move |unit| {
                let (app, caller) = (app.clone(), caller.clone());
                Box::pin(async move {
                    let mut case = change::lock(unit, &caller, caller.rpc, id).await?;
                    let found = transfers::lock(unit, transfer).await?.filter(|found| found.case == id);
                    let found = found.ok_or_else(|| Error::not_found("transfer"))?;
                    let again = found.state == state || (state == TransferState::Agreed && found.state == TransferState::Done);
                    if again {
                        return Ok(app.wire(&found, &case.language));
                    }
                    if found.state != TransferState::Proposed {
                        return Err(over());
                    }
                    decide(&case.life, &Command::Post(Sender::System), unit.now)?;
                    let ended = end(unit, &app, &mut case, transfer, state).await?;
                    unit.audit(id, &case.scope());
                    cases::update(unit, &case).await?;
                    let agreed = app.transfers.agreed.clone();
                    unit.after_commit(move || agreed.notify_one());
                    Ok(app.wire(&ended, &case.language))
                })
            })
            .await
    }

    pub async fn transfer(&self, caller: &Caller, request: &GetTransferRequest) -> Result<GetTransferResponse> {
        let id = Id::parse("case_id", &request.case_id)?;
        let case = self.read(caller, id).await?;
        let Some(last) = transfers::last(&self.node.of(caller), id).await? else { return Ok(GetTransferResponse::default()) };
        let visitors = caller.role() == Role::Visitor && last.state == TransferState::Done;
        let continuation = if visitors { self.continuation(&last) } else { None };
        Ok(GetTransferResponse { transfer: Some(self.wire(&last, &case.language)), continuation })
    }

    /// The same token and phrase that the opening made: both follow from the secret.
    fn continuation(&self, transfer: &Stored) -> Option<Continuation> {
        let There { case, visitor } = self.there(transfer.id);
        let secret = &self.node.platform.secret;
        let region = self.node.region.get();
        let (organisation, _) = region.entry_point(&transfer.entry_point)?;
        let token = tokens::visitor_token(secret, &organisation.id, visitor, &case.to_string(), self.node.now());
        Some(Continuation { case_id: case.to_string(), visitor_token: token.token, return_phrase: tokens::phrase(secret, case).0 })
    }
}

fn over() -> Error {
    Error::precondition("TRANSFER_OVER", "the proposal is answered or taken back already")
}

/// The other organisation's name and its door's.
fn names(region: &Region, entry_point: &str, language: &str) -> (String, String) {
    let Some((organisation, door)) = region.entry_point(entry_point) else { return Default::default() };
    let language = Language::from_code(language).unwrap_or_else(|| organisation.default_language());
    (organisation.name.clone(), organisation.text(&door.name, language).to_owned())
}

/// Whether the door takes somebody from here.
fn fits(region: &Arc<Region>, case: &cases::Stored, request: &ProposeTransferRequest) -> Result<()> {
    let door = Door::find(region.clone(), &request.entry_point_id)?;
    let (organisation, entry_point) = (door.organisation()?, door.entry_point()?);
    let mut violations = Violations::default();
    violations.check(organisation.id != case.organisation, "entry_point_id", "is the case's own organisation's; hand the case over instead");
    violations.check(entry_point.practice == case.practice, "entry_point_id", "is for practice, or the case is, and not both");
    violations.check(entry_point.anonymity != Anonymity::Identified, "entry_point_id", "asks visitors to sign in, and nobody can vouch for this one");
    let reasons = organisation.reasons_at(entry_point);
    let known = if request.contact_reason_id.is_empty() { reasons.is_empty() } else { reasons.iter().any(|one| one.id == request.contact_reason_id) };
    violations.check(known, "contact_reason_id", "is not one of that entry point's; see GetEntryPoint");
    violations.done()
}

/// A proposal is answered or over: its state, its event, its line. The caller writes the case back.
async fn end(unit: &mut Unit<'_>, app: &App, case: &mut cases::Stored, transfer: Id, state: TransferState) -> Result<Stored> {
    let found = transfers::lock(unit, transfer).await?.ok_or_else(|| Error::not_found("transfer"))?;
    let ended = Stored { state, answered_at: Some(unit.now), ..found };
    transfers::set_state(unit, &ended).await?;
    unit.emit(case.id, &case.scope(), &TransferAnswered { transfer_id: transfer.to_string(), state: state.into() })?;
    let (organisation, _) = names(&app.node.region.get(), &ended.entry_point, &case.language);
    let answer = state.as_str_name().trim_start_matches("TRANSFER_STATE_").to_lowercase();
    let line = Line::new(SystemCode::TransferAnswered, [("answer", answer), ("organisation", organisation)]);
    lines::say(unit, &app.node, case, line).await?;
    Ok(ended)
}

pub async fn sweep(app: App) {
    loop {
        tokio::select! {
            () = app.transfers.agreed.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
            () = app.node.platform.shutdown.cancelled() => return,
        }
        if let Err(error) = sweep_once(&app).await {
            tracing::warn!(%error, "agreed transfers wait");
        }
    }
}

async fn sweep_once(app: &App) -> Result<()> {
    const SOME: i64 = 100;
    for (id, organisation) in transfers::agreed(&app.node.log.machinery(), SOME).await? {
        // One that cannot be carried out now keeps nobody else waiting.
        if let Err(error) = carry_out(app, id, &organisation).await {
            tracing::warn!(%error, "an agreed transfer waits");
        }
    }
    Ok(())
}

fn origin() -> Origin {
    Origin::system("transfer")
}

async fn carry_out(app: &App, id: Id, organisation: &str) -> Result<()> {
    let Some(transfer) = transfers::load(&app.node.db().of(organisation), id).await? else { return Ok(()) };
    let case = cases::load(&app.node.db().of(organisation), transfer.case).await?;
    let opened = open_there(app, &transfer, &case).await;
    let state = match opened {
        Ok(()) => TransferState::Done,
        // The description has changed since the visitor's yes: nobody is sent to a door that does not take them.
        Err(error) if matches!(error.code, Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition) => TransferState::Failed,
        Err(error) => return Err(error),
    };
    close_here(app, transfer, state).await
}

/// The other organisation's commit: a case as any visitor would open it, whose first words are what was agreed on.
async fn open_there(app: &App, transfer: &Stored, case: &cases::Stored) -> Result<()> {
    let region = app.node.region.get();
    let door = Door::find(region.clone(), &transfer.entry_point)?;
    let (organisation, entry_point) = (door.organisation()?, door.entry_point()?);
    let answered = organisation.languages_at(entry_point);
    let language = Language::from_code(&case.language).filter(|language| answered.contains(language)).unwrap_or_else(|| organisation.default_language());
    let whom = entry_point.for_whom.iter().map(|one| crate::app::doors::for_whom(*one)).find(|one| *one == case.for_whom);
    let request = OpenCaseRequest {
        entry_point_id: transfer.entry_point.clone(),
        contact_reason_id: transfer.reason.clone(),
        text: transfer.text.clone(),
        language: language.code().to_owned(),
        for_whom: whom.unwrap_or_default().into(),
        leave_message: true,
        ..OpenCaseRequest::default()
    };
    let from = region.organisation(&case.organisation).map(|one| one.name.clone()).unwrap_or_default();
    let There { case, visitor } = app.there(transfer.id);
    let line = Line::new(SystemCode::TransferReceived, [("organisation", from)]);
    app.open_settled(origin(), request, (case, visitor), line).await
}

/// Our own commit: the case ends, and the proposal with it.
async fn close_here(app: &App, transfer: Stored, state: TransferState) -> Result<()> {
    let (done, id) = (app.clone(), transfer.case);
    let organisation = transfer.organisation.clone();
    app.node
        .commit(id, origin().of(&organisation), move |unit| {
            let (app, transfer) = (done.clone(), transfer.id);
            Box::pin(async move {
                let Some(mut case) = cases::lock(unit, id).await? else { return Ok(()) };
                let Some(found) = transfers::lock(unit, transfer).await?.filter(|found| found.state == TransferState::Agreed) else {
                    return Ok(());
                };
                if state == TransferState::Failed {
                    end(unit, &app, &mut case, transfer, state).await?;
                } else {
                    transfers::set_state(unit, &Stored { state, ..found.clone() }).await?;
                    // A worker may have closed it meanwhile; then it stays as they said.
                    if case.life.state != State::Closed && !case.erased {
                        let command = Command::Close { by: By::Worker, outcome: Outcome::Transferred };
                        case.life = decide(&case.life, &command, unit.now)?;
                        change::closed(unit, &app, &mut case, &found.worker, "transfer").await?;
                    }
                }
                unit.audit(id, &case.scope());
                cases::update(unit, &case).await?;
                live::case(unit, &app.node, case.to_proto());
                Ok(())
            })
        })
        .await?;
    Ok(())
}
