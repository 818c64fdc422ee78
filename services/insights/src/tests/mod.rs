//! The service in a process, with SQLite: events in, reports out.

mod orders;
mod reports;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use auth::{Principal, Role, Secret};
use kernel::{Clock, Id, Time};
use log::{Handler, Origin};
use proto::Event;
use proto::config::ApplyRegionRequest;
use proto::config::config_service_server::ConfigService;
use proto::insights::insights_service_server::InsightsService;
use proto::insights::{GetReportRequest, GetReportResponse};
use proto::intake::{
    CaseClosed, CaseErased, CaseOpened, CaseRated, CaseReferred, CaseReopened, MessagePosted, Outcome, ReferralOutcome, ReferralReported,
};
use proto::log::Envelope;
use proto::routing::CaseAssigned;
use proto::scheduling::BookingConfirmed;
use rpc::Caller;
use runtime::{Node, Peers, Platform};
use tonic::{Code, Request, Status};

use crate::api::Api;
use crate::{events, store};

const START: Time = Time::from_secs(1_700_000_000);

/// A running insights.
struct World {
    node: Node,
    api: Api,
    handlers: Vec<Arc<dyn Handler>>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(START);
        let secret = Secret::new(&[7; 32]).unwrap();
        let platform = Platform {
            store: format!("sqlite:{}", folder.path().display()),
            bus: bus::Bus::local(),
            ephemeral: ephemeral::Ephemeral::memory(clock.clone()),
            peers: Peers::new(&BTreeMap::new(), secret.clone(), clock.clone()).unwrap(),
            clock,
            secret,
            shards: 4,
            replica: None,
            smtp: String::new(),
            sms: String::new(),
            register: String::new(),
            attachments: String::new(),
            demo: false,
            shutdown: tokio_util::sync::CancellationToken::new(),
            tasks: tokio_util::task::TaskTracker::new(),
        };
        let node = platform.node("insights", &store::TABLES, |_| Vec::new()).await.unwrap();
        let world = Self {
            api: Api { node: node.clone() },
            handlers: vec![Arc::new(events::intake::Intake), Arc::new(events::routing::Routing), Arc::new(events::scheduling::Scheduling)],
            node,
            _folder: folder,
        };
        let region = region::parse("region.yaml", include_str!("region.yaml")).unwrap().region;
        let config = runtime::services::config::Config { nodes: BTreeMap::from([("insights", world.node.clone())]) };
        let message = ApplyRegionRequest { service: "insights".into(), region_json: serde_json::to_string(&region).unwrap() };
        config.apply_region(request(operator(), message)).await.unwrap();
        world
    }

    /// Lets events take effect, in one transaction.
    async fn feed(&self, events: &[Envelope]) {
        let (handlers, events) = (self.handlers.clone(), events.to_vec());
        self.node
            .commit(Id::derived(&[b"test"]), Origin::system("test").of("care"), move |unit| {
                let (handlers, events) = (handlers.clone(), events.clone());
                Box::pin(async move {
                    for event in &events {
                        let source = event.r#type.split('.').nth(1).unwrap();
                        let handler = handlers.iter().find(|handler| handler.source() == source).unwrap();
                        assert!(handler.wants(event));
                        handler.apply(unit, event).await?;
                    }
                    Ok(())
                })
            })
            .await
            .unwrap();
    }

    async fn ask(&self, principal: Principal, message: GetReportRequest) -> Result<GetReportResponse, Status> {
        self.api.get_report(request(principal, message)).await.map(tonic::Response::into_inner)
    }

    /// The whole region's.
    async fn report(&self) -> GetReportResponse {
        self.ask(operator(), GetReportRequest::default()).await.unwrap()
    }
}

fn request<T>(principal: Principal, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let rpc = "samtal.insights.v1.InsightsService/GetReport";
    request.extensions_mut().insert(Caller { principal, rpc, traceparent: String::new(), token_hash: Vec::new() });
    request
}

fn operator() -> Principal {
    Principal { role: Role::Operator, id: "op".into(), organisation: String::new(), clinics: Vec::new() }
}

fn leader(organisation: &str, clinics: &[&str]) -> Principal {
    let clinics = clinics.iter().map(|clinic| (*clinic).to_owned()).collect();
    Principal { role: Role::Leader, id: "leader".into(), organisation: organisation.into(), clinics }
}

/// The events of one case, as it goes on.
#[derive(Clone)]
struct Story {
    case: Id,
    organisation: &'static str,
    clinic: &'static str,
    practice: bool,
    at: Time,
    seq: i64,
    events: Vec<Envelope>,
}

impl Story {
    /// Opened `minute` minutes after the start, with a reason and an age band.
    fn open(organisation: &'static str, clinic: &'static str, minute: u64, reason: &str, age_band: i32) -> Self {
        let opened = CaseOpened {
            entry_point_id: "door".into(),
            contact_reason_id: reason.into(),
            age: -1,
            age_band,
            visitor_id: "visitor".into(),
            ..CaseOpened::default()
        };
        Self::of(organisation, clinic, minute, &opened)
    }

    fn of(organisation: &'static str, clinic: &'static str, minute: u64, opened: &CaseOpened) -> Self {
        let at = START + Duration::from_secs(minute * 60);
        let story = Self { case: Id::new(at), organisation, clinic, practice: false, at, seq: 0, events: Vec::new() };
        story.then(0, opened)
    }

    /// `seconds` later this happened.
    fn then<E: Event>(mut self, seconds: u64, event: &E) -> Self {
        self.at = self.at + Duration::from_secs(seconds);
        self.seq += 1;
        self.events.push(Envelope {
            event_id: Id::new(self.at).to_string(),
            key: self.case.to_string(),
            key_seq: self.seq,
            organisation_id: self.organisation.into(),
            clinic_id: self.clinic.into(),
            r#type: E::TYPE.into(),
            occurred_at: Some(proto::timestamp(self.at)),
            practice: self.practice,
            payload: event.encode_to_vec(),
            ..Envelope::default()
        });
        self
    }

    fn practice(mut self) -> Self {
        self.practice = true;
        self.events.iter_mut().for_each(|event| event.practice = true);
        self
    }

    fn message(self) -> Self {
        self.then(0, &MessagePosted::default())
    }

    fn assigned(self, seconds: u64) -> Self {
        self.then(seconds, &CaseAssigned { worker_id: "anna".into(), ..CaseAssigned::default() })
    }

    fn closed(self, outcome: Outcome) -> Self {
        self.then(60, &CaseClosed { outcome: outcome.into(), ..CaseClosed::default() })
    }

    fn rated(self, rating: i32) -> Self {
        self.then(1, &CaseRated { rating, ..Default::default() })
    }

    /// Guided on, and what was told of it afterwards, one report after another.
    fn referred(self, told: &[ReferralOutcome]) -> Self {
        let referral = Id::new(self.at).to_string();
        let mut story = self.then(1, &CaseReferred { referral_id: referral.clone(), ..CaseReferred::default() });
        for (seq, outcome) in told.iter().enumerate() {
            let own = story.seq;
            story = story.then(1, &ReferralReported { outcome: (*outcome).into(), ..ReferralReported::default() });
            story.seq = own;
            if let Some(event) = story.events.last_mut() {
                (event.key, event.key_seq) = (referral.clone(), seq as i64 + 1);
            }
        }
        story
    }

    fn booked(self) -> Self {
        let booking_id = Id::new(self.at).to_string();
        self.then(1, &BookingConfirmed { booking_id, ..BookingConfirmed::default() })
    }
}

#[track_caller]
fn fields<T: std::fmt::Debug>(answer: Result<T, Status>) -> Vec<String> {
    use tonic_types::StatusExt;
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    status.get_details_bad_request().unwrap().field_violations.into_iter().map(|violation| violation.field).collect()
}
