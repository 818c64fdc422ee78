//! P1, P9: the real process is killed at every failpoint, and PostgreSQL under it; whatever was acknowledged is there, once, in order.

use crate::exactly_once::dense;
use prost::Message as _;
use proto::Event;
use proto::access::PrincipalKind;
use proto::insights::GetReportRequest;
use proto::intake::{MessagePosted, OpenCaseRequest, OpenCaseResponse};
use proto::log::Envelope;
use proto::scheduling::{HoldSlotRequest, Interval, ListSlotsRequest};
use samtal_tests::ports::Port;
use samtal_tests::process::{Launch, Process};
use samtal_tests::servers::{Nats, Postgres, shared_postgres};
use samtal_tests::suite::{Person, SOON, eventually, region_yaml};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::{Db, Scoped, args};
use suite::client;
use tonic::Code;
use tonic::transport::Channel;

const SECRET: &str = "a secret of tests, and of nobody else at all";
const WRITERS: usize = 4;

/// A suite in a process of its own, that can be killed and started again at the same address.
struct Remote {
    folder: tempfile::TempDir,
    /// `--store …` and the like.
    stack: Vec<String>,
    port: Port,
    process: Option<Process>,
    operator: Option<Person>,
}

impl Remote {
    fn new(stack: Vec<String>) -> Remote {
        Remote { folder: tempfile::tempdir().unwrap(), stack, port: Port::free(), process: None, operator: None }
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }

    /// Starts it, to die at a failpoint if one is named.
    async fn up(&mut self, failpoint: &str) {
        let launch = Launch::samtal("kill")
            .args(["up", "--http", "127.0.0.1:0", "--grpc", &self.address(), "--data"])
            .arg(self.folder.path())
            .args(&self.stack)
            .env("SAMTAL_SECRET", SECRET)
            .env("SAMTAL_LOG", "warn,sqlx=error,async_nats=error")
            .env("SAMTAL_FAILPOINT", failpoint);
        self.process = Some(launch.start());
        let address = self.address();
        let channel = eventually("the suite answers", async || client::connect(&address).await.ok()).await;
        let secret = auth::Secret::new(SECRET.as_bytes()).unwrap();
        self.operator = Some(Person::new(channel, &client::operator_token(&secret, &kernel::Clock::system())));
    }

    /// Until it has died, with the load that goes on; false if it has not within the time.
    async fn dies(&mut self) -> bool {
        let started = std::time::Instant::now();
        let process = self.process.as_mut().unwrap();
        while process.is_running() {
            if started.elapsed() > SOON {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        true
    }

    async fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        process.terminate();
        let ended = tokio::task::spawn_blocking(move || process.wait_exit(SOON)).await.unwrap();
        assert!(ended.success(), "{ended:?}");
    }

    async fn person(&self, kind: PrincipalKind, id: &str) -> Person {
        let operator = self.operator.as_ref().unwrap();
        let token = operator.issue(kind, id, "alfa").await;
        Person { client: client::with_token(client::connect(&self.address()).await.unwrap(), &token).unwrap(), token }
    }

    async fn anonymous(&self) -> Person {
        Person::new(client::connect(&self.address()).await.unwrap(), "")
    }

    async fn db(&self, service: &str) -> Scoped {
        let url = self.stack.iter().find(|word| word.starts_with("postgres://")).cloned();
        let url = url.unwrap_or_else(|| format!("sqlite:{}", self.folder.path().display()));
        Db::open(&url, service).await.unwrap().of(samtal_tests::suite::everybody())
    }
}

/// What one writer has been told.
#[derive(Default)]
struct Told {
    /// client id -> seq
    messages: BTreeMap<String, i64>,
    /// request id -> case
    cases: BTreeMap<String, String>,
}

fn is_ambiguous(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable
            | Code::Unknown
            | Code::Cancelled
            | Code::Aborted
            | Code::DeadlineExceeded
            | Code::Internal
            | Code::ResourceExhausted
    )
}

/// Repeats a call under the same id until its answer is certain.
async fn settled<T>(mut call: impl AsyncFnMut() -> Result<T, tonic::Status>) -> T {
    let started = std::time::Instant::now();
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(status) if is_ambiguous(status.code()) && started.elapsed() < 2 * SOON => {
                tokio::time::sleep(Duration::from_millis(10)).await
            }
            Err(status) => panic!("{status:?}"),
        }
    }
}

fn opening(request_id: String) -> OpenCaseRequest {
    OpenCaseRequest {
        request_id,
        entry_point_id: "alfa-door".into(),
        contact_reason_id: "alfa-cold".into(),
        text: "hej".into(),
        ..OpenCaseRequest::default()
    }
}

async fn open(anonymous: &Person, request: &OpenCaseRequest) -> OpenCaseResponse {
    settled(async || anonymous.cases().open_case(request.clone()).await.map(tonic::Response::into_inner)).await
}

/// Opens a case and writes in it, opening another after every few messages, until told to stop.
async fn write(channel: Channel, writer: usize, stop: &AtomicBool) -> (String, String, Told) {
    let mut told = Told::default();
    let anonymous = Person::new(channel.clone(), "");
    let id = |n: usize| kernel::Id::derived(&[b"kill", &writer.to_le_bytes(), &n.to_le_bytes()]).to_string();
    let mine = open(&anonymous, &opening(id(0))).await;
    let case = mine.case.unwrap().case_id;
    told.cases.insert(id(0), case.clone());
    let me = Person::new(channel, &mine.visitor_token);
    let mut n = 0;
    while !stop.load(Ordering::SeqCst) {
        n += 1;
        let client_id = format!("m{n}");
        let message = settled(async || me.post(&case, &client_id, &format!("text {n}")).await).await.message.unwrap();
        told.messages.insert(client_id, message.seq);
        if n % 10 == 0 {
            let request = opening(id(n));
            told.cases.insert(id(n), open(&anonymous, &request).await.case.unwrap().case_id);
        }
    }
    (case, mine.visitor_token, told)
}

/// Holds that run out at once, so that timers fire too.
async fn hold(leader: Person, case: String, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        let now = kernel::Clock::system().now();
        let window = Interval { from: Some(proto::timestamp(now)), to: Some(proto::timestamp(now + Duration::from_secs(86_400))) };
        let list = ListSlotsRequest { clinic_id: "alfa-norr".into(), window: Some(window), page_size: 1, ..ListSlotsRequest::default() };
        if let Ok(slots) = leader.scheduling().list_slots(list).await {
            let starts_at = slots.into_inner().slots[0].time.as_ref().unwrap().from;
            let hold = HoldSlotRequest {
                case_id: case.clone(),
                resource_id: "alfa-room".into(),
                starts_at,
                hold_seconds: 1,
                ..HoldSlotRequest::default()
            };
            // Whether it succeeds is not this test's matter.
            leader.scheduling().hold_slot(hold).await.ok();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Load on a suite; `harm` is done meanwhile, until the suite is well again; then everything is read back.
async fn under_load(remote: &mut Remote, harm: impl AsyncFnOnce(&mut Remote) -> i64) {
    let stop = AtomicBool::new(false);
    let anonymous = remote.anonymous().await;
    let leader = remote.person(PrincipalKind::Leader, "alfa.lea").await;
    let held = open(&anonymous, &opening(kernel::Id::new(kernel::Clock::system().now()).to_string())).await.case.unwrap().case_id;
    let mut channels = Vec::new();
    for _ in 0..WRITERS {
        channels.push(client::connect(&remote.address()).await.unwrap());
    }
    let writers = futures::future::join_all(channels.into_iter().enumerate().map(|(writer, channel)| write(channel, writer, &stop)));
    let harm = async {
        let more_cases = harm(remote).await;
        stop.store(true, Ordering::SeqCst);
        more_cases
    };
    let (all, (), more_cases) = futures::join!(writers, hold(leader, held, &stop), harm);
    // Read back through the front door.
    let journal = remote.person(PrincipalKind::Integrator, "journal").await;
    let (mut messages, mut cases) = (0, 1 + more_cases);
    for (case, _, told) in &all {
        let read = journal.messages(case).await.unwrap();
        let found: BTreeMap<String, i64> =
            read.iter().filter(|message| message.client_id != "opening").map(|message| (message.client_id.clone(), message.seq)).collect();
        assert_eq!(found, told.messages, "what was acknowledged is there at its seq, and nothing else");
        assert_eq!(read.iter().map(|message| message.seq).collect::<Vec<_>>(), (1..=read.len() as i64).collect::<Vec<_>>());
        assert!(read.iter().skip(1).zip(1..).all(|(message, n)| message.client_id == format!("m{n}")), "in the order of sending");
        messages += told.messages.len() as i64;
        cases += told.cases.len() as i64;
        let mut distinct: Vec<&String> = told.cases.values().collect();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), told.cases.len());
    }
    let report = eventually("insights has counted everything", async || {
        let report = journal.insights().get_report(GetReportRequest::default()).await.ok()?.into_inner();
        (report.cases == cases && report.messages == messages + cases).then_some(report)
    });
    report.await;
    remote.stop().await;
    // And in the tables: one event and one audit row for each.
    let intake = remote.db("intake").await;
    for (case, _, told) in &all {
        let rows = intake.rows("SELECT envelope FROM event_log WHERE key = $1", args![case]).await.unwrap();
        let posted = rows
            .iter()
            .filter(|row| Envelope::decode(row.get::<Vec<u8>>(0).unwrap().as_slice()).unwrap().r#type == MessagePosted::TYPE)
            .count();
        assert_eq!(posted, told.messages.len() + 1);
        let row =
            intake.row("SELECT COUNT(*) FROM audit_log WHERE key = $1 AND action LIKE '%PostMessage'", args![case]).await.unwrap().unwrap();
        assert_eq!(row.int(0).unwrap(), told.messages.len() as i64, "an audit row for each change, and for each change only one");
    }
    for service in ["intake", "triage", "routing", "scheduling", "notifications", "insights"] {
        dense(&remote.db(service).await, service).await;
    }
}

/// Every failpoint, the `nth` passing of it under load.
async fn killed_at_every_failpoint(stack: impl Fn() -> Vec<String>, nth: usize) {
    for failpoint in kernel::failpoint::ALL {
        let mut remote = Remote::new(stack());
        remote.up("").await;
        remote.operator.as_ref().unwrap().apply_region(&region_yaml()).await;
        remote.stop().await;
        // Timers fire once in a while only.
        let nth = if failpoint.starts_with("timer") { 1 } else { nth };
        remote.up(&format!("{failpoint}:{nth}")).await;
        under_load(&mut remote, async |remote| {
            assert!(remote.dies().await, "{failpoint}: never passed for the {nth}th time");
            remote.up("").await;
            0
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_embedded_killed_at_every_failpoint() {
    killed_at_every_failpoint(Vec::new, 120).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_region_killed_at_every_failpoint() {
    let nats = tokio::task::spawn_blocking(|| {
        shared_postgres();
        Nats::start()
    });
    let nats = nats.await.unwrap();
    let stack = || {
        let database = tokio::task::block_in_place(|| shared_postgres().fresh_database("kill"));
        // Old batches of another database stay in the stream: they are of another incarnation, and nobody's.
        vec!["--store".into(), database, "--bus".into(), nats.url()]
    };
    killed_at_every_failpoint(stack, 90).await;
}

/// P9: PostgreSQL goes down hard, three times, under the same load.
#[tokio::test(flavor = "multi_thread")]
async fn p9_postgres_killed_under_load() {
    let postgres = Arc::new(tokio::task::spawn_blocking(Postgres::start).await.unwrap());
    let url = postgres.create_database("region");
    let mut remote = Remote::new(vec!["--store".into(), url]);
    remote.up("").await;
    remote.operator.as_ref().unwrap().apply_region(&region_yaml()).await;
    under_load(&mut remote, async |remote| {
        let anonymous = remote.anonymous().await;
        for round in 0..3_usize {
            let server = postgres.clone();
            tokio::task::spawn_blocking(move || server.restart()).await.unwrap();
            // Until it takes work again.
            let request = opening(kernel::Id::derived(&[b"probe", &round.to_le_bytes()]).to_string());
            open(&anonymous, &request).await;
        }
        3
    })
    .await;
}
