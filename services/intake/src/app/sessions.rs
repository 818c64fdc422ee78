//! Sessions: a token that ends when nobody is at the screen, and at the latest after a working day.

use std::time::Duration;

use auth::{Principal, Role, token_hash};
use kernel::error::Code;
use kernel::{Error, Id, Result};
use log::{Origin, Receipt, Scope};
use proto::access::{NewSession, PrincipalKind};
use proto::log::ActorKind;
use region::Worker;
use rpc::Caller;
use runtime::Node;

use crate::store::tokens;

pub const IDLE: Duration = Duration::from_secs(15 * 60);
const ABSOLUTE: Duration = Duration::from_secs(12 * 3600);
/// Bytes of a device's name.
pub const MAX_DEVICE: usize = 128;
/// The service that shows the pages.
const PAGES: &str = "gateway";

/// Whose session begins, and how.
#[derive(Clone)]
pub struct Begin {
    pub principal: Principal,
    pub way: String,
    pub device: String,
}

/// Only the pages sign somebody in: another service that is broken into must not make sessions.
pub fn pages_only(caller: &Caller) -> Result<()> {
    if caller.principal.id == PAGES {
        return Ok(());
    }
    Err(Error::new(Code::PermissionDenied, "NOT_ALLOWED", "only the pages sign somebody in"))
}

/// The worker as a caller. Without `may_lead`, a leader is one of the team.
pub fn principal(organisation: &str, worker: &Worker, may_lead: bool) -> Principal {
    let role = match worker.role {
        region::Role::Leader if may_lead => Role::Leader,
        region::Role::Worker | region::Role::Leader => Role::Worker,
        region::Role::Volunteer => Role::Volunteer,
    };
    Principal { role, id: worker.id.clone(), organisation: organisation.to_owned(), clinics: worker.clinics.clone() }
}

pub const fn kind(role: region::Role) -> PrincipalKind {
    match role {
        region::Role::Worker => PrincipalKind::Worker,
        region::Role::Leader => PrincipalKind::Leader,
        region::Role::Volunteer => PrincipalKind::Volunteer,
    }
}

/// Begins a session. Its audit row names the person, not the pages through which they came.
pub async fn begin(node: &Node, caller: &Caller, begin: Begin) -> Result<(NewSession, Receipt)> {
    let kind = match begin.principal.role {
        Role::Worker => PrincipalKind::Worker,
        Role::Volunteer => PrincipalKind::Volunteer,
        Role::Leader => PrincipalKind::Leader,
        Role::Operator => PrincipalKind::Operator,
        _ => return Err(Error::internal("a session is staff's or an operator's")),
    };
    let nonce = Id::new(node.now()).to_string();
    let token = node.platform.secret.token("session", &[&begin.principal.key(), &nonce]);
    let (hash, token_id) = (token_hash(&token), Id::derived(&[b"session", token.as_bytes()]));
    let origin = Origin {
        actor: if begin.principal.role.is_staff() { ActorKind::Worker } else { ActorKind::System },
        principal_kind: begin.principal.role.code(),
        principal_id: begin.principal.id.clone(),
        action: format!("{} ({})", caller.rpc, begin.way),
        ..caller.origin().of(&begin.principal.organisation)
    };
    let (expires_at, receipt) = node
        .commit(token_id, origin, move |unit| {
            let (begin, hash) = (begin.clone(), hash.clone());
            Box::pin(async move {
                let expires_at = unit.now + ABSOLUTE;
                tokens::insert(unit, hash, token_id, &begin.principal, expires_at).await?;
                tokens::set_idle(unit, token_id, unit.now + IDLE).await?;
                tokens::set_session(unit, token_id, &begin.way, &begin.device).await?;
                unit.audit(token_id, &Scope { organisation: begin.principal.organisation, ..Scope::default() });
                Ok(expires_at)
            })
        })
        .await?;
    Ok((NewSession { token, kind: kind.into(), expires_at: Some(proto::timestamp(expires_at)) }, receipt))
}
