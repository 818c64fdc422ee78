//! Staff's sessions: 15 minutes idle, 12 hours at most; and, in demo mode, how one begins with a click.

use std::time::Duration;

use auth::{Principal, Role, token_hash};
use kernel::error::{Code, Violations};
use kernel::{Error, Id, Result};
use log::Scope;
use proto::access::{DemoLogin, KeepSessionResponse, ListDemoLoginsResponse, PrincipalKind, SignInDemoRequest, SignInDemoResponse};
use region::Organisation;
use rpc::Caller;
use rpc::caller::reply;
use tonic::Response;

use super::access::{Access, wire};
use crate::store::tokens;

const IDLE: Duration = Duration::from_secs(15 * 60);
const ABSOLUTE: Duration = Duration::from_secs(12 * 3600);
/// A session is written down at most this often; one may end so much too early, never too late.
const STEP: Duration = Duration::from_secs(30);
/// The service that shows the pages.
const PAGES: &str = "gateway";

impl Access {
    /// The caller's session goes on from now.
    pub(super) async fn keep(&self, caller: &Caller) -> Result<KeepSessionResponse> {
        let now = self.node.now();
        let token = tokens::find(&self.node.of(caller), &caller.token_hash, now).await?;
        let token = token.ok_or_else(|| Error::new(Code::Unauthenticated, "TOKEN_INVALID", "the session is over; sign in again"))?;
        let mut idle_at = token.idle_at;
        if let Some(stored) = token.idle_at
            && now + IDLE > stored + STEP
        {
            let id = token.id;
            self.node
                .commit(id, caller.origin(), move |unit| Box::pin(async move { tokens::set_idle(unit, id, unit.now + IDLE).await }))
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
        Ok(ListDemoLoginsResponse { logins: region.organisations.iter().flat_map(of).collect() })
    }

    pub(super) async fn sign_in(&self, caller: &Caller, request: &SignInDemoRequest) -> Result<Response<SignInDemoResponse>> {
        let mut violations = Violations::default();
        violations.text("organisation_id", &request.organisation_id, 128);
        violations.text("worker_id", &request.worker_id, 128);
        violations.done()?;
        self.demo_only(caller)?;
        let region = self.node.region.get();
        let worker = region
            .organisation(&request.organisation_id)
            .and_then(|organisation| organisation.worker(&request.worker_id))
            .filter(|worker| worker.demo_login)
            .ok_or_else(|| Error::not_found("demo login"))?;
        let role = match worker.role {
            region::Role::Worker => Role::Worker,
            region::Role::Leader => Role::Leader,
            region::Role::Volunteer => Role::Volunteer,
        };
        let kind = kind(worker.role);
        let principal =
            Principal { role, id: worker.id.clone(), organisation: request.organisation_id.clone(), clinics: worker.clinics.clone() };
        let nonce = Id::new(self.node.now()).to_string();
        let token = self.node.platform.secret.token("session", &[&principal.key(), &nonce]);
        let (hash, token_id) = (token_hash(&token), Id::derived(&[b"session", token.as_bytes()]));
        let (expires_at, receipt) = self
            .node
            .commit(token_id, caller.origin().of(&principal.organisation), move |unit| {
                let (principal, hash) = (principal.clone(), hash.clone());
                Box::pin(async move {
                    let expires_at = unit.now + ABSOLUTE;
                    tokens::insert(unit, hash, token_id, &principal, expires_at).await?;
                    tokens::set_idle(unit, token_id, unit.now + IDLE).await?;
                    unit.audit(token_id, &Scope { organisation: principal.organisation.clone(), ..Scope::default() });
                    Ok(expires_at)
                })
            })
            .await?;
        let answer = SignInDemoResponse { token, kind: kind.into(), expires_at: Some(proto::timestamp(expires_at)) };
        Ok(reply("intake", answer, &receipt))
    }

    fn demo_only(&self, caller: &Caller) -> Result<()> {
        if caller.principal.id != PAGES {
            return Err(Error::new(Code::PermissionDenied, "NOT_ALLOWED", "only the pages sign somebody in"));
        }
        if !self.node.platform.demo {
            return Err(Error::precondition("NOT_DEMO", "there are demo logins in demo mode only"));
        }
        Ok(())
    }
}

const fn kind(role: region::Role) -> PrincipalKind {
    match role {
        region::Role::Worker => PrincipalKind::Worker,
        region::Role::Leader => PrincipalKind::Leader,
        region::Role::Volunteer => PrincipalKind::Volunteer,
    }
}
