//! What a handler learns of its caller.

use auth::{Decision, Principal, Resource, Role};
use kernel::error::Code;
use kernel::{Error, Result};
use log::unit::Once;
use log::{Origin, Receipt};
use proto::log::ActorKind;

use crate::position::Reached;

/// The authenticated caller of one RPC.
#[derive(Clone, Debug)]
pub struct Caller {
    pub principal: Principal,
    /// The RPC, `samtal.intake.v1.CaseService/GetCase`.
    pub rpc: &'static str,
    pub traceparent: String,
    /// Hash of the token, by which a long stream asks again whether it still holds; empty for nobody's and for a service's own.
    pub token_hash: Vec<u8>,
}

/// The caller that the gate has put into the request.
pub fn caller<T>(request: &tonic::Request<T>) -> Result<Caller> {
    request.extensions().get::<Caller>().cloned().ok_or_else(|| Error::internal("a request has passed no gate"))
}

impl Caller {
    /// Refuses what is out of the caller's reach as if it did not exist.
    pub fn check(&self, what: &'static str, resource: &Resource<'_>) -> Result<()> {
        self.check_as(self.rpc, what, resource)
    }

    /// The same, by the rules of another RPC: for frames of a stream that stand for unary calls.
    pub fn check_as(&self, rpc: &str, what: &'static str, resource: &Resource<'_>) -> Result<()> {
        match auth::decide(&self.principal, rpc, resource) {
            Decision::Allow => Ok(()),
            Decision::OutOfReach => Err(Error::not_found(what)),
            Decision::Denied => Err(denied()),
        }
    }

    /// How far this caller reaches with this RPC, for lists.
    pub fn reach(&self) -> Result<auth::Reach> {
        auth::policy::reach(&self.principal, self.rpc).ok_or_else(denied)
    }

    pub fn role(&self) -> Role {
        self.principal.role
    }

    /// Who makes something happen, for events and audit rows, touching rows of the caller's organisation. A caller that
    /// belongs to none touches nothing until [`Origin::of`] says whose rows are meant.
    pub fn origin(&self) -> Origin {
        let actor = match self.principal.role {
            Role::Anonymous | Role::Visitor => ActorKind::Visitor,
            Role::Worker | Role::Volunteer | Role::Leader => ActorKind::Worker,
            Role::Integrator => ActorKind::Integrator,
            Role::Operator | Role::Service => ActorKind::System,
        };
        let own = &self.principal.organisation;
        Origin {
            organisations: if own.is_empty() { Vec::new() } else { vec![own.clone()] },
            actor,
            principal_kind: self.principal.role.code(),
            principal_id: self.principal.id.clone(),
            action: self.rpc.to_owned(),
            causation_id: String::new(),
            traceparent: self.traceparent.clone(),
        }
    }

    /// The key under which this call's answer is kept.
    pub fn once(&self, request_id: &str, request: &impl prost::Message) -> Result<Once> {
        if request_id.len() > 64 || !request_id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::invalid("request_id", "must have at most 64 printable ASCII characters without spaces; a UUID does"));
        }
        Ok(Once::new(self.principal.key(), self.rpc, request_id, request))
    }
}

pub(crate) fn denied() -> Error {
    Error::new(Code::PermissionDenied, "NOT_ALLOWED", "this caller may not do that")
}

/// An answer that says how far the log had come with what it committed; see [`Reached`].
pub fn reply<T>(service: &'static str, message: T, receipt: &Receipt) -> tonic::Response<T> {
    let mut response = tonic::Response::new(message);
    if !receipt.positions.is_empty() {
        response.extensions_mut().insert(Reached { service, positions: receipt.positions.clone() });
    }
    response
}
