//! The whole suite in this process, on either stack, with a small region and tokens for everybody in it.
//!
//! ```ignore
//! let suite = TestSuite::start(Stack::Embedded).await;
//! let visitor = suite.visitor("alfa-door", "alfa-cold", "Hej").await;
//! let anna = suite.worker("alfa.anna").await;
//! ```

use crate::ports::Port;
use crate::proxy::Proxy;
use crate::servers::{Nats, Redis, shared_postgres, shared_redis};
use ::suite::client;
use ::suite::pace::Pace;
use ::suite::suite::{Parts, SERVICES, Suite, listen};
use auth::Secret;
use bus::Bus;
use ephemeral::Ephemeral;
use kernel::{Clock, Time};
use proto::access::PrincipalKind;
use proto::intake::OpenCaseRequest;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tonic::transport::Channel;
use tonic::{Code, Status};

pub use crate::person::{Person, Visitor};

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
    sms: String,
    register: String,
    region: String,
    pages: Option<gateway::Settings>,
    redis: Option<Arc<Redis>>,
    proxied: bool,
}

impl Setup {
    pub fn new(stack: Stack) -> Setup {
        Setup {
            stack,
            clock: Clock::system(),
            smtp: String::new(),
            sms: String::new(),
            register: String::new(),
            region: region_yaml(),
            pages: None,
            redis: None,
            proxied: false,
        }
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

    /// With a provider of text messages.
    pub fn sms(mut self, url: &str) -> Setup {
        url.clone_into(&mut self.sms);
        self
    }

    /// With a register of clinics, `file:PATH`.
    pub fn register(mut self, setting: &str) -> Setup {
        setting.clone_into(&mut self.register);
        self
    }

    /// With the pages, on a free port of loopback.
    pub fn pages(mut self, settings: gateway::Settings) -> Setup {
        self.pages = Some(settings);
        self
    }

    /// A Redis of the test's own, which it may flush.
    pub fn redis(mut self, redis: Arc<Redis>) -> Setup {
        self.redis = Some(redis);
        self
    }

    /// PostgreSQL and NATS behind proxies, [`TestSuite::to_store`] and [`TestSuite::to_bus`]. Only on [`Stack::Region`].
    pub fn proxied(mut self) -> Setup {
        self.proxied = true;
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
        let proxies = if self.proxied {
            let nats = nats.as_ref().expect("proxies stand before servers: Stack::Region");
            (Some(Proxy::start(&[shared_postgres().port()]).await), Some(Proxy::start(&[nats.port()]).await))
        } else {
            (None, None)
        };
        let mut suite = TestSuite {
            stack: self.stack,
            clock: self.clock,
            secret: Secret::new(b"a secret of tests, and of nobody else at all").expect("long enough"),
            smtp: self.smtp,
            sms: self.sms,
            register: self.register,
            pages: self.pages,
            folder,
            attachments: tempfile::tempdir().expect("a folder"),
            database,
            nats,
            redis: self.redis,
            to_store: proxies.0,
            to_bus: proxies.1,
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
    sms: String,
    register: String,
    pages: Option<gateway::Settings>,
    folder: Option<tempfile::TempDir>,
    /// The folder in which attachments lie.
    pub attachments: tempfile::TempDir,
    database: String,
    pub nats: Option<Arc<Nats>>,
    redis: Option<Arc<Redis>>,
    /// Between the suite and PostgreSQL; the test's own look ([`TestSuite::db`]) goes past it.
    pub to_store: Option<Proxy>,
    /// Between the suite and NATS.
    pub to_bus: Option<Proxy>,
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
            Some(nats) => (
                self.to_bus.as_ref().map_or_else(|| nats.url(), |proxy| format!("nats://{}", proxy.address())),
                self.redis.as_ref().map_or_else(|| shared_redis().url(), |own| own.url()),
            ),
        };
        let store = self.store_url();
        let store = match &self.to_store {
            Some(proxy) => store.replace(&format!("127.0.0.1:{}", shared_postgres().port()), &proxy.address()),
            None => store,
        };
        let parts = Parts {
            store,
            bus: Bus::connect(&bus, "tests").await.expect("a bus"),
            ephemeral: Ephemeral::connect(&cache, self.clock.clone()).await.expect("a cache"),
            clock: self.clock.clone(),
            secret: self.secret.clone(),
            shards: 4,
            smtp: self.smtp.clone(),
            sms: self.sms.clone(),
            register: self.register.clone(),
            attachments: format!("file:{}", self.attachments.path().display()),
            reflection: true,
            replica: None,
            peers: Some(away)
                .filter(|away| !away.is_empty())
                .map(|away| (away.to_owned(), "http://127.0.0.1:1".to_owned()))
                .into_iter()
                .collect(),
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

/// Looks until there is something; panics with `what` after [`SOON`].
pub async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    within(SOON, what, look).await
}

/// The same with a patience of its own, for what no promise says the time of.
pub async fn within<T>(patience: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < patience, "after {patience:?} still not: {what}");
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
