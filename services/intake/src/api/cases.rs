//! CaseService: each RPC checks its fields and hands over to `app`.

use kernel::error::{Code, Violations};
use kernel::{Error, Id, Result};
use proto::intake::case_service_server::CaseService;
use proto::intake::{
    CloseCaseRequest, CloseCaseResponse, GetCaseRequest, GetCaseResponse, GetEntryPointRequest, GetEntryPointResponse, ListAuditRequest,
    ListAuditResponse, ListCasesRequest, ListCasesResponse, OpenCaseRequest, OpenCaseResponse, RateCaseRequest, RateCaseResponse,
    ReopenCaseRequest, ReopenCaseResponse, ResumeCaseRequest, ResumeCaseResponse, SetCaseModeRequest, SetCaseModeResponse,
};
use rpc::caller::reply;
use rpc::{Answer, Caller, caller, status};
use tonic::Request;

use crate::app::{App, change, tokens};
use crate::domain::case::{By, Command};
use crate::domain::terms::{Mode, Outcome, State};
use crate::store::{self, cases};

pub struct Cases {
    pub app: App,
}

/// Tries at a return phrase per caller's address and minute: enough for typing errors, useless for guessing.
const PHRASE_TRIES: u32 = 10;

#[tonic::async_trait]
impl CaseService for Cases {
    async fn get_entry_point(&self, request: Request<GetEntryPointRequest>) -> Answer<GetEntryPointResponse> {
        let request = request.into_inner();
        let entry_point = super::entry_point::get(&self.app, &request).await.map_err(status)?;
        Ok(GetEntryPointResponse { entry_point: Some(entry_point) }.into())
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
        Ok(GetCaseResponse { case: Some(case.to_proto()) }.into())
    }

    async fn list_cases(&self, request: Request<ListCasesRequest>) -> Answer<ListCasesResponse> {
        let caller = caller(&request).map_err(status)?;
        super::lists::cases(&self.app, &caller, request.into_inner()).await.map(Into::into).map_err(status)
    }

    async fn resume_case(&self, request: Request<ResumeCaseRequest>) -> Answer<ResumeCaseResponse> {
        let caller = caller(&request).map_err(status)?;
        let peer = request.remote_addr().map_or_else(|| "unknown".to_owned(), |address| address.ip().to_string());
        resume(&self.app, &caller, &peer, request.into_inner()).await
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
        violations.check(visitor || outcome.is_some(), "outcome", "is required: how did the case end?");
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
        let (case, receipt) = self.app.change(caller, once, id, Command::Reopen).await.map_err(status)?;
        Ok(reply("intake", ReopenCaseResponse { case: Some(case) }, &receipt))
    }

    async fn rate_case(&self, request: Request<RateCaseRequest>) -> Answer<RateCaseResponse> {
        let caller = caller(&request).map_err(status)?;
        let request = request.into_inner();
        let mut violations = Violations::default();
        let id = violations.id("case_id", &request.case_id);
        violations.check((1..=5).contains(&request.rating), "rating", "must be 1 to 5");
        violations.done().map_err(status)?;
        let once = caller.once(&request.request_id, &request).map_err(status)?;
        let (case, receipt) = self.app.change(caller, once, id, Command::Rate(request.rating)).await.map_err(status)?;
        Ok(reply("intake", RateCaseResponse { case: Some(case) }, &receipt))
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
        self.log_read(caller, id, &case).await?;
        Ok(case)
    }

    /// Writes the audit row of a read.
    pub async fn log_read(&self, caller: &Caller, id: Id, case: &cases::Stored) -> Result<()> {
        let scope = case.scope();
        self.node
            .commit(id, caller.origin().of(&case.organisation), move |unit| {
                let scope = scope.clone();
                Box::pin(async move {
                    unit.audit(id, &scope);
                    Ok(())
                })
            })
            .await?;
        Ok(())
    }
}

async fn resume(app: &App, caller: &Caller, peer: &str, request: ResumeCaseRequest) -> Answer<ResumeCaseResponse> {
    let done = async {
        let mut violations = Violations::default();
        violations.text("return_phrase", &request.return_phrase, 400);
        violations.done()?;
        let minute = std::time::Duration::from_secs(60);
        if let Err(wait) = app.node.platform.ephemeral.allow(&format!("phrase:{peer}"), PHRASE_TRIES, minute).await {
            let message = format!("too many tries; wait {} seconds", wait.as_secs().max(1));
            return Err(Error::new(Code::ResourceExhausted, "TOO_MANY_TRIES", message));
        }
        let secret = app.node.platform.secret.clone();
        let hash = tokens::phrase_hash(&secret, &request.return_phrase);
        let case = match cases::organisation_of_phrase(&app.node.log.machinery(), &hash).await? {
            Some(organisation) => cases::by_phrase(&app.node.db().of(&organisation), &hash).await?,
            None => None,
        };
        let case = case.ok_or_else(|| Error::not_found("case with that return phrase"))?;
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
