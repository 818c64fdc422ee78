//! The service in one process, with a mail server of the test's own and a clock that the test moves.

mod delivery;
mod inbox;
mod sms;
mod smtp;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use auth::{Principal, Role, Secret};
use kernel::{Clock, Id, Time};
use log::timers::Standing;
use log::{Handler, Origin};
use proto::config::ApplyRegionRequest;
use proto::config::config_service_server::ConfigService;
use proto::log::Envelope;
use proto::notifications::notification_service_server::NotificationService;
use proto::notifications::{self as wire, DeliveryEnded};
use proto::{Event, intake, routing};
use rpc::Caller;
use runtime::services::config::Config;
use runtime::{Node, Peers, Platform};
use tokio::sync::watch;
use tonic::{Request, Status};

use crate::domain::delivery::State;
use crate::{api, app, events, store as tables};

/// Stands in every name that must never leave the suite.
const CANARY: &str = "kanariefagel";

const REGION: &str = r#"
region: Test
organisations:
  - id: one
    name: kanariefagel one
    country: SE
    timezone: Europe/Stockholm
    languages: [sv, en, nb, nn]
    clinics: [{ id: sea, name: kanariefagel psykiatri }]
    catalogue: { version: 1, reasons: [{ id: other, name: { sv: kanariefagel, en: kanariefagel, nb: kanariefagel, nn: kanariefagel } }] }
    calendars: [{ id: always, weeks: [], always_open: true }]
    queues: [{ id: queue, clinic: sea }]
    workers: [{ id: anna, name: Anna kanariefagel, clinics: [sea], profession: nurse }]
    entry_points:
      - id: door
        clinic: sea
        name: { sv: kanariefagel, en: kanariefagel, nb: kanariefagel, nn: kanariefagel }
        queue: queue
        calendar: always
        retention_days: 30
        away_seconds: 120
    mail: { from: "Meddelande <noreply@example.org>", public_url: "https://example.org/" }
"#;

const AWAY: Duration = Duration::from_secs(120);

fn start() -> Time {
    Time::from_secs(1_772_000_000)
}

/// The service under test.
struct Rig {
    node: Node,
    api: api::Api,
    intake: Arc<events::Intake>,
    standing: watch::Receiver<Standing>,
    _folder: tempfile::TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.node.platform.shutdown.cancel();
    }
}

impl Rig {
    async fn new(smtp: &str) -> Self {
        Self::with(smtp, "").await
    }

    async fn with(smtp: &str, sms: &str) -> Self {
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
            smtp: smtp.to_owned(),
            sms: sms.to_owned(),
            register: String::new(),
            attachments: String::new(),
            demo: false,
            shutdown: Default::default(),
            tasks: Default::default(),
        };
        let node = platform.node(crate::SERVICE, &tables::TABLES, app::check::check).await.unwrap();
        let config = Config { nodes: BTreeMap::from([(crate::SERVICE, node.clone())]) };
        let region = region::parse("test.yaml", REGION).unwrap().region;
        let apply = ApplyRegionRequest { service: crate::SERVICE.into(), region_json: serde_json::to_string(&region).unwrap() };
        let operator = Principal { role: Role::Operator, ..Principal::anonymous() };
        config.apply_region(request("samtal.config.v1.ConfigService/ApplyRegion", &operator, apply)).await.unwrap();
        let outbox = app::sender::start(&node).unwrap();
        let intake = Arc::new(events::Intake { region: node.region.clone(), open: outbox.open(), first_start: start() });
        let open = outbox.open();
        let standing = node.timers(Arc::new(app::deliver::Deliveries { outbox }));
        Self { api: api::Api { node: node.clone(), open }, node, intake, standing, _folder: folder }
    }

    /// A case whose visitor has left an address.
    async fn case(&self, n: u32) -> Id {
        let case = Id::derived(&[b"case", &n.to_le_bytes()]);
        let opened =
            intake::CaseOpened { entry_point_id: "door".into(), visitor_id: visitor_id(case), language: "sv".into(), ..Default::default() };
        self.intake(case, &opened).await;
        self.contact(&visitor(case), case, "anna@example.net", "").await.unwrap();
        case
    }

    async fn contact(&self, caller: &Principal, case: Id, email: &str, language: &str) -> Result<(), Status> {
        let message =
            wire::SetContactRequest { case_id: case.to_string(), email: email.into(), language: language.into(), ..Default::default() };
        self.set_contact(caller, message).await
    }

    async fn set_contact(&self, caller: &Principal, message: wire::SetContactRequest) -> Result<(), Status> {
        self.api.set_contact(request("samtal.notifications.v1.NotificationService/SetContact", caller, message)).await.map(|_| ())
    }

    async fn intake<E: Event>(&self, case: Id, event: &E) {
        self.apply(self.intake.clone(), envelope(case, event)).await;
    }

    async fn routing<E: Event>(&self, case: Id, event: &E) {
        self.apply(Arc::new(events::Routing { first_start: start() }), envelope(case, event)).await;
    }

    /// A worker has answered while nobody looked.
    async fn answered(&self, case: Id) {
        let posted = intake::MessagePosted {
            sender_kind: intake::SenderKind::Worker.into(),
            worker_id: "anna".into(),
            visitor_away: true,
            ..Default::default()
        };
        self.intake(case, &posted).await;
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

    /// Moves the clock, and returns once everything due by then has been begun.
    async fn advance(&self, span: Duration) {
        let to = self.node.now() + span;
        self.node.clock().advance_to(to);
        let (mut standing, changes) = (self.standing.clone(), self.node.log.timer_changes());
        standing.wait_for(|standing| standing.next > to && standing.changes >= changes).await.unwrap();
    }

    /// Moves the clock to the next timer.
    async fn advance_to_next(&self) {
        let changes = self.node.log.timer_changes();
        let next = self.standing.clone().wait_for(|standing| standing.changes >= changes).await.unwrap().next;
        self.advance(next.since(self.node.now())).await;
    }

    /// The visitor's mails of `case`, newest first, once the newest is in `state` after so many tries.
    async fn until(&self, case: Id, state: State, tries: u32) -> Vec<wire::Notification> {
        let (mut standing, mut heads) = (self.standing.clone(), self.node.log.progress().heads());
        loop {
            standing.mark_unchanged();
            heads.mark_unchanged();
            // Callers of the API do not see whether a mail is on its way.
            let newest =
                "SELECT state, tries FROM notification WHERE case_id = $1 AND channel <> 'in_app' ORDER BY created_at DESC, id DESC";
            let row = self.node.db().of("care").row(newest, store::args![case]).await.unwrap().unwrap();
            if (row.text(0).unwrap().as_str(), row.int(1).unwrap()) == (state.code(), i64::from(tries)) {
                return self.outgoing(case).await;
            }
            tokio::select! {
                changed = standing.changed() => changed.unwrap(),
                changed = heads.changed() => changed.unwrap(),
            }
        }
    }

    async fn list(&self, caller: &Principal, case_id: &str) -> Result<Vec<wire::Notification>, Status> {
        let message = wire::ListNotificationsRequest { case_id: case_id.into() };
        let answer =
            self.api.list_notifications(request("samtal.notifications.v1.NotificationService/ListNotifications", caller, message)).await?;
        Ok(answer.into_inner().notifications)
    }

    /// What leaves for the visitor, newest first.
    async fn outgoing(&self, case: Id) -> Vec<wire::Notification> {
        let mut all = self.list(&visitor(case), &case.to_string()).await.unwrap();
        all.retain(|one| one.channel() != wire::DeliveryChannel::InApp);
        all
    }

    /// The visitor's mails, newest first.
    async fn mails(&self, case: Id) -> Vec<wire::Notification> {
        let mut all = self.list(&visitor(case), &case.to_string()).await.unwrap();
        all.retain(|one| one.channel() == wire::DeliveryChannel::Email);
        all
    }

    /// Channel, state and tries of what has ended, in order.
    async fn ended(&self, case: Id) -> Vec<(String, String, u32)> {
        let rows = self
            .node
            .db()
            .of("care")
            .rows("SELECT envelope FROM event_log WHERE key = $1 ORDER BY key_seq", store::args![case.to_string()])
            .await
            .unwrap();
        rows.iter()
            .map(|row| {
                let envelope = <Envelope as prost::Message>::decode(row.get::<Vec<u8>>(0).unwrap().as_slice()).unwrap();
                let ended = envelope.event::<DeliveryEnded>().unwrap().unwrap();
                (ended.channel, ended.state, ended.tries)
            })
            .collect()
    }

    async fn count(&self, sql: &'static str) -> i64 {
        self.node.db().of("care").row(sql, store::args![]).await.unwrap().unwrap().int(0).unwrap()
    }

    async fn exec(&self, sql: &'static str) {
        self.node
            .db()
            .of("care")
            .transaction(move |tx| Box::pin(async move { tx.exec(sql, store::args![]).await.map(|_| ()) }))
            .await
            .unwrap();
    }
}

fn ended(channel: &str, state: &str, tries: u32) -> (String, String, u32) {
    (channel.into(), state.into(), tries)
}

fn envelope<E: Event>(case: Id, event: &E) -> Envelope {
    Envelope {
        event_id: Id::new(start()).to_string(),
        key: case.to_string(),
        occurred_at: Some(proto::timestamp(start())),
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

fn worker(id: &str, organisation: &str) -> Principal {
    Principal { role: Role::Worker, id: id.into(), organisation: organisation.into(), clinics: vec!["sea".into()] }
}

fn visitor(case: Id) -> Principal {
    Principal { role: Role::Visitor, id: visitor_id(case), organisation: "one".into(), clinics: Vec::new() }
}

fn visitor_id(case: Id) -> String {
    Id::derived(&[b"visitor", case.as_bytes()]).to_string()
}

/// The fields that an INVALID_ARGUMENT names.
fn fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
    let details = tonic_types::StatusExt::get_details_bad_request(status).unwrap();
    details.field_violations.into_iter().map(|violation| violation.field).collect()
}
