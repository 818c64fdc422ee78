//! ListOffers, AcceptOffer, DeclineOffer.

use std::collections::BTreeMap;

use auth::Resource;
use kernel::error::Violations;
use kernel::{Id, Result};
use log::Scope;
use proto::routing::{
    AcceptOfferRequest, AcceptOfferResponse, DeclineOfferRequest, DeclineOfferResponse, ListOffersRequest, ListOffersResponse, Offer,
};
use rpc::Caller;
use tonic::{Request, Response};

use super::Api;
use crate::app::desk::Note;
use crate::app::roster;
use crate::domain::case::{Command, decide};
use crate::store::alerts::{self, Alert};
use crate::store::offers::{self, Open, Whose};

pub(super) fn wire(open: &Open) -> Offer {
    Offer {
        offer_id: open.offer.to_string(),
        case_id: open.case.to_string(),
        worker_id: open.worker.clone(),
        queue_id: open.queue.clone(),
        severity: proto::intake::Severity::from(open.severity).into(),
        created_at: Some(proto::timestamp(open.created_at)),
        expires_at: Some(proto::timestamp(open.expires_at)),
    }
}

/// What a worker is asked.
pub(super) struct Asked {
    pub offers: Vec<Open>,
    pub alerts: Vec<Alert>,
}

impl Asked {
    /// The cases that this shows, each once, for the access log.
    pub fn cases(&self) -> Vec<(Id, Scope)> {
        let offered = self.offers.iter().map(|open| (open.case, open.scope.clone()));
        let alerted = self.alerts.iter().map(|alert| (alert.case, alert.scope.clone()));
        offered.chain(alerted).collect::<BTreeMap<_, _>>().into_iter().collect()
    }
}

impl Api {
    pub(crate) async fn list_offers(&self, request: Request<ListOffersRequest>) -> Result<Response<ListOffersResponse>> {
        let caller = rpc::caller(&request)?;
        let asked = self.asked(&caller).await?;
        self.app.node.log_read(&caller, asked.cases()).await?;
        let answer = ListOffersResponse {
            offers: asked.offers.iter().map(wire).collect(),
            alerts: asked.alerts.iter().map(super::alert::wire).collect(),
        };
        Ok(Response::new(answer))
    }

    /// Everything that the caller is asked to look at now.
    pub(super) async fn asked(&self, caller: &Caller) -> Result<Asked> {
        let (db, principal) = (self.app.node.of(caller), &caller.principal);
        Ok(Asked {
            offers: offers::list(&db, &principal.organisation, &principal.id, self.app.node.now()).await?,
            alerts: alerts::list(&db, &principal.organisation, &principal.id).await?,
        })
    }

    /// The offer, if it was made to the caller; to all others it does not exist.
    async fn own_offer(&self, caller: &Caller, offer: Id) -> Result<Whose> {
        let whose = offers::whose(&self.app.node.of(caller), offer).await?;
        caller.check("offer", &Resource { organisation: &whose.organisation, owner: &whose.worker, ..Resource::default() })?;
        Ok(whose)
    }

    pub(crate) async fn accept_offer(&self, request: Request<AcceptOfferRequest>) -> Result<Response<AcceptOfferResponse>> {
        let caller = rpc::caller(&request)?;
        let request = request.into_inner();
        let once = caller.once(&request.request_id, &request)?;
        let mut found = Violations::default();
        let offer = found.id("offer_id", &request.offer_id);
        found.done()?;
        let whose = self.own_offer(&caller, offer).await?;
        let (case, worker) = (whose.case, whose.worker);
        self.act(&caller, &whose.organisation, once, move |desk| {
            let worker = worker.clone();
            Box::pin(async move {
                let mut row = desk.the_case(case).await?;
                let handed_over = row.case.holder().is_some();
                let mut decision = decide(&row.case, &Command::Accept { offer, worker: worker.clone() }, desk.now())?;
                if handed_over {
                    // The case follows a colleague of another clinic, so that their clinic's staff can see it.
                    let needs = &decision.case.needs;
                    if let Some(home) = roster::home_of(&desk.region, &worker, &needs.queue, needs.profession) {
                        decision.case.needs.queue = home;
                    }
                }
                let how = if handed_over { "transferred" } else { "accepted" };
                desk.perform(&mut row, decision, Note { how, why: "the worker accepted the offer".to_owned(), ..Note::default() }).await?;
                desk.unit.audit(case, &row.scope());
                let answer = AcceptOfferResponse { case_id: case.to_string(), assigned_at: Some(proto::timestamp(desk.now())) };
                Ok((answer, case.to_string()))
            })
        })
        .await
    }

    pub(crate) async fn decline_offer(&self, request: Request<DeclineOfferRequest>) -> Result<Response<DeclineOfferResponse>> {
        let caller = rpc::caller(&request)?;
        let request = request.into_inner();
        let once = caller.once(&request.request_id, &request)?;
        let mut found = Violations::default();
        let offer = found.id("offer_id", &request.offer_id);
        found.done()?;
        let whose = self.own_offer(&caller, offer).await?;
        let case = whose.case;
        self.act(&caller, &whose.organisation, once, move |desk| {
            Box::pin(async move {
                let mut row = desk.the_case(case).await?;
                desk.act(&mut row, &Command::Decline { offer }, Note::default()).await?;
                desk.unit.audit(case, &row.scope());
                Ok((DeclineOfferResponse {}, case.to_string()))
            })
        })
        .await
    }
}
