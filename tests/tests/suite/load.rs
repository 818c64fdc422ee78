//! Load, and the reading back of it: whatever was acknowledged is there, once, in order, with its event and its audit row.

use crate::exactly_once::dense;
use crate::screens::Screen;
use futures::future::join_all;
use prost::Message as _;
use proto::Event;
use proto::insights::GetReportRequest;
use proto::intake::{MessagePosted, OpenCaseRequest, OpenCaseResponse};
use proto::log::Envelope;
use samtal_tests::suite::{Person, SOON, TestSuite, eventually, within};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};
use store::{Scoped, args};
use tonic::transport::Channel;
use tonic::{Code, Status};

/// How a client takes an answer that settles nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It asks again, under the same id, until the answer is certain.
    UntilCertain,
    /// It asks once more, and that must do.
    Once,
    /// Every call must do.
    Never,
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

/// Repeats a call under the same id as `repeat` says.
pub async fn settled<T>(repeat: Repeat, mut call: impl AsyncFnMut() -> Result<T, Status>) -> T {
    let started = Instant::now();
    let mut first = None;
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(status) if is_ambiguous(status.code()) && started.elapsed() < 2 * SOON => {
                let again = repeat == Repeat::UntilCertain || (repeat == Repeat::Once && first.is_none());
                assert!(again, "repeated {repeat:?}, and still {status:?}; before: {first:?}");
                first = Some(status);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(status) => panic!("{status:?}"),
        }
    }
}

/// Repeats a call until it succeeds, also one that is refused until others have caught up, for as long as an outage lasts.
pub async fn patiently<T>(what: &str, mut call: impl AsyncFnMut() -> Result<T, Status>) -> T {
    within(4 * SOON, what, async || call().await.ok()).await
}

/// Opens a case in `alfa-door`.
pub fn opening(request_id: String) -> OpenCaseRequest {
    OpenCaseRequest {
        request_id,
        entry_point_id: "alfa-door".into(),
        contact_reason_id: "alfa-cold".into(),
        text: "hej".into(),
        ..OpenCaseRequest::default()
    }
}

pub async fn open(repeat: Repeat, anonymous: &Person, request: &OpenCaseRequest) -> OpenCaseResponse {
    settled(repeat, async || anonymous.cases().open_case(request.clone()).await.map(tonic::Response::into_inner)).await
}

/// What one writer has been told.
#[derive(Default)]
pub struct Told {
    /// The case it writes in.
    pub case: String,
    /// client id -> seq
    pub messages: BTreeMap<String, i64>,
    /// request id -> case
    pub cases: BTreeMap<String, String>,
    /// What its own screen shows.
    pub screen: Option<Screen>,
}

/// Writers that go on until they are told to stop.
pub struct Load {
    /// What its ids are made from: two of one name repeat each other's calls.
    name: &'static str,
    repeat: Repeat,
    /// Messages after which a writer opens a case more.
    stride: usize,
    stop: AtomicBool,
    /// Acknowledged so far, cases and messages together.
    done: AtomicI64,
}

impl Load {
    pub fn new(repeat: Repeat) -> Load {
        Load { name: "load", repeat, stride: 10, stop: AtomicBool::new(false), done: AtomicI64::new(0) }
    }

    /// One more on the same suite.
    pub fn named(mut self, name: &'static str) -> Load {
        self.name = name;
        self
    }

    /// Mostly messages: many events at little cost.
    pub fn wordy(mut self) -> Load {
        self.stride = 100;
        self
    }

    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    pub fn done(&self) -> i64 {
        self.done.load(Ordering::SeqCst)
    }

    /// Until this much more is acknowledged.
    pub async fn more(&self, count: i64) {
        let goal = self.done() + count;
        let started = Instant::now();
        while self.done() < goal {
            assert!(started.elapsed() < SOON * 10, "the writers stand still");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// One writer for each channel, until stopped.
    pub async fn run(&self, channels: Vec<Channel>) -> Vec<Told> {
        join_all(channels.into_iter().enumerate().map(|(writer, channel)| self.write(channel, writer))).await
    }

    /// Opens a case and writes in it, opening another after every few messages.
    async fn write(&self, channel: Channel, writer: usize) -> Told {
        let anonymous = Person::new(channel.clone(), "");
        let id = |n: usize| kernel::Id::derived(&[self.name.as_bytes(), &writer.to_le_bytes(), &n.to_le_bytes()]).to_string();
        let mine = open(self.repeat, &anonymous, &opening(id(0))).await;
        let case = mine.case.unwrap().case_id;
        let mut told = Told { case: case.clone(), ..Told::default() };
        told.cases.insert(id(0), case.clone());
        self.done.fetch_add(1, Ordering::SeqCst);
        let me = Person::new(channel, &mine.visitor_token);
        told.screen = Some(Screen::open(me.clone(), &case));
        let mut n = 0;
        while !self.stopped() {
            n += 1;
            let client_id = format!("m{n}");
            let posted = settled(self.repeat, async || me.post(&case, &client_id, &format!("text {n}")).await).await;
            told.messages.insert(client_id, posted.message.unwrap().seq);
            self.done.fetch_add(1, Ordering::SeqCst);
            if n % self.stride == 0 {
                let opened = open(self.repeat, &anonymous, &opening(id(n))).await;
                told.cases.insert(id(n), opened.case.unwrap().case_id);
                self.done.fetch_add(1, Ordering::SeqCst);
            }
        }
        told
    }
}

/// Load on a suite in this process; `harm` is done meanwhile and answers how many cases and messages it made itself. Once all has taken
/// effect everywhere and stands on every screen, everything is read back and looked up.
pub async fn on(suite: &mut TestSuite, load: Load, writers: usize, harm: impl AsyncFnOnce(&TestSuite, &Load) -> (i64, i64)) {
    let journal = suite.integrator("alfa").await;
    let harm = async {
        let more = harm(suite, &load).await;
        load.stop();
        more
    };
    let (all, more) = futures::join!(load.run(vec![suite.channel(); writers]), harm);
    shown(&all).await;
    // As long as it takes; who needs it sooner says so.
    tokio::time::timeout(20 * SOON, suite.pace().await.settle()).await.unwrap();
    read_back(&journal, &all, more).await;
    suite.down().await;
    in_tables(async |service| suite.db(service).await, &all).await;
}

/// Waits until every screen shows everything, once and in order.
pub async fn shown(all: &[Told]) {
    for told in all {
        let screen = told.screen.as_ref().unwrap();
        eventually("the screen shows everything", async || (screen.seqs().len() > told.messages.len()).then_some(())).await;
        assert_eq!(screen.seqs(), (1..=told.messages.len() as i64 + 1).collect::<Vec<_>>());
    }
}

/// Reads everything back through the front door, and waits until insights has counted it and this many more cases and messages.
pub async fn read_back(journal: &Person, all: &[Told], more: (i64, i64)) {
    read_back_within(SOON, journal, all, more).await;
}

/// The same with a patience of its own for the figures.
pub async fn read_back_within(patience: Duration, journal: &Person, all: &[Told], more: (i64, i64)) {
    let (mut cases, mut messages) = more;
    for told in all {
        let read = journal.messages(&told.case).await.unwrap();
        // Samtal's own lines, such as who has come, stand between what people write.
        let written = || read.iter().filter(|message| message.system.is_none());
        let found: BTreeMap<String, i64> =
            written().filter(|message| message.client_id != "opening").map(|message| (message.client_id.clone(), message.seq)).collect();
        assert_eq!(found, told.messages, "what was acknowledged is there at its seq, and nothing else");
        assert_eq!(read.iter().map(|message| message.seq).collect::<Vec<_>>(), (1..=read.len() as i64).collect::<Vec<_>>());
        assert!(written().skip(1).zip(1..).all(|(message, n)| message.client_id == format!("m{n}")), "in the order of sending");
        messages += (told.messages.len() + told.cases.len()) as i64;
        cases += told.cases.len() as i64;
        let distinct: BTreeSet<&String> = told.cases.values().collect();
        assert_eq!(distinct.len(), told.cases.len());
    }
    within(patience, "insights has counted everything", async || {
        let report = journal.insights().get_report(GetReportRequest::default()).await.ok()?.into_inner();
        assert!(report.cases <= cases && report.messages <= messages, "nothing is counted twice: {report:?}");
        (report.cases == cases && report.messages == messages).then_some(())
    })
    .await;
}

/// In the tables of a suite that has stopped: one event and one audit row for each message, all numbers dense, nothing set aside.
pub async fn in_tables(db: impl AsyncFn(&'static str) -> Scoped, all: &[Told]) {
    let intake = db("intake").await;
    for told in all {
        let rows = intake.rows("SELECT envelope FROM event_log WHERE key = $1", args![&told.case]).await.unwrap();
        let posted = rows
            .iter()
            .filter(|row| Envelope::decode(row.get::<Vec<u8>>(0).unwrap().as_slice()).unwrap().r#type == MessagePosted::TYPE)
            .count();
        assert_eq!(posted, told.messages.len() + 1);
        let row = intake
            .row("SELECT COUNT(*) FROM audit_log WHERE key = $1 AND action LIKE '%PostMessage'", args![&told.case])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(row.int(0).unwrap(), told.messages.len() as i64, "an audit row for each change, and for each change only one");
    }
    for service in ["intake", "triage", "routing", "scheduling", "notifications", "insights"] {
        let db = db(service).await;
        dense(&db, service).await;
        assert_eq!(crate::tables::count(&db, "dead_letter").await, 0, "{service} has set something aside");
    }
}
