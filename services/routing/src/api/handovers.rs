//! ListHandovers: what the caller wants to hand to colleagues, and what came of it.

use auth::Resource;
use kernel::{Id, Result};
use log::Scope;
use proto::routing::{Handover, ListHandoversRequest, ListHandoversResponse};
use rpc::Caller;
use tonic::{Request, Response};

use super::Api;
use crate::store::cases::{self, CaseRow};

/// A hand-over as it stands, with whose case it is for the access log.
pub(super) struct Standing {
    pub case: Id,
    pub scope: Scope,
    pub wire: Handover,
}

fn standing(row: &CaseRow) -> Option<Standing> {
    let (to, at, turned_down) = match (row.case.offer(), row.case.turned_down()) {
        (Some(offer), _) => (&offer.worker, offer.until, false),
        (None, Some(by)) => (&by.worker, by.at, true),
        (None, None) => return None,
    };
    let wire = Handover { case_id: row.id.to_string(), to_worker_id: to.clone(), at: Some(proto::timestamp(at)), turned_down };
    Some(Standing { case: row.id, scope: row.scope(), wire })
}

impl Api {
    pub(crate) async fn list_handovers(&self, request: Request<ListHandoversRequest>) -> Result<Response<ListHandoversResponse>> {
        let caller = rpc::caller(&request)?;
        let principal = &caller.principal;
        caller.check("worker", &Resource { organisation: &principal.organisation, owner: &principal.id, ..Resource::default() })?;
        let found = self.handovers(&caller).await?;
        self.app.node.log_read(&caller, found.iter().map(|one| (one.case, one.scope.clone())).collect()).await?;
        Ok(Response::new(ListHandoversResponse { handovers: found.into_iter().map(|one| one.wire).collect() }))
    }

    /// Everything that the caller has asked colleagues to take over.
    pub(super) async fn handovers(&self, caller: &Caller) -> Result<Vec<Standing>> {
        let held = cases::of_holder(&self.app.node.of(caller), &caller.principal.organisation, &caller.principal.id).await?;
        Ok(held.iter().filter_map(standing).collect())
    }
}
