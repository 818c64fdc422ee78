//! Tokens: issue, revoke, introspect.

use std::time::Duration;

use auth::{Principal, Reach, Resource, Role, token_hash};
use kernel::error::Violations;
use kernel::{Error, Id, Result};
use log::Scope;
use proto::access::access_service_server::AccessService;
use proto::access::{
    self, IntrospectRequest, IntrospectResponse, IssueTokenRequest, IssueTokenResponse, KeepSessionRequest, KeepSessionResponse,
    ListDemoLoginsRequest, ListDemoLoginsResponse, PrincipalKind, RevokeTokenRequest, RevokeTokenResponse, SignInDemoRequest,
    SignInDemoResponse,
};
use rpc::caller::reply;
use rpc::{Answer, caller, status};
use runtime::Node;
use tonic::Request;

use crate::store;
use crate::store::tokens::Bearer;

const DEFAULT_LIFE: u32 = 12 * 3600;
const MAX_LIFE: u32 = 366 * 86_400;

pub struct Access {
    pub node: Node,
}

impl Access {
    /// The principal that a caller asks a token for, if the region knows them.
    fn principal(&self, wanted: Option<access::Principal>) -> Result<Principal> {
        let wanted = wanted.ok_or_else(|| Error::invalid("principal", "is required"))?;
        let region = self.node.region.get();
        let mut violations = Violations::default();
        violations.text("principal.id", &wanted.id, 128);
        let role = match PrincipalKind::try_from(wanted.kind) {
            Ok(PrincipalKind::Worker) => Role::Worker,
            Ok(PrincipalKind::Volunteer) => Role::Volunteer,
            Ok(PrincipalKind::Leader) => Role::Leader,
            Ok(PrincipalKind::Integrator) => Role::Integrator,
            Ok(PrincipalKind::Operator) => Role::Operator,
            _ => {
                violations
                    .add("principal.kind", "must be worker, volunteer, leader, integrator or operator; visitors get theirs from OpenCase");
                Role::Anonymous
            }
        };
        let organisation = region.organisation(&wanted.organisation_id);
        if role == Role::Operator {
            violations.check(wanted.organisation_id.is_empty(), "principal.organisation_id", "must be empty for an operator");
        } else {
            violations.check(organisation.is_some(), "principal.organisation_id", "is not an organisation of the region");
        }
        let mut clinics = Vec::new();
        if role.is_staff() {
            match organisation.and_then(|organisation| organisation.worker(&wanted.id)) {
                None => violations.add("principal.id", "is not a worker of that organisation"),
                Some(worker) => {
                    violations.check(fits(worker.role, role), "principal.kind", "is not this worker's role");
                    let within = wanted.clinic_ids.iter().all(|clinic| worker.clinics.contains(clinic));
                    violations.check(within, "principal.clinic_ids", "must be among the worker's clinics");
                    clinics = if wanted.clinic_ids.is_empty() { worker.clinics.clone() } else { wanted.clinic_ids.clone() };
                }
            }
        }
        violations.done()?;
        Ok(Principal { role, id: wanted.id, organisation: wanted.organisation_id, clinics })
    }

    /// Whether staff are still in the region, as what the token says; clinics that they have left are taken away.
    fn still_there(&self, principal: &mut Principal) -> bool {
        if !principal.role.is_staff() {
            return true;
        }
        let region = self.node.region.get();
        let Some(worker) = region.organisation(&principal.organisation).and_then(|organisation| organisation.worker(&principal.id)) else {
            return false;
        };
        principal.clinics.retain(|clinic| worker.clinics.contains(clinic));
        fits(worker.role, principal.role)
    }
}

pub(super) fn wire(principal: Principal) -> access::Principal {
    let kind = match principal.role {
        Role::Visitor => PrincipalKind::Visitor,
        Role::Worker => PrincipalKind::Worker,
        Role::Volunteer => PrincipalKind::Volunteer,
        Role::Leader => PrincipalKind::Leader,
        Role::Integrator => PrincipalKind::Integrator,
        Role::Operator => PrincipalKind::Operator,
        Role::Anonymous | Role::Service => PrincipalKind::Unspecified,
    };
    access::Principal { kind: kind.into(), id: principal.id, organisation_id: principal.organisation, clinic_ids: principal.clinics }
}

/// Whether a worker of this role in the region may bear a token of that role: a leader may also work as one of the team.
fn fits(described: region::Role, role: Role) -> bool {
    match described {
        region::Role::Worker => role == Role::Worker,
        region::Role::Leader => matches!(role, Role::Leader | Role::Worker),
        region::Role::Volunteer => role == Role::Volunteer,
    }
}

/// A leader may give tokens to staff whose clinics are all theirs; an operator to anybody.
fn may_give(caller: &rpc::Caller, principal: &Principal) -> Result<()> {
    if caller.role() == Role::Operator {
        return Ok(());
    }
    if !principal.role.is_staff() {
        return Err(Error::not_found("principal"));
    }
    for clinic in &principal.clinics {
        caller.check("principal", &Resource { organisation: &principal.organisation, clinic, ..Resource::default() })?;
    }
    Ok(())
}

#[tonic::async_trait]
impl AccessService for Access {
    async fn issue_token(&self, request: Request<IssueTokenRequest>) -> Answer<IssueTokenResponse> {
        let caller = caller(&request).map_err(status)?;
        let request = request.into_inner();
        // Before anything is said of the principal: who works for another organisation is not for a leader to find out.
        let organisation = request.principal.as_ref().map(|principal| principal.organisation_id.as_str()).unwrap_or_default();
        if caller.role() != Role::Operator && organisation != caller.principal.organisation {
            return Err(status(Error::not_found("principal")));
        }
        let principal = self.principal(request.principal.clone()).map_err(status)?;
        may_give(&caller, &principal).map_err(status)?;
        let life = if request.ttl_seconds == 0 { DEFAULT_LIFE } else { request.ttl_seconds };
        if life > MAX_LIFE {
            return Err(status(Error::invalid("ttl_seconds", format!("must be at most {MAX_LIFE}"))));
        }
        let once = caller.once(&request.request_id, &request).map_err(status)?;
        // Without a request id every call makes a token of its own.
        let nonce = if request.request_id.is_empty() { Id::new(self.node.now()).to_string() } else { request.request_id.clone() };
        let secret = self.node.platform.secret.clone();
        let token = secret.token("issued token", &[&caller.principal.key(), &principal.key(), &principal.clinics.join(","), &nonce]);
        let hash = token_hash(&token);
        let token_id = Id::derived(&[b"issued token", token.as_bytes()]);
        let (answer, receipt) = self
            .node
            .commit(token_id, caller.origin().of(&principal.organisation), move |unit| {
                let (once, principal, hash) = (once.clone(), principal.clone(), hash.clone());
                Box::pin(async move {
                    if let Some(earlier) = unit.earlier_answer::<IssueTokenResponse>(&once).await? {
                        return Ok(earlier);
                    }
                    let expires_at = unit.now + Duration::from_secs(u64::from(life));
                    store::tokens::insert(unit, hash, token_id, &principal, expires_at).await?;
                    unit.audit(token_id, &Scope { organisation: principal.organisation.clone(), ..Scope::default() });
                    // Without the token itself, which is derived again.
                    let answer = IssueTokenResponse {
                        token: String::new(),
                        token_id: token_id.to_string(),
                        expires_at: Some(proto::timestamp(expires_at)),
                    };
                    unit.remember_answer(&once, &token_id.to_string(), &answer).await?;
                    Ok(answer)
                })
            })
            .await
            .map_err(status)?;
        Ok(reply("intake", IssueTokenResponse { token, ..answer }, &receipt))
    }

    async fn revoke_token(&self, request: Request<RevokeTokenRequest>) -> Answer<RevokeTokenResponse> {
        let caller = caller(&request).map_err(status)?;
        let request = request.into_inner();
        let token_id = Id::parse("token_id", &request.token_id).map_err(status)?;
        // Ending a token twice is harmless, so only the id's form matters.
        caller.once(&request.request_id, &request).map_err(status)?;
        let mut origin = caller.origin();
        if caller.role() == Role::Operator {
            let organisation = store::tokens::organisation(&self.node.log.machinery(), token_id).await.map_err(status)?;
            origin = origin.of(&organisation.ok_or_else(|| status(Error::not_found("token")))?);
        }
        let ((), receipt) = self
            .node
            .commit(token_id, origin, move |unit| {
                let caller = caller.clone();
                Box::pin(async move {
                    let Bearer { id, organisation, clinics } =
                        store::tokens::bearer(unit, token_id).await?.ok_or_else(|| Error::not_found("token"))?;
                    let whole = Resource { organisation: &organisation, owner: &id, ..Resource::default() };
                    if clinics.is_empty() || caller.reach()? == Reach::Own {
                        caller.check("token", &whole)?;
                    }
                    for clinic in &clinics {
                        caller.check("token", &Resource { clinic, ..whole.clone() })?;
                    }
                    store::tokens::revoke(unit, token_id).await?;
                    unit.audit(token_id, &Scope { organisation, ..Scope::default() });
                    Ok(())
                })
            })
            .await
            .map_err(status)?;
        Ok(reply("intake", RevokeTokenResponse {}, &receipt))
    }

    async fn keep_session(&self, request: Request<KeepSessionRequest>) -> Answer<KeepSessionResponse> {
        let caller = caller(&request).map_err(status)?;
        self.keep(&caller).await.map(tonic::Response::new).map_err(status)
    }

    async fn list_demo_logins(&self, request: Request<ListDemoLoginsRequest>) -> Answer<ListDemoLoginsResponse> {
        let caller = caller(&request).map_err(status)?;
        self.demo_logins(&caller).map(tonic::Response::new).map_err(status)
    }

    async fn sign_in_demo(&self, request: Request<SignInDemoRequest>) -> Answer<SignInDemoResponse> {
        let caller = caller(&request).map_err(status)?;
        self.sign_in(&caller, &request.into_inner()).await.map_err(status)
    }

    async fn introspect(&self, request: Request<IntrospectRequest>) -> Answer<IntrospectResponse> {
        let hash = request.into_inner().token_hash;
        if hash.len() != 32 {
            return Err(status(Error::invalid("token_hash", "must be a SHA-256, 32 bytes")));
        }
        let found = store::tokens::find(&self.node.log.machinery(), &hash, self.node.now()).await.map_err(status)?;
        let Some(mut token) = found else { return Ok(IntrospectResponse::default().into()) };
        if !self.still_there(&mut token.principal) {
            return Ok(IntrospectResponse::default().into());
        }
        Ok(IntrospectResponse { principal: Some(wire(token.principal)), expires_at: Some(proto::timestamp(token.expires_at)) }.into())
    }
}
