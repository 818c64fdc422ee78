//! The service without its neighbours: events are handed to the handlers, RPCs are called directly.

mod alerts;
mod building;
mod claims;
mod emergencies;
mod events;
mod offers;
mod presence;
mod races;
mod region_yaml;
mod retire;

use std::collections::BTreeMap;
use std::time::Duration;

use auth::{Principal, Role, Secret};
use kernel::{Clock, Code, Id, Profession, Severity, Time};
use log::timers::Standing;
use log::{Handler, Origin};
use proto::Event;
use proto::intake::{CaseClosed, CaseMode, CaseOpened, Outcome};
use proto::log::Envelope;
use proto::routing as wire;
use proto::triage::CaseTriaged;
use rpc::Caller;
use runtime::{Peers, Platform};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response};

use crate::api::Api;
use crate::app::{App, timers::Due};
use crate::events::{Intake, Triage};

const START: Time = Time::from_secs(1_700_000_000);

struct Suite {
    app: App,
    api: Api,
    clock: Clock,
    standing: watch::Receiver<Standing>,
    shutdown: CancellationToken,
    _dir: tempfile::TempDir,
}

fn principal(role: Role, organisation: &str, id: &str, clinics: &[&str]) -> Principal {
    Principal { role, id: id.into(), organisation: organisation.into(), clinics: clinics.iter().map(|one| (*one).to_owned()).collect() }
}

fn anna() -> Principal {
    principal(Role::Worker, "sjukvard", "anna", &["ett"])
}

fn bea() -> Principal {
    principal(Role::Worker, "sjukvard", "bea", &["ett"])
}

fn lea() -> Principal {
    principal(Role::Leader, "sjukvard", "lea", &["ett", "tva"])
}

fn bo() -> Principal {
    principal(Role::Worker, "annan", "bo", &["bortom"])
}

fn visitor() -> Principal {
    principal(Role::Visitor, "sjukvard", "visitor-1", &[])
}

fn method(name: &'static str) -> &'static str {
    auth::policy::POLICY.iter().map(|(rpc, _)| *rpc).find(|rpc| rpc.ends_with(&format!("RoutingService/{name}"))).unwrap()
}

/// A request that has passed the gate.
fn from<T>(principal: Principal, rpc: &'static str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let caller = Caller { principal, rpc: method(rpc), traceparent: String::new(), token_hash: Vec::new() };
    request.extensions_mut().insert(caller);
    request
}

fn case(n: u8) -> Id {
    Id::derived(&[b"case", &[n]])
}

type Refused = (Code, &'static str);

fn refusal<T: std::fmt::Debug>(done: kernel::Result<T>) -> Refused {
    let error = done.unwrap_err();
    (error.code, error.reason)
}

impl Suite {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // One test at a time may be given an empty PostgreSQL database instead.
        let store = match std::env::var_os("SAMTAL_TEST_STORE") {
            Some(url) => url.into_string().unwrap(),
            None => format!("sqlite:{}", dir.path().display()),
        };
        let clock = Clock::manual(START);
        let secret = Secret::new(&[7; 32]).unwrap();
        let shutdown = CancellationToken::new();
        let platform = Platform {
            store,
            bus: bus::Bus::local(),
            ephemeral: ephemeral::Ephemeral::memory(clock.clone()),
            clock: clock.clone(),
            secret: secret.clone(),
            peers: Peers::new(&BTreeMap::new(), secret, clock.clone()).unwrap(),
            shards: 4,
            replica: None,
            smtp: String::new(),
            sms: String::new(),
            register: String::new(),
            attachments: String::new(),
            demo: false,
            shutdown: shutdown.clone(),
            tasks: TaskTracker::new(),
        };
        let node = platform.node("routing", &crate::store::TABLES, crate::check).await.unwrap();
        region_yaml::apply(&node).await;
        let app = App::new(node.clone());
        let standing = node.timers(std::sync::Arc::new(Due(app.desks.clone())));
        Self { api: Api::new(app.clone()), app, clock, standing, shutdown, _dir: dir }
    }

    /// Lets time pass; returns once everything due has happened.
    async fn pass(&mut self, secs: u64) {
        // Step by step, so that what a timer brings about is due in its own turn.
        for _ in 0..secs {
            let to = self.clock.now() + Duration::from_secs(1);
            self.clock.advance_to(to);
            let log = self.app.node.log.clone();
            self.standing.wait_for(|standing| standing.next > to && standing.changes == log.timer_changes()).await.unwrap();
        }
    }

    async fn happens<E: Event>(&self, handler: impl Fn(&App) -> Box<dyn Handler> + Send + Sync + 'static, n: u8, event: E) {
        let envelope = Envelope {
            event_id: Id::new(self.clock.now()).to_string(),
            key: case(n).to_string(),
            organisation_id: "sjukvard".into(),
            clinic_id: "ett".into(),
            r#type: E::TYPE.into(),
            occurred_at: Some(proto::timestamp(self.clock.now())),
            payload: event.encode_to_vec(),
            ..Envelope::default()
        };
        let app = self.app.clone();
        let origin = Origin::event(&envelope);
        self.app
            .node
            .commit(case(n), origin, move |unit| {
                let (handler, envelope) = (handler(&app), envelope.clone());
                Box::pin(async move { handler.apply(unit, &envelope).await })
            })
            .await
            .unwrap();
    }

    async fn intake(&self, n: u8, event: impl Event) {
        self.happens(|app| Box::new(Intake(app.desks.clone())), n, event).await;
    }

    async fn open(&self, n: u8) {
        self.intake(n, opened("dorr")).await;
    }

    async fn triage(&self, n: u8, severity: Severity, queue: &str) {
        let event = CaseTriaged {
            severity: proto::intake::Severity::from(severity).into(),
            profession: Profession::Any.code().into(),
            queue_id: queue.into(),
            ..CaseTriaged::default()
        };
        self.happens(|app| Box::new(Triage(app.desks.clone())), n, event).await;
    }

    /// Opened and triaged.
    async fn arrive(&self, n: u8, severity: Severity, queue: &str) {
        self.open(n).await;
        self.triage(n, severity, queue).await;
    }

    async fn close(&self, n: u8) {
        self.intake(n, CaseClosed { outcome: Outcome::Advice.into(), ..CaseClosed::default() }).await;
    }

    async fn present(&self, worker: Principal, capacity: u32) -> wire::Presence {
        let message = wire::SetPresenceRequest { present: true, capacity, ..Default::default() };
        self.api.set_presence(from(worker, "SetPresence", message)).await.unwrap().into_inner().presence.unwrap()
    }

    async fn leave(&self, worker: Principal) {
        let message = wire::SetPresenceRequest::default();
        self.api.set_presence(from(worker, "SetPresence", message)).await.unwrap();
    }

    async fn offers(&self, worker: Principal) -> Vec<wire::Offer> {
        self.api.list_offers(from(worker, "ListOffers", wire::ListOffersRequest {})).await.unwrap().into_inner().offers
    }

    /// Whom a worker has asked to take over, and whether they have turned it down.
    async fn handovers(&self, worker: Principal) -> Vec<(String, bool)> {
        let answer = self.api.list_handovers(from(worker, "ListHandovers", wire::ListHandoversRequest {})).await.unwrap();
        answer.into_inner().handovers.into_iter().map(|one| (one.to_worker_id, one.turned_down)).collect()
    }

    /// The one open offer to a worker.
    async fn offer(&self, worker: Principal) -> String {
        let offers = self.offers(worker).await;
        assert_eq!(offers.len(), 1, "{offers:?}");
        offers[0].offer_id.clone()
    }

    async fn accept(&self, worker: Principal, offer: &str, request_id: &str) -> kernel::Result<Response<wire::AcceptOfferResponse>> {
        let message = wire::AcceptOfferRequest { request_id: request_id.into(), offer_id: offer.into() };
        self.api.accept_offer(from(worker, "AcceptOffer", message)).await
    }

    async fn decline(&self, worker: Principal, offer: &str) -> kernel::Result<()> {
        let message = wire::DeclineOfferRequest { request_id: String::new(), offer_id: offer.into() };
        self.api.decline_offer(from(worker, "DeclineOffer", message)).await.map(|_| ())
    }

    async fn claim(&self, worker: Principal, n: u8) -> kernel::Result<()> {
        let message = wire::ClaimCaseRequest { case_id: case(n).to_string(), ..Default::default() };
        self.api.claim_case(from(worker, "ClaimCase", message)).await.map(|_| ())
    }

    async fn release(&self, worker: Principal, n: u8) -> kernel::Result<()> {
        let message = wire::ReleaseCaseRequest { case_id: case(n).to_string(), ..Default::default() };
        self.api.release_case(from(worker, "ReleaseCase", message)).await.map(|_| ())
    }

    async fn transfer(&self, worker: Principal, n: u8, to: &str) -> kernel::Result<()> {
        let message = wire::TransferCaseRequest {
            request_id: String::new(),
            case_id: case(n).to_string(),
            worker_id: to.into(),
            ..Default::default()
        };
        self.api.transfer_case(from(worker, "TransferCase", message)).await.map(|_| ())
    }

    async fn queue(&self, who: Principal, queue: &str) -> kernel::Result<Vec<wire::QueuedCase>> {
        let message = wire::ListQueueRequest { queue_id: queue.into() };
        Ok(self.api.list_queue(from(who, "ListQueue", message)).await?.into_inner().cases)
    }

    async fn position(&self, who: Principal, n: u8) -> kernel::Result<wire::GetPositionResponse> {
        let message = wire::GetPositionRequest { case_id: case(n).to_string() };
        Ok(self.api.get_position(from(who, "GetPosition", message)).await?.into_inner())
    }

    async fn explain(&self, n: u8) -> Vec<wire::Decision> {
        let message = wire::ExplainRequest { case_id: case(n).to_string() };
        self.api.explain(from(lea(), "Explain", message)).await.unwrap().into_inner().decisions
    }

    async fn kinds(&self, n: u8) -> Vec<String> {
        self.explain(n).await.into_iter().map(|one| one.kind).collect()
    }

    /// Everything that routing said of a case, oldest first: the event's short name, and its payload.
    async fn said(&self, n: u8) -> Vec<Envelope> {
        let rows = self
            .app
            .node
            .db()
            .of("care")
            .rows("SELECT envelope FROM event_log WHERE key = $1 ORDER BY position", store::args![case(n).to_string()])
            .await
            .unwrap();
        rows.iter().map(|row| prost::Message::decode(row.get::<Vec<u8>>(0).unwrap().as_slice()).unwrap()).collect()
    }

    async fn said_types(&self, n: u8) -> Vec<String> {
        self.said(n).await.iter().map(|one| one.r#type.rsplit('.').next().unwrap().to_owned()).collect()
    }

    async fn last<E: Event>(&self, n: u8) -> E {
        self.said(n).await.iter().rev().find_map(|one| one.event::<E>().unwrap()).unwrap()
    }
}

impl Drop for Suite {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn opened(door: &str) -> CaseOpened {
    CaseOpened {
        entry_point_id: door.into(),
        channel: proto::intake::Channel::Chat.into(),
        mode: CaseMode::Live.into(),
        language: "sv".into(),
        visitor_id: "visitor-1".into(),
        age: -1,
        age_band: -1,
        ..CaseOpened::default()
    }
}
