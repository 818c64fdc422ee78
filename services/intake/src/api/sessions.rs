//! Staff's sessions: 15 minutes idle, 12 hours at most; and, in demo mode, how one begins with a click.

use std::time::Duration;

use auth::{Principal, Role};
use kernel::error::{Code, Violations};
use kernel::{Error, Result};
use proto::access::{DemoLogin, KeepSessionResponse, ListDemoLoginsResponse, PrincipalKind, SignInDemoRequest, SignInDemoResponse};
use region::{Organisation, Region};
use rpc::Caller;
use rpc::caller::reply;
use tonic::Response;

use super::access::{Access, wire};
use crate::app::sessions::{self, Begin, IDLE, kind};
use crate::store::tokens;

/// A session is written down at most this often; one may end so much too early, never too late.
const STEP: Duration = Duration::from_secs(30);
/// The operator whom the demo lets in.
const DEMO_OPERATOR: &str = "region";

impl Access {
    /// The caller's session goes on from now.
    pub(super) async fn keep(&self, caller: &Caller) -> Result<KeepSessionResponse> {
        let now = self.node.now();
        let token = tokens::find(&self.node.db().of(caller.principal.organisation.as_str()), &caller.token_hash, now).await?;
        let token = token.ok_or_else(|| Error::new(Code::Unauthenticated, "TOKEN_INVALID", "the session is over; sign in again"))?;
        let mut idle_at = token.idle_at;
        if let Some(stored) = token.idle_at
            && now + IDLE > stored + STEP
        {
            let id = token.id;
            self.node
                .commit(id, caller.origin().of(&caller.principal.organisation), move |unit| {
                    Box::pin(async move { tokens::set_idle(unit, id, unit.now + IDLE).await })
                })
                .await?;
            idle_at = Some(now + IDLE);
        }
        let region = self.node.region.get();
        let worker = region.organisation(&token.principal.organisation).and_then(|organisation| organisation.worker(&token.principal.id));
        Ok(KeepSessionResponse {
            display_name: worker.map(|worker| worker.name.clone()).unwrap_or_default(),
            // As the gate saw it: without clinics that they have left.
            principal: Some(wire(caller.principal.clone())),
            token_id: token.id.to_string(),
            expires_at: Some(proto::timestamp(token.expires_at)),
            idle_at: idle_at.map(proto::timestamp),
        })
    }

    pub(super) fn demo_logins(&self, caller: &Caller) -> Result<ListDemoLoginsResponse> {
        self.demo_only(caller)?;
        let region = self.node.region.get();
        let of = |organisation: &Organisation| {
            let one = |worker: &region::Worker| DemoLogin {
                organisation_id: organisation.id.clone(),
                organisation_name: organisation.name.clone(),
                worker_id: worker.id.clone(),
                display_name: worker.name.clone(),
                kind: kind(worker.role).into(),
                profession: worker.profession.code().to_owned(),
                clinic_names: worker.clinics.iter().filter_map(|id| Some(organisation.clinic(id)?.name.clone())).collect(),
            };
            organisation.workers.iter().filter(|worker| worker.demo_login).map(one).collect::<Vec<_>>()
        };
        let operator = DemoLogin {
            organisation_name: region.region.clone(),
            worker_id: DEMO_OPERATOR.to_owned(),
            kind: PrincipalKind::Operator.into(),
            ..DemoLogin::default()
        };
        Ok(ListDemoLoginsResponse { logins: region.organisations.iter().flat_map(of).chain([operator]).collect() })
    }

    pub(super) async fn sign_in(&self, caller: &Caller, request: &SignInDemoRequest) -> Result<Response<SignInDemoResponse>> {
        let mut violations = Violations::default();
        violations.optional_text("organisation_id", &request.organisation_id, 128);
        violations.text("worker_id", &request.worker_id, 128);
        violations.optional_text("device", &request.device, sessions::MAX_DEVICE);
        violations.done()?;
        self.demo_only(caller)?;
        let principal = demo_principal(&self.node.region.get(), request)?;
        let begun = Begin { principal, way: "demo".to_owned(), device: request.device.clone() };
        let (session, receipt) = sessions::begin(&self.node, caller, begun).await?;
        let answer = SignInDemoResponse { token: session.token, kind: session.kind, expires_at: session.expires_at };
        Ok(reply("intake", answer, &receipt))
    }

    fn demo_only(&self, caller: &Caller) -> Result<()> {
        sessions::pages_only(caller)?;
        if !self.node.platform.demo {
            return Err(Error::precondition("NOT_DEMO", "there are demo logins in demo mode only"));
        }
        Ok(())
    }
}

/// Whom a demo login means.
fn demo_principal(region: &Region, request: &SignInDemoRequest) -> Result<Principal> {
    if request.organisation_id.is_empty() && request.worker_id == DEMO_OPERATOR {
        return Ok(Principal { role: Role::Operator, id: DEMO_OPERATOR.to_owned(), organisation: String::new(), clinics: Vec::new() });
    }
    let worker = region
        .organisation(&request.organisation_id)
        .and_then(|organisation| organisation.worker(&request.worker_id))
        .filter(|worker| worker.demo_login)
        .ok_or_else(|| Error::not_found("demo login"))?;
    Ok(sessions::principal(&request.organisation_id, worker, true))
}
