//! The service in one process, on its own store, with a clock that the test moves.

mod bookings;
mod openings;
mod race;

use std::collections::BTreeMap;
use std::sync::Arc;

use auth::{Principal, Role, Secret};
use kernel::{Clock, Id, Time};
use log::timers::Standing;
use log::{Handler, Origin};
use prost_types::Timestamp;
use proto::config::ApplyRegionRequest;
use proto::config::config_service_server::ConfigService;
use proto::log::Envelope;
use proto::scheduling::{self as wire, scheduling_service_server::SchedulingService};
use proto::{Event, intake, routing};
use rpc::Caller;
use runtime::services::config::Config;
use runtime::{Node, Peers, Platform};
use tokio::sync::watch;
use tonic::{Request, Status};

use crate::{api, app, events, store as tables};

const REGION: &str = r#"
region: Test
organisations:
  - id: one
    name: One
    country: SE
    timezone: Europe/Stockholm
    languages: [sv, en]
    clinics: [{ id: sea, name: Sea }, { id: wood, name: Wood }]
    catalogue: { version: 1, reasons: [{ id: other, name: { sv: Annat, en: Other } }] }
    calendars:
      - id: days
        weeks: [{ hours: { mon: ["08:00-12:00", "13:00-15:00"], tue: ["08:00-12:00"] } }]
        holidays: closed_with_eves
        exceptions: [{ date: 2026-03-10, reason: Planeringsdag }]
      - { id: always, weeks: [], always_open: true }
    queues: [{ id: queue, clinic: sea }]
    workers: [{ id: anna, name: Anna, clinics: [sea], profession: nurse }]
    resources:
      - { id: chair, clinic: sea, name: Stolen, channel: onsite, calendar: days, slot_minutes: 30 }
      - { id: video, clinic: sea, name: Video, channel: video, calendar: days, slot_minutes: 60 }
    entry_points:
      - { id: door, clinic: sea, name: { sv: Dörr, en: Door }, queue: queue, calendar: days, retention_days: 30 }
  - id: two
    name: Two
    country: "NO"
    timezone: Europe/Oslo
    languages: [nb]
    clinics: [{ id: fjord, name: Fjord }]
    catalogue: { version: 1, reasons: [{ id: annet, name: { nb: Annet } }] }
    calendars: [{ id: dager, weeks: [{ hours: { mon: ["08:00-12:00"] } }] }]
    queues: [{ id: ko, clinic: fjord }]
    resources: [{ id: stol, clinic: fjord, name: Stol, channel: onsite, calendar: dager, slot_minutes: 30 }]
    entry_points:
      - { id: dor, clinic: fjord, name: { nb: Dør }, queue: ko, calendar: dager, retention_days: 30 }
"#;

/// The service under test.
struct Rig {
    node: Node,
    api: Arc<api::Api>,
    standing: watch::Receiver<Standing>,
    _folder: tempfile::TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.node.platform.shutdown.cancel();
    }
}

/// Monday 2 March 2026, 07:00 in Stockholm: an hour before the door opens.
fn start() -> Time {
    at("2026-03-02T07:00")
}

/// A moment by a wall clock in Stockholm.
fn at(local: &str) -> Time {
    let local: jiff::civil::DateTime = local.parse().unwrap();
    let tz = jiff::tz::TimeZoneDatabase::bundled().get("Europe/Stockholm").unwrap();
    Time::from_micros(tz.to_ambiguous_timestamp(local).earlier().unwrap().as_microsecond())
}

fn stamp(local: &str) -> Option<Timestamp> {
    Some(proto::timestamp(at(local)))
}

fn reason(status: &Status) -> String {
    rpc::status::reason(status).unwrap_or_default()
}

/// The fields that an INVALID_ARGUMENT names.
fn fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
    let details = tonic_types::StatusExt::get_details_bad_request(status).unwrap();
    details.field_violations.into_iter().map(|violation| violation.field).collect()
}

impl Rig {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // One test at a time may be given an empty PostgreSQL database instead.
        let store = match std::env::var_os("SAMTAL_TEST_STORE") {
            Some(url) => url.into_string().unwrap(),
            None => format!("sqlite:{}", folder.path().display()),
        };
        let clock = Clock::manual(start());
        let secret = Secret::new(&[7; 32]).unwrap();
        let platform = Platform {
            store,
            bus: bus::Bus::local(),
            ephemeral: ephemeral::Ephemeral::memory(clock.clone()),
            clock: clock.clone(),
            secret: secret.clone(),
            peers: Peers::new(&BTreeMap::new(), secret, clock).unwrap(),
            shards: 4,
            replica: None,
            smtp: String::new(),
            sms: String::new(),
            register: String::new(),
            attachments: String::new(),
            demo: false,
            shutdown: Default::default(),
            tasks: Default::default(),
        };
        let node = platform.node(crate::SERVICE, &tables::TABLES, app::check::check).await.unwrap();
        let region = region::parse("test.yaml", REGION).unwrap().region;
        let config = Config { nodes: BTreeMap::from([(crate::SERVICE, node.clone())]) };
        let apply = ApplyRegionRequest { service: crate::SERVICE.into(), region_json: serde_json::to_string(&region).unwrap() };
        let operator = Principal { role: Role::Operator, ..Principal::anonymous() };
        config.apply_region(request("samtal.config.v1.ConfigService/ApplyRegion", &operator, apply)).await.unwrap();
        let standing = node.timers(Arc::new(app::timers::Holds));
        Self { api: Arc::new(api::Api { node: node.clone() }), node, standing, _folder: folder }
    }

    /// A case that somebody has opened, held by `anna`.
    async fn case(&self, n: u32) -> Id {
        let case = Id::derived(&[b"case", &n.to_le_bytes()]);
        self.intake(case, &intake::CaseOpened { entry_point_id: "door".into(), visitor_id: visitor_id(case), ..Default::default() }).await;
        let assigned = routing::CaseAssigned { worker_id: "anna".into(), how: "accepted".into(), ..Default::default() };
        self.apply(Arc::new(events::Routing), envelope(case, &assigned)).await;
        case
    }

    async fn intake<E: Event>(&self, case: Id, event: &E) {
        self.apply(Arc::new(events::Intake), envelope(case, event)).await;
    }

    async fn apply(&self, handler: Arc<dyn Handler>, event: Envelope) {
        let key: Id = event.key.parse().unwrap();
        assert!(handler.wants(&event));
        self.node
            .commit(key, Origin::event(&event), move |unit| {
                let (handler, event) = (handler.clone(), event.clone());
                Box::pin(async move { handler.apply(unit, &event).await })
            })
            .await
            .unwrap();
    }

    /// Moves the clock, and returns once everything due by then has taken effect.
    async fn advance(&self, to: Time) {
        self.node.clock().advance_to(to);
        let (mut standing, changes) = (self.standing.clone(), self.node.log.timer_changes());
        standing.wait_for(|standing| standing.next > to && standing.changes >= changes).await.unwrap();
    }

    async fn hold(&self, caller: &Principal, case: Id, resource: &str, local: &str) -> Result<wire::Booking, Status> {
        let request = wire::HoldSlotRequest {
            case_id: case.to_string(),
            resource_id: resource.into(),
            starts_at: stamp(local),
            ..Default::default()
        };
        self.hold_as(caller, request).await
    }

    async fn hold_as(&self, caller: &Principal, message: wire::HoldSlotRequest) -> Result<wire::Booking, Status> {
        let answer = self.api.hold_slot(request("samtal.scheduling.v1.SchedulingService/HoldSlot", caller, message)).await?;
        Ok(answer.into_inner().booking.unwrap())
    }

    async fn confirm(&self, caller: &Principal, booking: &str, external_ref: &str) -> Result<wire::Booking, Status> {
        let message = wire::ConfirmBookingRequest { booking_id: booking.into(), external_ref: external_ref.into(), ..Default::default() };
        let answer = self.api.confirm_booking(request("samtal.scheduling.v1.SchedulingService/ConfirmBooking", caller, message)).await?;
        Ok(answer.into_inner().booking.unwrap())
    }

    async fn cancel(&self, caller: &Principal, booking: &str) -> Result<wire::Booking, Status> {
        let message = wire::CancelBookingRequest { booking_id: booking.into(), ..Default::default() };
        let answer = self.api.cancel_booking(request("samtal.scheduling.v1.SchedulingService/CancelBooking", caller, message)).await?;
        Ok(answer.into_inner().booking.unwrap())
    }

    async fn get(&self, caller: &Principal, booking: &str) -> Result<wire::Booking, Status> {
        let message = wire::GetBookingRequest { booking_id: booking.into() };
        let answer = self.api.get_booking(request("samtal.scheduling.v1.SchedulingService/GetBooking", caller, message)).await?;
        Ok(answer.into_inner().booking.unwrap())
    }

    /// Types of the events of a case so far, with the flag of those that end a booking.
    async fn events(&self, case: Id) -> Vec<String> {
        let rows = self
            .node
            .db()
            .of("care")
            .rows("SELECT envelope FROM event_log WHERE key = $1 ORDER BY key_seq", store::args![case.to_string()])
            .await
            .unwrap();
        let read = |row: &store::Row| <Envelope as prost::Message>::decode(row.get::<Vec<u8>>(0).unwrap().as_slice()).unwrap();
        rows.iter()
            .map(|row| {
                let envelope = read(row);
                let name = envelope.r#type.rsplit('.').next().unwrap().to_owned();
                match envelope.event::<wire::BookingCancelled>().unwrap() {
                    Some(ended) if ended.expired => format!("{name} expired"),
                    _ => name,
                }
            })
            .collect()
    }

    async fn count(&self, sql: &'static str) -> i64 {
        self.node.db().of("care").row(sql, store::args![]).await.unwrap().unwrap().int(0).unwrap()
    }
}

fn envelope<E: Event>(case: Id, event: &E) -> Envelope {
    Envelope {
        event_id: Id::new(start()).to_string(),
        key: case.to_string(),
        organisation_id: "one".into(),
        clinic_id: "sea".into(),
        r#type: E::TYPE.into(),
        payload: event.encode_to_vec(),
        ..Default::default()
    }
}

fn request<T>(rpc: &'static str, caller: &Principal, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Caller { principal: caller.clone(), rpc, traceparent: String::new(), token_hash: Vec::new() });
    request
}

fn anna() -> Principal {
    worker("anna", "one", "sea")
}

fn worker(id: &str, organisation: &str, clinic: &str) -> Principal {
    Principal { role: Role::Worker, id: id.into(), organisation: organisation.into(), clinics: vec![clinic.into()] }
}

fn visitor(case: Id) -> Principal {
    Principal { role: Role::Visitor, id: visitor_id(case), organisation: "one".into(), clinics: Vec::new() }
}

fn visitor_id(case: Id) -> String {
    Id::derived(&[b"visitor", case.as_bytes()]).to_string()
}
