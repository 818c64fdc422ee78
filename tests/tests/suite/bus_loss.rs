//! P6, P7: JetStream holds no sole copy, and nothing waits for it.

use crate::load::{self, Load, Repeat};
use proto::insights::GetReportRequest;
use proto::intake::CaseState;
use proto::log::WatchRequest;
use samtal_tests::long;
use samtal_tests::servers::Nats;
use samtal_tests::suite::{Stack, TestSuite, Visitor, eventually};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub async fn open(suite: &TestSuite, count: usize) -> Vec<Visitor> {
    let mut visitors = Vec::new();
    for n in 0..count {
        let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
        visitor.me.post(&visitor.case_id, &format!("v{n}"), "en sak till").await.unwrap();
        visitors.push(visitor);
    }
    visitors
}

pub async fn all_wait(visitors: &[Visitor]) {
    for visitor in visitors {
        eventually("triage and routing have it", async || {
            let case = visitor.me.case(&visitor.case_id).await.unwrap();
            (case.state() == CaseState::Waiting && case.severity() == proto::intake::Severity::Routine).then_some(())
        })
        .await;
    }
}

pub async fn counted(suite: &TestSuite, cases: i64) {
    let journal = suite.integrator("alfa").await;
    eventually("insights has counted", async || {
        let report = journal.insights().get_report(GetReportRequest::default()).await.unwrap().into_inner();
        assert!(report.cases <= cases && report.messages <= 2 * cases, "nothing is counted twice: {report:?}");
        (report.cases == cases && report.messages == 2 * cases).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p6_the_whole_of_jetstream_may_be_lost() {
    let suite = TestSuite::start(Stack::Region).await;
    let mut visitors = open(&suite, 5).await;
    all_wait(&visitors).await;
    let nats = suite.nats.clone().unwrap();
    // P7: gone, and intake goes on; what comes meanwhile is only in the log.
    with(&nats, Nats::kill).await;
    visitors.extend(open(&suite, 10).await);
    with(&nats, |nats| {
        nats.delete_store();
        nats.restart();
    })
    .await;
    visitors.extend(open(&suite, 5).await);
    all_wait(&visitors).await;
    counted(&suite, 20).await;
}

/// Does something with the server that blocks.
pub async fn with(nats: &Arc<Nats>, what: impl FnOnce(&Nats) + Send + 'static) {
    let nats = nats.clone();
    tokio::task::spawn_blocking(move || what(&nats)).await.unwrap();
}

/// Numbers within their case of intake's events, in the order in which an integrator is told of them.
type Heard = Arc<Mutex<BTreeMap<String, Vec<i64>>>>;

async fn listen(suite: &TestSuite) -> Heard {
    let (heard, journal) = (Heard::default(), suite.integrator("alfa").await);
    let request = WatchRequest { service: "intake".into(), from_start: true, ..WatchRequest::default() };
    let mut stream = journal.log().watch(request).await.unwrap().into_inner();
    let kept = heard.clone();
    tokio::spawn(async move {
        while let Ok(Some(told)) = stream.message().await {
            if let Some(event) = told.event {
                kept.lock().unwrap().entry(event.key).or_default().push(event.key_seq);
            }
        }
    });
    heard
}

/// P7: NATS is away until so many events wait that no buffer holds them; whoever writes is
/// answered as ever, and when it is back all catches up.
#[tokio::test(flavor = "multi_thread")]
async fn p7_whatever_waits_for_nats_arrives_in_order() {
    let waiting = if long() { 50_000 } else { 2_000 };
    let mut suite = TestSuite::start(Stack::Region).await;
    let heard = listen(&suite).await;
    load::on(&mut suite, Load::new(Repeat::UntilCertain).wordy(), 24, async |suite, load| {
        let nats = suite.nats.clone().unwrap();
        load.more(200).await;
        with(&nats, Nats::kill).await;
        // Each case and each message is an event of its own at least.
        load.more(waiting).await;
        with(&nats, Nats::restart).await;
        load.more(200).await;
        (0, 0)
    })
    .await;
    let heard = heard.lock().unwrap();
    assert!(heard.values().map(Vec::len).sum::<usize>() > waiting as usize);
    for (case, numbers) in heard.iter() {
        assert_eq!(*numbers, (1..=numbers.len() as i64).collect::<Vec<_>>(), "an integrator hears of {case} once and in order");
    }
}

/// P6: under load, the stream goes back to what it was some time before: what it held since is in nobody's hands but the logs'.
#[tokio::test(flavor = "multi_thread")]
async fn p6_an_older_stream_comes_back_under_load() {
    let between = if long() { 10_000 } else { 600 };
    let mut suite = TestSuite::start(Stack::Region).await;
    load::on(&mut suite, Load::new(Repeat::UntilCertain), 16, async |suite, load| {
        let nats = suite.nats.clone().unwrap();
        let copy = tempfile::tempdir().unwrap();
        load.more(200).await;
        let to = copy.path().join("store");
        with(&nats, move |nats| {
            nats.kill();
            nats.copy_store(&to);
            nats.restart();
        })
        .await;
        load.more(between).await;
        let from = copy.path().join("store");
        with(&nats, move |nats| {
            nats.kill();
            nats.put_back_store(&from);
            nats.restart();
        })
        .await;
        load.more(between).await;
        (0, 0)
    })
    .await;
}
