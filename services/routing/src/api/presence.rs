//! SetPresence, ListPresence.

use std::collections::BTreeMap;
use std::time::Duration;

use auth::{Reach, Resource};
use kernel::error::Violations;
use kernel::{Error, Id, Result};
use log::Scope;
use proto::routing::{ListPresenceRequest, ListPresenceResponse, Presence, SetPresenceRequest, SetPresenceResponse};
use runtime::Node;
use tonic::{Request, Response};

use super::{Api, MAX_NAME};
use crate::app::{PRESENCE, roster};
use crate::domain::eligible::Load;
use crate::store::{loads, presence};

/// More points than any worker has.
const MAX_CAPACITY: u32 = 1000;
/// The longest working day: nobody promises to be there for longer.
const MAX_HOLD: u32 = 43_200;

fn wire(one: &presence::Presence, load: Load) -> Presence {
    Presence {
        worker_id: one.worker.clone(),
        present: one.present,
        capacity: one.capacity,
        load: load.live.saturating_add(load.email),
        since: Some(proto::timestamp(one.since)),
        practising: one.present && one.practising,
    }
}

impl Api {
    pub(crate) async fn set_presence(&self, request: Request<SetPresenceRequest>) -> Result<Response<SetPresenceResponse>> {
        let caller = rpc::caller(&request)?;
        let request = request.into_inner();
        let once = caller.once(&request.request_id, &request)?;
        let mut found = Violations::default();
        found.check(request.capacity <= MAX_CAPACITY, "capacity", "is more than 1000 points");
        found.check(
            request.hold_seconds <= MAX_HOLD,
            "hold_seconds",
            "is more than 43,200 s; presence must be renewed at least twice a day",
        );
        found.done()?;
        let hold = if request.hold_seconds == 0 { PRESENCE } else { Duration::from_secs(u64::from(request.hold_seconds)) };
        let (worker, organisation) = (caller.principal.id.clone(), caller.principal.organisation.clone());
        // A worker of one organisation is nobody in another's.
        let known = self.app.region().worker(&worker).is_some_and(|(owner, _)| owner.id == organisation);
        if !known {
            return Err(Error::precondition("WORKER_UNKNOWN", "the region's description has no such worker in this organisation"));
        }
        let (present, practising, capacity, scope) =
            (request.present, request.practising, request.capacity, Scope { organisation, ..Scope::default() });
        self.act(&caller, &caller.principal.organisation, once, move |desk| {
            let (worker, scope) = (worker.clone(), scope.clone());
            Box::pin(async move {
                let key: Id = presence::timer_key(&worker);
                let one = desk.set_presence(&worker, (present, practising), capacity, hold).await?;
                desk.unit.audit(key, &scope);
                let loads = roster::loads(loads::held(desk.unit.tx, &[worker.as_str()]).await?);
                let answer = SetPresenceResponse { presence: Some(wire(&one, loads.get(&worker).copied().unwrap_or_default())) };
                Ok((answer, key.to_string()))
            })
        })
        .await
    }

    pub(crate) async fn list_presence(&self, request: Request<ListPresenceRequest>) -> Result<Response<ListPresenceResponse>> {
        let caller = rpc::caller(&request)?;
        let clinic = request.into_inner().clinic_id;
        let mut found = Violations::default();
        found.optional_text("clinic_id", &clinic, MAX_NAME);
        found.done()?;
        let organisation = &caller.principal.organisation;
        let reach = caller.reach()?;
        let clinics = if clinic.is_empty() || reach == Reach::Own {
            caller.principal.clinics.clone()
        } else {
            caller.check("clinic", &Resource { organisation, clinic: &clinic, ..Resource::default() })?;
            vec![clinic]
        };
        self.app.node.log_read(&caller, vec![Node::many(&caller)]).await?;
        let region = self.app.region();
        let workers: Vec<&str> = region
            .organisation(organisation)
            .map(|described| {
                let mine = described.workers.iter().filter(|worker| worker.clinics.iter().any(|one| clinics.contains(one)));
                let there = mine.filter(|worker| reach != Reach::Own || worker.id == caller.principal.id);
                there.map(|worker| worker.id.as_str()).collect()
            })
            .unwrap_or_default();
        let rows = presence::list(&self.app.node.of(&caller), &workers).await?;
        let loads: BTreeMap<String, Load> = roster::loads(loads::committed(&self.app.node.of(&caller), &workers).await?);
        let presences = rows.values().map(|one| wire(one, loads.get(&one.worker).copied().unwrap_or_default())).collect();
        Ok(Response::new(ListPresenceResponse { presences }))
    }
}
