//! The whole suite in this process, on either stack, with a small region and tokens for everybody in it.
//!
//! ```ignore
//! let suite = TestSuite::start(Stack::Embedded).await;
//! let visitor = suite.visitor("alfa-door", "alfa-cold", "Hej").await;
//! let anna = suite.worker("alfa.anna").await;
//! ```

use crate::ports::Port;
use crate::servers::{Nats, shared_postgres, shared_redis};
use ::suite::pace::Pace;
use ::suite::suite::{Parts, SERVICES, Suite, listen};
use ::suite::{apply, client};
use auth::Secret;
use bus::Bus;
use client::Client;
use ephemeral::Ephemeral;
use kernel::{Clock, Time};
use proto::access::access_service_client::AccessServiceClient;
use proto::access::{IssueTokenRequest, Principal, PrincipalKind};
use proto::config::config_service_client::ConfigServiceClient;
use proto::insights::insights_service_client::InsightsServiceClient;
use proto::intake::case_service_client::CaseServiceClient;
use proto::intake::conversation_service_client::ConversationServiceClient;
use proto::intake::{Case, Message, OpenCaseRequest, OpenCaseResponse, PostMessageRequest, PostMessageResponse};
use proto::log::event_log_service_client::EventLogServiceClient;
use proto::notifications::notification_service_client::NotificationServiceClient;
use proto::routing::routing_service_client::RoutingServiceClient;
use proto::routing::{AcceptOfferRequest, Offer, SetPresenceRequest};
use proto::scheduling::scheduling_service_client::SchedulingServiceClient;
use proto::triage::triage_service_client::TriageServiceClient;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tonic::transport::Channel;
use tonic::{Code, Status};

const ALFA: &str = include_str!("region.yaml");
/// Wednesday 11 March 2026, 10:00 in Stockholm and Oslo: where manual clocks begin.
pub const MORNING: Time = Time::from_secs(1_773_219_600);
/// How long a test waits for what must come.
pub const SOON: Duration = Duration::from_secs(30);

/// What the suite stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// SQLite, a bus in the process, memory.
    Embedded,
    /// PostgreSQL, NATS, Redis.
    Region,
}

/// How a suite is to be started.
#[derive(Clone)]
pub struct Setup {
    stack: Stack,
    clock: Clock,
    smtp: String,
    region: String,
    pages: Option<gateway::Settings>,
}

impl Setup {
    pub fn new(stack: Stack) -> Setup {
        Setup { stack, clock: Clock::system(), smtp: String::new(), region: region_yaml(), pages: None }
    }

    /// A clock that only the test moves, from [`MORNING`] on.
    pub fn manual(mut self) -> Setup {
        self.clock = Clock::manual(MORNING);
        self
    }

    pub fn smtp(mut self, url: &str) -> Setup {
        url.clone_into(&mut self.smtp);
        self
    }

    /// With the pages, on a free port of loopback.
    pub fn pages(mut self, settings: gateway::Settings) -> Setup {
        self.pages = Some(settings);
        self
    }

    /// Another region than the usual one.
    pub fn region(mut self, yaml: String) -> Setup {
        self.region = yaml;
        self
    }

    pub async fn start(self) -> TestSuite {
        tell();
        let (folder, database, nats) = match self.stack {
            Stack::Embedded => (Some(tempfile::tempdir().expect("a folder")), String::new(), None),
            Stack::Region => {
                // A stream knows no tests, so each has a NATS of its own; databases are apart, and Redis' keys hold random ids.
                let servers = tokio::task::spawn_blocking(|| {
                    shared_redis();
                    (shared_postgres().fresh_database("suite"), Nats::start())
                });
                let (database, nats) = servers.await.expect("servers start");
                (None, database, Some(Arc::new(nats)))
            }
        };
        let mut suite = TestSuite {
            stack: self.stack,
            clock: self.clock,
            secret: Secret::new(b"a secret of tests, and of nobody else at all").expect("long enough"),
            smtp: self.smtp,
            pages: self.pages,
            folder,
            database,
            nats,
            port: Port::free(),
            running: None,
            channel: None,
        };
        suite.up().await;
        suite.apply(&self.region).await;
        suite
    }
}

/// Whose rows there are in the region of tests.
pub fn everybody() -> store::Whose {
    store::Whose::many(["", "alfa", "beta"])
}

/// A running suite. Stop it with [`TestSuite::down`] to look into its store or to start it again with [`TestSuite::up`].
pub struct TestSuite {
    pub stack: Stack,
    pub clock: Clock,
    pub secret: Secret,
    smtp: String,
    pages: Option<gateway::Settings>,
    folder: Option<tempfile::TempDir>,
    database: String,
    pub nats: Option<Arc<Nats>>,
    /// The same after a restart, so that clients find it again.
    port: Port,
    running: Option<Suite>,
    channel: Option<Channel>,
}

impl TestSuite {
    pub async fn start(stack: Stack) -> TestSuite {
        Setup::new(stack).start().await
    }

    /// Starts it (again) on the same store.
    pub async fn up(&mut self) {
        self.up_without("").await;
    }

    /// The same while one service is away: nothing answers at its address.
    pub async fn up_without(&mut self, away: &str) {
        let (bus, cache) = match &self.nats {
            None => ("local:".to_owned(), "memory:".to_owned()),
            Some(nats) => (nats.url(), shared_redis().url()),
        };
        let parts = Parts {
            store: self.store_url(),
            bus: Bus::connect(&bus, "tests").await.expect("a bus"),
            ephemeral: Ephemeral::connect(&cache, self.clock.clone()).await.expect("a cache"),
            clock: self.clock.clone(),
            secret: self.secret.clone(),
            shards: 4,
            smtp: self.smtp.clone(),
            reflection: true,
            replica: None,
            peers: BTreeMap::from([(away.to_owned(), "http://127.0.0.1:1".to_owned())]),
            grpc: listen("grpc", &format!("127.0.0.1:{}", self.port.number())).await.expect("a port"),
            http: if self.pages.is_some() { Some(listen("http", "127.0.0.1:0").await.expect("a port")) } else { None },
            pages: self.pages.clone().unwrap_or_default(),
        };
        let services: Vec<&str> = SERVICES.into_iter().filter(|service| *service != away).collect();
        let suite = Suite::start(parts, &services).await.expect("the suite starts");
        self.channel = Some(client::connect(&suite.grpc.to_string()).await.expect("it answers"));
        self.running = Some(suite);
        self.consumers_started().await;
    }

    /// Until every consumer has its cursors: notifications begin at the head, and what came before is not theirs.
    async fn consumers_started(&self) {
        Pace::of(self.suite()).await;
    }

    /// Stops it in order; its store stays.
    pub async fn down(&mut self) {
        self.channel = None;
        if let Some(suite) = self.running.take() {
            suite.stop().await.expect("it stops");
        }
    }

    pub async fn restart(&mut self) {
        self.down().await;
        self.up().await;
    }

    /// `sqlite:FOLDER` or `postgres://…`.
    pub fn store_url(&self) -> String {
        match &self.folder {
            Some(folder) => format!("sqlite:{}", folder.path().display()),
            None => self.database.clone(),
        }
    }

    /// The database's name on the shared PostgreSQL; only on [`Stack::Region`].
    pub fn database_name(&self) -> String {
        self.database.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// A service's own database, beside the service. With the suite down it may be written to as well.
    pub async fn db(&self, service: &str) -> store::Scoped {
        store::Db::open(&self.store_url(), service).await.expect("the store opens").of(everybody())
    }

    pub fn suite(&self) -> &Suite {
        self.running.as_ref().expect("the suite runs")
    }

    pub fn channel(&self) -> Channel {
        self.channel.clone().expect("the suite runs")
    }

    /// Applies a region given as YAML.
    pub async fn apply(&self, yaml: &str) {
        self.operator().apply_region(yaml).await;
    }

    /// The pace of a manual clock.
    pub async fn pace(&self) -> Pace {
        Pace::of(self.suite()).await
    }

    /// Moves a manual clock on, stopping at everything that is due on the way.
    pub async fn advance(&self, by: Duration) {
        let mut pace = self.pace().await;
        let to = self.clock.now() + by;
        tokio::time::timeout(SOON, pace.advance_to(to)).await.expect("the suite settles at each stop of the clock");
        self.settle().await;
    }

    /// Until every event has taken effect everywhere and no timer is due. Only on a manual clock or with nothing going on.
    pub async fn settle(&self) {
        let mut pace = self.pace().await;
        tokio::time::timeout(SOON, pace.settle()).await.expect("the suite settles");
    }

    pub fn with_token(&self, token: &str) -> Person {
        Person::new(self.channel(), token)
    }

    /// Somebody without a token.
    pub fn anonymous(&self) -> Person {
        self.with_token("")
    }

    pub fn operator(&self) -> Person {
        self.with_token(&client::operator_token(&self.secret, &self.clock))
    }

    /// Another service of the suite.
    pub fn service(&self, name: &str) -> Person {
        self.with_token(&self.secret.service_token(name, self.clock.now() + Duration::from_secs(3600)))
    }

    /// A token for anybody but a visitor.
    pub async fn person(&self, kind: PrincipalKind, id: &str, organisation: &str) -> Person {
        Person::new(self.channel(), &self.operator().issue(kind, id, organisation).await)
    }

    /// A worker, by an id such as `alfa.anna`.
    pub async fn worker(&self, id: &str) -> Person {
        self.person(PrincipalKind::Worker, id, organisation_of(id)).await
    }

    pub async fn volunteer(&self, id: &str) -> Person {
        self.person(PrincipalKind::Volunteer, id, organisation_of(id)).await
    }

    pub async fn leader(&self, id: &str) -> Person {
        self.person(PrincipalKind::Leader, id, organisation_of(id)).await
    }

    pub async fn integrator(&self, organisation: &str) -> Person {
        self.person(PrincipalKind::Integrator, "journal", organisation).await
    }

    /// An anonymous visitor who opens a case with a first text.
    pub async fn visitor(&self, entry_point: &str, reason: &str, text: &str) -> Visitor {
        let request = OpenCaseRequest {
            entry_point_id: entry_point.to_owned(),
            contact_reason_id: reason.to_owned(),
            text: text.to_owned(),
            ..OpenCaseRequest::default()
        };
        self.visitor_with(request).await
    }

    /// The same with a request of one's own.
    pub async fn visitor_with(&self, request: OpenCaseRequest) -> Visitor {
        let opened = self.anonymous().cases().open_case(request).await.expect("the case opens").into_inner();
        let case = opened.case.clone().expect("a case");
        Visitor { me: self.with_token(&opened.visitor_token), case_id: case.case_id, opened }
    }
}

/// Both organisations.
pub fn region_yaml() -> String {
    let beta = ALFA
        .replace("alfa", "beta")
        .replace("Alfa", "Beta")
        .replace("country: SE", "country: \"NO\"")
        .replace("Europe/Stockholm", "Europe/Oslo")
        .replace("sv:", "nb:")
        .replace("[sv", "[nb");
    let (_, alfa) = ALFA.split_once('\n').expect("a first comment");
    let (_, beta) = beta.split_once('\n').expect("a first comment");
    format!("region: Testregionen\norganisations:\n{alfa}{beta}")
}

/// With `SAMTAL_TEST_LOG=debug` (or any other filter) the suites of this process say what they do.
fn tell() {
    static STARTED: std::sync::OnceLock<Option<telemetry::Telemetry>> = std::sync::OnceLock::new();
    STARTED.get_or_init(|| {
        let filter = std::env::var("SAMTAL_TEST_LOG").ok()?;
        let settings = telemetry::Settings { filter, service: "tests".to_owned(), ..telemetry::Settings::default() };
        telemetry::start(&settings).ok()
    });
}

fn organisation_of(id: &str) -> &str {
    id.split(['.', '-']).next().expect("an id such as alfa.anna")
}

/// An anonymous visitor with a case.
#[derive(Clone)]
pub struct Visitor {
    pub me: Person,
    pub case_id: String,
    pub opened: OpenCaseResponse,
}

/// Somebody with a token.
#[derive(Clone)]
pub struct Person {
    pub client: Client,
    pub token: String,
}

impl Person {
    /// Over a connection that may be to a suite in another process.
    pub fn new(channel: Channel, token: &str) -> Person {
        Person { client: client::with_token(channel, token).expect("a token"), token: token.to_owned() }
    }

    /// As an operator: applies a region given as YAML.
    pub async fn apply_region(&self, yaml: &str) {
        let document = region::parse("tests.yaml", yaml).unwrap_or_else(|findings| panic!("{}", apply::refused(&findings)));
        apply::apply(&self.client, &document, false).await.expect("the region is taken");
    }

    /// As an operator: a token for anybody but a visitor.
    pub async fn issue(&self, kind: PrincipalKind, id: &str, organisation: &str) -> String {
        let principal =
            Principal { kind: kind.into(), id: id.to_owned(), organisation_id: organisation.to_owned(), clinic_ids: Vec::new() };
        let request =
            IssueTokenRequest { request_id: format!("token-{organisation}-{id}"), principal: Some(principal), ttl_seconds: 366 * 86_400 };
        self.access().issue_token(request).await.expect("a token").into_inner().token
    }

    pub fn access(&self) -> AccessServiceClient<Client> {
        AccessServiceClient::new(self.client.clone())
    }

    pub fn config(&self) -> ConfigServiceClient<Client> {
        ConfigServiceClient::new(self.client.clone())
    }

    pub fn log(&self) -> EventLogServiceClient<Client> {
        EventLogServiceClient::new(self.client.clone()).max_decoding_message_size(runtime::MAX_RESPONSE)
    }

    pub fn cases(&self) -> CaseServiceClient<Client> {
        CaseServiceClient::new(self.client.clone())
    }

    pub fn conversations(&self) -> ConversationServiceClient<Client> {
        ConversationServiceClient::new(self.client.clone())
    }

    pub fn triage(&self) -> TriageServiceClient<Client> {
        TriageServiceClient::new(self.client.clone())
    }

    pub fn routing(&self) -> RoutingServiceClient<Client> {
        RoutingServiceClient::new(self.client.clone())
    }

    pub fn scheduling(&self) -> SchedulingServiceClient<Client> {
        SchedulingServiceClient::new(self.client.clone())
    }

    pub fn notifications(&self) -> NotificationServiceClient<Client> {
        NotificationServiceClient::new(self.client.clone())
    }

    pub fn insights(&self) -> InsightsServiceClient<Client> {
        InsightsServiceClient::new(self.client.clone())
    }

    pub async fn post(&self, case_id: &str, client_id: &str, text: &str) -> Result<PostMessageResponse, Status> {
        let request = PostMessageRequest { case_id: case_id.to_owned(), client_id: client_id.to_owned(), text: text.to_owned() };
        self.conversations().post_message(request).await.map(tonic::Response::into_inner)
    }

    pub async fn case(&self, case_id: &str) -> Result<Case, Status> {
        let request = proto::intake::GetCaseRequest { case_id: case_id.to_owned() };
        let answer = self.cases().get_case(request).await?;
        Ok(answer.into_inner().case.expect("a case"))
    }

    /// All messages of a conversation, page by page.
    pub async fn messages(&self, case_id: &str) -> Result<Vec<Message>, Status> {
        let mut all: Vec<Message> = Vec::new();
        loop {
            let request = proto::intake::ListMessagesRequest {
                case_id: case_id.to_owned(),
                after_seq: all.last().map_or(0, |last| last.seq),
                page_size: 500,
            };
            let page = self.conversations().list_messages(request).await?.into_inner();
            let empty = page.messages.is_empty();
            all.extend(page.messages);
            if empty || all.last().is_some_and(|last| last.seq >= page.last_seq) {
                return Ok(all);
            }
        }
    }

    pub async fn present(&self, present: bool) {
        let request = SetPresenceRequest { present, hold_seconds: 43_200, ..SetPresenceRequest::default() };
        self.routing().set_presence(request).await.expect("presence is taken");
    }

    pub async fn offers(&self) -> Vec<Offer> {
        let answer = self.routing().list_offers(proto::routing::ListOffersRequest {}).await;
        answer.expect("offers").into_inner().offers
    }

    /// The offer of this case, once it is made.
    pub async fn offer(&self, case_id: &str) -> Offer {
        eventually("the case is offered", async || self.offers().await.into_iter().find(|offer| offer.case_id == case_id)).await
    }

    /// Takes the offer of this case once it is made, and waits until intake knows.
    pub async fn take(&self, case_id: &str) {
        let request = AcceptOfferRequest { request_id: String::new(), offer_id: self.offer(case_id).await.offer_id };
        self.routing().accept_offer(request).await.expect("the offer is accepted");
        self.holds(case_id).await;
    }

    /// Until every service that asks about it knows that this worker has the case.
    pub async fn holds(&self, case_id: &str) {
        eventually("intake knows who has the case", async || self.messages(case_id).await.ok()).await;
        let request = proto::scheduling::ListBookingsRequest { case_id: case_id.to_owned() };
        eventually("scheduling knows the case", async || self.scheduling().list_bookings(request.clone()).await.ok()).await;
    }
}

/// Looks until there is something; panics with `what` after [`SOON`].
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < SOON, "after {SOON:?} still not: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Must have been refused with this code and stable reason.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, reason: &str) -> Status {
    let status = answer.expect_err("it should have been refused");
    assert_eq!((status.code(), rpc::status::reason(&status).unwrap_or_default().as_str()), (code, reason), "{status:?}");
    status
}

/// The moment of a timestamp.
pub fn time(stamp: Option<&prost_types::Timestamp>) -> Time {
    proto::from_timestamp("time", stamp).expect("valid").expect("present")
}
