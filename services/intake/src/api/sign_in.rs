//! How people get a session, and what becomes of their sessions.

use auth::Principal;
use kernel::error::{Code, Violations};
use kernel::{Error, Id, Result};
use log::{Origin, Scope};
use proto::access::sign_in_service_server::SignInService;
use proto::access::{
    BeginSessionRequest, BeginSessionResponse, EndSessionsRequest, EndSessionsResponse, ListSessionsRequest, ListSessionsResponse, Session,
};
use rpc::caller::reply;
use rpc::{Answer, Caller, caller, status};
use runtime::Node;
use tonic::{Request, Response};

use crate::app::sessions::{self, Begin, IDLE, MAX_DEVICE};
use crate::app::sign_in;
use crate::store::tokens;

const MAX_PROVIDER: usize = 64;
const MAX_SUBJECT: usize = 256;
const MAX_EMAIL: usize = 254;
const MAX_ID: usize = 128;
/// Organisations that a sign-in service may be for.
const MAX_WITHIN: usize = 1_000;

pub struct SignIn {
    pub node: Node,
}

impl SignIn {
    async fn begin(&self, caller: &Caller, request: BeginSessionRequest) -> Result<Response<BeginSessionResponse>> {
        let mut violations = Violations::default();
        violations.text("provider", &request.provider, MAX_PROVIDER);
        violations.text("subject", &request.subject, MAX_SUBJECT);
        violations.optional_text("verified_email", &request.verified_email, MAX_EMAIL);
        violations.optional_text("organisation_id", &request.organisation_id, MAX_ID);
        violations.optional_text("worker_id", &request.worker_id, MAX_ID);
        violations.optional_text("device", &request.device, MAX_DEVICE);
        violations.check(request.within_organisation_ids.len() <= MAX_WITHIN, "within_organisation_ids", "are too many");
        violations.done()?;
        sessions::pages_only(caller)?;
        let principal = if request.operator {
            Principal { id: format!("{}/{}", request.provider, request.subject), ..Principal::operator() }
        } else {
            let region = self.node.region.get();
            let found = sign_in::found(&region, &request);
            let mut chosen = found.iter().filter(|(organisation, worker)| {
                request.worker_id.is_empty() || (organisation.id == request.organisation_id && worker.id == request.worker_id)
            });
            match (chosen.next(), chosen.next()) {
                (None, _) => return Err(self.refuse(caller, &request).await?),
                (Some((organisation, worker)), None) => sessions::principal(&organisation.id, worker, request.may_lead),
                (Some(_), Some(_)) => {
                    let choices = found.into_iter().map(|(organisation, worker)| sign_in::choice(organisation, worker)).collect();
                    return Ok(Response::new(BeginSessionResponse { session: None, choices }));
                }
            }
        };
        let begin = Begin { principal, way: request.provider, device: request.device };
        let (session, receipt) = sessions::begin(&self.node, caller, begin).await?;
        Ok(reply("intake", BeginSessionResponse { session: Some(session), choices: Vec::new() }, &receipt))
    }

    /// Somebody whom the service knows and we do not: it is written down that they came, and they are told so.
    async fn refuse(&self, caller: &Caller, request: &BeginSessionRequest) -> Result<Error> {
        // Who it was stays between them and the service; the same person has the same key.
        let key = Id::derived(&[b"refused", request.provider.as_bytes(), request.subject.as_bytes()]);
        let origin = Origin { action: format!("{} (refused, {})", caller.rpc, request.provider), ..caller.origin().of("") };
        self.node
            .commit(key, origin, move |unit| {
                Box::pin(async move {
                    unit.audit(key, &Scope::default());
                    Ok(())
                })
            })
            .await?;
        Ok(Error::new(
            Code::PermissionDenied,
            "NOT_DESCRIBED",
            "the region's description has no worker of this name; ask whoever leads the clinic",
        ))
    }

    async fn list(&self, caller: &Caller) -> Result<ListSessionsResponse> {
        let found =
            tokens::sessions(&self.node.db().of(caller.principal.organisation.as_str()), &caller.principal, self.node.now()).await?;
        let one = |session: tokens::Session| Session {
            token_id: session.id.to_string(),
            device: session.device,
            way: session.way,
            begun_at: Some(proto::timestamp(session.begun_at)),
            seen_at: session.idle_at.map(|at| proto::timestamp(at - IDLE)),
            expires_at: Some(proto::timestamp(session.expires_at)),
            current: session.hash == caller.token_hash,
        };
        Ok(ListSessionsResponse { sessions: found.into_iter().map(one).collect() })
    }

    async fn end(&self, caller: Caller, keep_current: bool) -> Result<Response<EndSessionsResponse>> {
        let key = Id::derived(&[b"sessions", caller.principal.key().as_bytes()]);
        let origin = caller.origin().of(&caller.principal.organisation);
        let (ended, receipt) = self
            .node
            .commit(key, origin, move |unit| {
                let caller = caller.clone();
                Box::pin(async move {
                    let except = if keep_current { caller.token_hash.clone() } else { Vec::new() };
                    let ended = tokens::end_sessions(unit, &caller.principal, except).await?;
                    unit.audit(key, &Scope { organisation: caller.principal.organisation.clone(), ..Scope::default() });
                    Ok(ended)
                })
            })
            .await?;
        Ok(reply("intake", EndSessionsResponse { ended: u32::try_from(ended).unwrap_or(u32::MAX) }, &receipt))
    }
}

#[tonic::async_trait]
impl SignInService for SignIn {
    async fn begin_session(&self, request: Request<BeginSessionRequest>) -> Answer<BeginSessionResponse> {
        let caller = caller(&request).map_err(status)?;
        self.begin(&caller, request.into_inner()).await.map_err(status)
    }

    async fn list_sessions(&self, request: Request<ListSessionsRequest>) -> Answer<ListSessionsResponse> {
        let caller = caller(&request).map_err(status)?;
        self.list(&caller).await.map(Response::new).map_err(status)
    }

    async fn end_sessions(&self, request: Request<EndSessionsRequest>) -> Answer<EndSessionsResponse> {
        let caller = caller(&request).map_err(status)?;
        self.end(caller, request.into_inner().keep_current).await.map_err(status)
    }
}
