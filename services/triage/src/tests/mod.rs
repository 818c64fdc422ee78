//! The service in a process, with SQLite: events in, answers and events out.

mod cases;
mod rpcs;

use std::collections::BTreeMap;
use std::sync::Arc;

use auth::{Principal, Role, Secret};
use kernel::{Clock, Id, Time};
use log::{Handler, Origin};
use proto::Event;
use proto::config::ApplyRegionRequest;
use proto::config::config_service_server::ConfigService;
use proto::intake::{Answer, CaseOpened, MessagePosted, Severity};
use proto::log::Envelope;
use proto::triage::triage_service_server::TriageService;
use proto::triage::{CaseTriaged, GetTriageRequest, SetSeverityRequest, Triage};
use region::Region;
use rpc::Caller;
use runtime::{Node, Peers, Platform};
use store::args;
use tonic::{Code, Request, Status};

use crate::api::Api;
use crate::{events, problems, store as own};

const GET: &str = "samtal.triage.v1.TriageService/GetTriage";
const SET: &str = "samtal.triage.v1.TriageService/SetSeverity";

fn test_region() -> Region {
    region::parse("region.yaml", include_str!("region.yaml")).unwrap().region
}

/// A running triage.
struct World {
    node: Node,
    api: Api,
    intake: Arc<dyn Handler>,
    routing: Arc<dyn Handler>,
    case: Id,
    _folder: tempfile::TempDir,
}

impl World {
    /// Without any region yet.
    async fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Time::from_secs(1_700_000_000));
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
        let node = platform.node("triage", &own::TABLES, problems).await.unwrap();
        Self {
            api: Api { node: node.clone() },
            intake: Arc::new(events::intake::Intake { region: node.region.clone() }),
            routing: Arc::new(events::routing::Routing),
            case: Id::new(node.now()),
            node,
            _folder: folder,
        }
    }

    async fn new() -> Self {
        let world = Self::bare().await;
        world.apply(&test_region()).await.unwrap();
        world
    }

    async fn apply(&self, region: &Region) -> Result<(), Status> {
        let config = runtime::services::config::Config { nodes: BTreeMap::from([("triage", self.node.clone())]) };
        let message = ApplyRegionRequest { service: "triage".into(), region_json: serde_json::to_string(region).unwrap() };
        let operator = Principal { role: Role::Operator, id: "op".into(), organisation: String::new(), clinics: Vec::new() };
        config.apply_region(request("samtal.config.v1.ConfigService/ApplyRegion", operator, message)).await.map(|_| ())
    }

    fn event<E: Event>(&self, event: &E) -> Envelope {
        Envelope {
            event_id: Id::new(self.node.now()).to_string(),
            key: self.case.to_string(),
            organisation_id: "care".into(),
            clinic_id: "sea".into(),
            r#type: E::TYPE.into(),
            occurred_at: Some(proto::timestamp(self.node.now())),
            payload: event.encode_to_vec(),
            ..Envelope::default()
        }
    }

    /// What the consumer does: an event that is not wanted passes by.
    async fn feed(&self, handler: &Arc<dyn Handler>, event: Envelope) {
        if !handler.wants(&event) {
            return;
        }
        let handler = handler.clone();
        self.node
            .commit(self.case, Origin::event(&event), move |unit| {
                let (handler, event) = (handler.clone(), event.clone());
                Box::pin(async move { handler.apply(unit, &event).await })
            })
            .await
            .unwrap();
    }

    async fn intake<E: Event>(&self, event: &E) {
        self.feed(&self.intake, self.event(event)).await;
    }

    async fn open(&self, answers: &[(&str, &str)], red_flags: &[&str]) {
        self.intake(&opened("door", answers, red_flags)).await;
    }

    async fn flag(&self, red_flags: &[&str]) {
        self.intake(&MessagePosted { seq: 2, red_flags: strings(red_flags), ..MessagePosted::default() }).await;
    }

    /// What triage has told others of the case.
    async fn told(&self) -> Vec<CaseTriaged> {
        let rows = self
            .node
            .db()
            .of("care")
            .rows("SELECT envelope FROM event_log WHERE key = $1 ORDER BY key_seq", args![self.case.to_string()])
            .await
            .unwrap();
        rows.iter()
            .map(|row| {
                let envelope: Envelope = prost::Message::decode(row.get::<Vec<u8>>(0).unwrap().as_slice()).unwrap();
                assert_eq!((envelope.organisation_id.as_str(), envelope.clinic_id.as_str()), ("care", "sea"));
                envelope.event::<CaseTriaged>().unwrap().unwrap()
            })
            .collect()
    }

    async fn count(&self, sql: &'static str) -> i64 {
        self.node.db().of("care").row(sql, args![]).await.unwrap().unwrap().int(0).unwrap()
    }

    async fn get_as(&self, principal: Principal) -> Result<Triage, Status> {
        let message = GetTriageRequest { case_id: self.case.to_string() };
        self.api.get_triage(request(GET, principal, message)).await.map(|answer| answer.into_inner().triage.unwrap())
    }

    async fn get(&self) -> Triage {
        self.get_as(worker("anna", "care", "sea")).await.unwrap()
    }

    async fn set_as(&self, principal: Principal, message: SetSeverityRequest) -> Result<Triage, Status> {
        self.api.set_severity(request(SET, principal, message)).await.map(|answer| answer.into_inner().triage.unwrap())
    }

    async fn set(&self, severity: Severity, reason: &str) -> Result<Triage, Status> {
        self.set_as(worker("anna", "care", "sea"), self.setting(severity, reason)).await
    }

    fn setting(&self, severity: Severity, reason: &str) -> SetSeverityRequest {
        SetSeverityRequest { request_id: String::new(), case_id: self.case.to_string(), severity: severity.into(), reason: reason.into() }
    }
}

fn opened(door: &str, answers: &[(&str, &str)], red_flags: &[&str]) -> CaseOpened {
    CaseOpened {
        entry_point_id: door.into(),
        contact_reason_id: if door == "plain" { "invoice".into() } else { "cough".into() },
        answers: answers.iter().map(|(q, o)| Answer { question_id: (*q).into(), option_id: (*o).into() }).collect(),
        age: -1,
        age_band: -1,
        red_flags: strings(red_flags),
        visitor_id: "visitor".into(),
        ..CaseOpened::default()
    }
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn worker(id: &str, organisation: &str, clinic: &str) -> Principal {
    Principal { role: Role::Worker, id: id.into(), organisation: organisation.into(), clinics: vec![clinic.into()] }
}

fn request<T>(rpc: &'static str, principal: Principal, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Caller { principal, rpc, traceparent: String::new(), token_hash: Vec::new() });
    request
}

/// The fields that a refusal names.
#[track_caller]
fn fields<T: std::fmt::Debug>(answer: Result<T, Status>) -> Vec<String> {
    use tonic_types::StatusExt;
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    status.get_details_bad_request().unwrap().field_violations.into_iter().map(|violation| violation.field).collect()
}
