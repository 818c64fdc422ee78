//! P6, P7: JetStream holds no sole copy, and a log that went back in time is never taken for the one that consumers saw.

use crate::load::{self, Load, Repeat};
use proto::insights::GetReportRequest;
use proto::intake::CaseState;
use proto::log::{Cursor, ListCursorsRequest, WatchRequest};
use proto::triage::GetTriageRequest;
use samtal_tests::long;
use samtal_tests::servers::{Nats, shared_postgres};
use samtal_tests::suite::{Stack, TestSuite, Visitor, eventually};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use suite::operate;
use tonic::Code;

async fn open(suite: &TestSuite, count: usize) -> Vec<Visitor> {
    let mut visitors = Vec::new();
    for n in 0..count {
        let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
        visitor.me.post(&visitor.case_id, &format!("v{n}"), "en sak till").await.unwrap();
        visitors.push(visitor);
    }
    visitors
}

async fn all_wait(visitors: &[Visitor]) {
    for visitor in visitors {
        eventually("triage and routing have it", async || {
            let case = visitor.me.case(&visitor.case_id).await.unwrap();
            (case.state() == CaseState::Waiting && case.severity() == proto::intake::Severity::Routine).then_some(())
        })
        .await;
    }
}

async fn counted(suite: &TestSuite, cases: i64) {
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

async fn cursors(suite: &TestSuite) -> Vec<Cursor> {
    let mut all = Vec::new();
    for service in ["triage", "routing", "notifications", "insights"] {
        let answer = suite.operator().log().list_cursors(ListCursorsRequest { service: service.into() }).await.unwrap();
        all.extend(answer.into_inner().cursors.into_iter().filter(|cursor| cursor.source == "intake"));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn p6_a_restored_database_is_not_taken_for_the_one_before() {
    let mut suite = TestSuite::start(Stack::Region).await;
    let kept = open(&suite, 4).await;
    all_wait(&kept).await;
    counted(&suite, 4).await;
    suite.down().await;
    let database = suite.database_name();
    let dump = {
        let database = database.clone();
        tokio::task::spawn_blocking(move || shared_postgres().dump_schema(&database, "intake")).await.unwrap()
    };
    suite.up().await;
    let lost = open(&suite, 8).await;
    all_wait(&lost).await;
    counted(&suite, 12).await;
    suite.down().await;
    // Intake's database goes back; everybody else's, and the stream, do not.
    tokio::task::spawn_blocking(move || shared_postgres().restore_schema(&database, "intake", &dump)).await.unwrap();
    suite.up().await;
    let before = cursors(&suite).await;

    // It works for itself, at positions that mean something else to its consumers: none of them takes any of it over.
    let during = open(&suite, 8).await;
    let lea = suite.leader("alfa.lea").await;
    let orphans = operate::rejoin(&suite.operator().client, "intake", true).await.unwrap();
    assert!(orphans.incarnation.is_empty(), "a dry run changes nothing");
    assert!(!orphans.orphans.is_empty());
    for consumer in ["triage", "routing", "notifications", "insights"] {
        assert!(orphans.orphans.iter().any(|orphan| orphan.consumer == consumer && orphan.first <= orphan.last), "{consumer}: {orphans:?}");
    }
    // Shards in which nothing was lost go on; the others stand still and say why.
    let now = eventually("each consumer stands still somewhere", async || {
        let now = cursors(&suite).await;
        let stands = |consumer: &str| now.iter().any(|one| one.consumer == consumer && !one.halted.is_empty());
        ["triage", "routing", "notifications", "insights"].into_iter().all(stands).then_some(now)
    })
    .await;
    let halted =
        |consumer: &str, shard: u32| now.iter().any(|one| one.consumer == consumer && one.shard == shard && !one.halted.is_empty());
    for one in now.iter().filter(|one| !one.halted.is_empty()) {
        let then = before.iter().find(|earlier| earlier.consumer == one.consumer && earlier.shard == one.shard);
        assert_eq!(then.map(|earlier| earlier.position), Some(one.position), "a halted shard does not move: {one:?}");
    }
    let shards = now.iter().filter(|one| one.consumer == "triage").count() as u32;
    for visitor in during.iter().filter(|visitor| halted("triage", log::unit::shard_of(&visitor.case_id, shards))) {
        let status = lea.triage().get_triage(GetTriageRequest { case_id: visitor.case_id.clone() }).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
    }
    // What is gone is gone from intake, and said to be so.
    assert_eq!(lea.case(&lost[0].case_id).await.unwrap_err().code(), Code::NotFound);

    let done = operate::rejoin(&suite.operator().client, "intake", false).await.unwrap();
    assert!(!done.incarnation.is_empty() && !done.orphans.is_empty());
    let after = open(&suite, 8).await;
    all_wait(&after).await;
    all_wait(&kept).await;
}

/// Does something with the server that blocks.
async fn with(nats: &Arc<Nats>, what: impl FnOnce(&Nats) + Send + 'static) {
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
    let waiting = if long() { 50_000 } else { 5_000 };
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
