//! CaseService: each RPC checks its fields and hands over to `app`.

use std::time::Duration;

use kernel::error::{Code, Violations};
use kernel::{Error, Id, Result};
use proto::intake::case_service_server::CaseService;
use proto::intake::{
    CloseCaseRequest, CloseCaseResponse, ExportCaseRequest, ExportCaseResponse, GetCaseRequest, GetCaseResponse, GetEntryPointRequest,
    GetEntryPointResponse, GetSummaryRequest, GetSummaryResponse, ListAuditRequest, ListAuditResponse, ListCasesRequest, ListCasesResponse,
    ListContactsRequest, ListContactsResponse, ListEntryPointsRequest, ListEntryPointsResponse, MarkDocumentedRequest,
    MarkDocumentedResponse, OfferReturnPhraseRequest, OfferReturnPhraseResponse, OpenCaseRequest, OpenCaseResponse, RateCaseRequest,
    RateCaseResponse, ReopenCaseRequest, ReopenCaseResponse, RequestVideoRequest, RequestVideoResponse, ResumeCaseRequest,
    ResumeCaseResponse, RevealIdentityRequest, RevealIdentityResponse, SetCaseModeRequest, SetCaseModeResponse,
};
use rpc::caller::reply;
use rpc::{Answer, Caller, Whence, caller, status};
use tonic::Request;

use crate::app::doors::Door;
use crate::app::{App, change, ticket, tokens};
use crate::domain::case::{By, Command};
use crate::domain::terms::{Mode, Outcome, State};
use crate::store::{self, cases};

pub struct Cases {
    pub app: App,
}

/// Tries at a return phrase per minute, from one address and for one case: enough for typing errors, useless for guessing.
const PHRASE_TRIES: u32 = 10;
/// Words that one address may ask for per minute: a whole school behind one has room, and they cost nothing.
const OFFERS: u32 = 60;
/// Tries of all together per minute: many addresses guess no faster than this.
const ALL_TRIES: u32 = 600;
const MINUTE: Duration = Duration::from_secs(60);

#[tonic::async_trait]
impl CaseService for Cases {
    async fn get_entry_point(&self, request: Request<GetEntryPointRequest>) -> Answer<GetEntryPointResponse> {
        let request = request.into_inner();
        let entry_point = super::entry_point::get(&self.app, &request).await.map_err(status)?;
        Ok(GetEntryPointResponse { entry_point: Some(entry_point) }.into())
    }

    async fn list_entry_points(&self, request: Request<ListEntryPointsRequest>) -> Answer<ListEntryPointsResponse> {
        let caller = caller(&request).map_err(status)?;
        super::entry_point::list(&self.app, &caller, &request.into_inner()).await.map(Into::into).map_err(status)
    }

    async fn offer_return_phrase(&self, request: Request<OfferReturnPhraseRequest>) -> Answer<OfferReturnPhraseResponse> {
        let whence = rpc::whence(&request).map_err(status)?;
        offer_phrase(&self.app, &whence, request.into_inner()).await.map(Into::into).map_err(status)
    }

    async fn open_case(&self, request: Request<OpenCaseRequest>) -> Answer<OpenCaseResponse> {
        let caller = caller(&request).map_err(status)?;
        let (answer, receipt) = self.app.open(caller, request.into_inner()).await.map_err(status)?;
        Ok(reply("intake", answer, &receipt))
    }

    async fn get_case(&self, request: Request<GetCaseRequest>) -> Answer<GetCaseResponse> {
        let caller = caller(&request).map_err(status)?;
        let id = Id::parse("case_id", &request.into_inner().case_id).map_err(status)?;
        let case = self.app.read(&caller, id).await.map_err(status)?;
        Ok(GetCaseResponse { case: Some(self.app.show(&caller, &case)) }.into())
    }

    async fn list_cases(&self, request: Request<ListCasesRequest>) -> Answer<ListCasesResponse> {
        let caller = caller(&request).map_err(status)?;
        super::lists::cases(&self.app, &caller, request.into_inner()).await.map(Into::into).map_err(status)
    }

    async fn resume_case(&self, request: Request<ResumeCaseRequest>) -> Answer<ResumeCaseResponse> {
        let caller = caller(&request).map_err(status)?;
        let whence = rpc::whence(&request).map_err(status)?;
        resume(&self.app, &caller, &whence, request.into_inner()).await
    }

    async fn set_case_mode(&self, request: Request<SetCaseModeRequest>) -> Answer<SetCaseModeResponse> {
        let caller = caller(&request).map_err(status)?;
        let request = request.into_inner();
        let (id, command) = set_mode(&request).map_err(status)?;
        let once = caller.once(&request.request_id, &request).map_err(status)?;
        let (case, receipt) = self.app.change(caller, once, id, command).await.map_err(status)?;
        Ok(reply("intake", SetCaseModeResponse { case: Some(case) }, &receipt))
    }

    async fn close_case(&self, request: Request<CloseCaseRequest>) -> Answer<CloseCaseResponse> {
        let caller = caller(&request).map_err(status)?;
        let request = request.into_inner();
        let mut violations = Violations::default();
        let id = violations.id("case_id", &request.case_id);
        let outcome = Outcome::from_wire(request.outcome);
        let visitor = caller.role() == auth::Role::Visitor;
        // A visitor need not say one.
        let known = outcome.is_some() || (visitor && request.outcome == 0);
        violations.check(known, "outcome", "is required: how did the case end?");
        violations.check(outcome != Some(Outcome::Transferred), "outcome", "is the transfer's alone; see TransferService");
        violations.done().map_err(status)?;
        let once = caller.once(&request.request_id, &request).map_err(status)?;
        // A visitor who leaves has abandoned, whatever they say.
        let outcome = outcome.unwrap_or(Outcome::Abandoned);
        let command = Command::Close { by: if visitor { By::Visitor } else { By::Worker }, outcome };
        let (case, receipt) = self.app.change(caller, once, id, command).await.map_err(status)?;
        Ok(reply("intake", CloseCaseResponse { case: Some(case) }, &receipt))
    }

    async fn reopen_case(&self, request: Request<ReopenCaseRequest>) -> Answer<ReopenCaseResponse> {
        let caller = caller(&request).map_err(status)?;
        let request = request.into_inner();
        let id = Id::parse("case_id", &request.case_id).map_err(status)?;
        let once = caller.once(&request.request_id, &request).map_err(status)?;
        let (case, receipt) = self.app.change(caller, once, id, Command::Reopen { until: None }).await.map_err(status)?;
        Ok(reply("intake", ReopenCaseResponse { case: Some(case) }, &receipt))
    }

    async fn rate_case(&self, request: Request<RateCaseRequest>) -> Answer<RateCaseResponse> {
        let caller = caller(&request).map_err(status)?;
        let (answer, receipt) = self.app.rate(caller, request.into_inner()).await.map_err(status)?;
        Ok(reply("intake", answer, &receipt))
    }

    async fn get_summary(&self, request: Request<GetSummaryRequest>) -> Answer<GetSummaryResponse> {
        let caller = caller(&request).map_err(status)?;
        let request = request.into_inner();
        let mut violations = Violations::default();
        let id = violations.id("case_id", &request.case_id);
        violations.optional_text("language", &request.language, 8);
        violations.done().map_err(status)?;
        let summary = self.app.summary(&caller, id, &request.language).await.map_err(status)?;
        Ok(GetSummaryResponse { summary: Some(summary) }.into())
    }

    async fn mark_documented(&self, request: Request<MarkDocumentedRequest>) -> Answer<MarkDocumentedResponse> {
        let caller = caller(&request).map_err(status)?;
        let request = request.into_inner();
        let id = Id::parse("case_id", &request.case_id).map_err(status)?;
        let (case, receipt) = self.app.document(caller, &request.request_id, &request, id).await.map_err(status)?;
        Ok(reply("intake", MarkDocumentedResponse { case: Some(case) }, &receipt))
    }

    async fn list_contacts(&self, request: Request<ListContactsRequest>) -> Answer<ListContactsResponse> {
        let caller = caller(&request).map_err(status)?;
        super::lists::contacts(&self.app, &caller, request.into_inner()).await.map(Into::into).map_err(status)
    }

    async fn reveal_identity(&self, request: Request<RevealIdentityRequest>) -> Answer<RevealIdentityResponse> {
        let caller = caller(&request).map_err(status)?;
        let (case, receipt) = self.app.reveal(caller, request.into_inner()).await.map_err(status)?;
        Ok(reply("intake", RevealIdentityResponse { case: Some(case) }, &receipt))
    }

    async fn request_video(&self, request: Request<RequestVideoRequest>) -> Answer<RequestVideoResponse> {
        let caller = caller(&request).map_err(status)?;
        let id = Id::parse("case_id", &request.into_inner().case_id).map_err(status)?;
        let (message, receipt) = self.app.video(caller, id).await.map_err(status)?;
        Ok(reply("intake", RequestVideoResponse { message: Some(message) }, &receipt))
    }

    async fn export_case(&self, request: Request<ExportCaseRequest>) -> Answer<ExportCaseResponse> {
        let caller = caller(&request).map_err(status)?;
        let id = Id::parse("case_id", &request.into_inner().case_id).map_err(status)?;
        self.app.export(&caller, id).await.map(Into::into).map_err(status)
    }

    async fn list_audit(&self, request: Request<ListAuditRequest>) -> Answer<ListAuditResponse> {
        let caller = caller(&request).map_err(status)?;
        super::lists::audit(&self.app, &caller, request.into_inner()).await.map(Into::into).map_err(status)
    }
}

fn set_mode(request: &SetCaseModeRequest) -> Result<(Id, Command)> {
    let mut violations = Violations::default();
    let id = violations.id("case_id", &request.case_id);
    let mode = Mode::from_wire(request.mode);
    let turn = State::from_wire(request.state).filter(|state| matches!(state, State::WaitingForVisitor | State::WaitingForUs));
    violations.check(mode.is_some(), "mode", "must be live or asynchronous");
    violations.check(
        mode != Some(Mode::Asynchronous) || turn.is_some(),
        "state",
        "must be WAITING_FOR_VISITOR or WAITING_FOR_US for an asynchronous case",
    );
    violations.check(proto::intake::CaseState::try_from(request.state).is_ok(), "state", "is unknown");
    let due_at = proto::from_timestamp("due_at", request.due_at.as_ref())?;
    violations.done()?;
    Ok((id, Command::SetMode { mode: mode.unwrap_or(Mode::Live), state: turn.unwrap_or(State::Active), due_at }))
}

impl App {
    /// A case, once the read is logged: a failed audit write fails the read.
    pub async fn read(&self, caller: &Caller, id: Id) -> Result<cases::Stored> {
        let case = cases::load(&self.node.of(caller), id).await?;
        change::check(caller, caller.rpc, &case)?;
        self.node.log_read(caller, vec![(id, case.scope())]).await?;
        Ok(case)
    }
}

fn tries_left(allowed: Result<(), Duration>) -> Result<()> {
    allowed.map_err(|wait| {
        let message = format!("too many tries; wait {} seconds", wait.as_secs().max(1));
        Error::new(Code::ResourceExhausted, "TOO_MANY_TRIES", message)
    })
}

/// Words for a case that does not exist yet. Without a row anywhere: whoever only looks at the page leaves nothing behind.
async fn offer_phrase(app: &App, whence: &Whence, request: OfferReturnPhraseRequest) -> Result<OfferReturnPhraseResponse> {
    let mut violations = Violations::default();
    violations.text("entry_point_id", &request.entry_point_id, 64);
    violations.done()?;
    Door::find(app.node.region.get(), &request.entry_point_id)?;
    tries_left(app.node.platform.ephemeral.allow(&format!("offer:{}", whence.key()), OFFERS, MINUTE).await)?;
    let (secret, now) = (&app.node.platform.secret, app.node.now());
    let (id, until) = (Id::new(now), now + ticket::LIFE);
    Ok(OfferReturnPhraseResponse {
        return_phrase: tokens::phrase(secret, id).0,
        return_ticket: ticket::issue(secret, &request.entry_point_id, id, until)?,
        expires_at: Some(proto::timestamp(until)),
    })
}

async fn resume(app: &App, caller: &Caller, whence: &Whence, request: ResumeCaseRequest) -> Answer<ResumeCaseResponse> {
    let done = async {
        let mut violations = Violations::default();
        violations.text("return_phrase", &request.return_phrase, 400);
        violations.done()?;
        let tries = &app.node.platform.ephemeral;
        tries_left(tries.allow(&format!("phrase:{}", whence.key()), PHRASE_TRIES, MINUTE).await)?;
        tries_left(tries.allow("phrase", ALL_TRIES, MINUTE).await)?;
        let secret = app.node.platform.secret.clone();
        let hash = tokens::phrase_hash(&secret, &request.return_phrase);
        let case = match cases::organisation_of_phrase(&app.node.log.machinery(), &hash).await? {
            Some(organisation) => cases::by_phrase(&app.node.db().of(&organisation), &hash).await?,
            None => None,
        };
        let case = case.ok_or_else(|| Error::not_found("case with that return phrase"))?;
        // From however many addresses: nobody comes back to one case that often.
        tries_left(tries.allow(&format!("phrase-of:{}", case.id), PHRASE_TRIES, MINUTE).await)?;
        let once = caller.once(&request.request_id, &request)?;
        let nonce = if request.request_id.is_empty() { Id::new(app.node.now()).to_string() } else { request.request_id.clone() };
        let token = tokens::visitor_token(&secret, &case.organisation, case.visitor, &nonce, app.node.now());
        let answer = ResumeCaseResponse { case: Some(case.to_proto()), visitor_token: token.token.clone() };
        let (id, scope) = (case.id, case.scope());
        let token = std::sync::Arc::new(token);
        let ((), receipt) = app
            .node
            .commit(id, caller.origin().of(&case.organisation), move |unit| {
                let (token, scope, once) = (token.clone(), scope.clone(), once.clone());
                Box::pin(async move {
                    unit.audit(id, &scope);
                    // Only to refuse another request under the same id; the answer itself is made anew.
                    if unit.earlier_answer::<()>(&once).await?.is_none() {
                        store::tokens::insert(unit, token.hash.clone(), token.id, &token.principal, token.expires_at).await?;
                        unit.remember_answer(&once, &id.to_string(), &()).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        Ok(reply("intake", answer, &receipt))
    };
    done.await.map_err(status)
}
