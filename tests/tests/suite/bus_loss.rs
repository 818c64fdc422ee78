//! P6, P7: JetStream holds no sole copy, and a log that went back in time is never taken for the one that consumers saw.

use proto::insights::GetReportRequest;
use proto::intake::CaseState;
use proto::log::{Cursor, ListCursorsRequest};
use proto::triage::GetTriageRequest;
use samtal_tests::servers::shared_postgres;
use samtal_tests::suite::{Stack, TestSuite, Visitor, eventually};
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
    let server = nats.clone();
    tokio::task::spawn_blocking(move || server.kill()).await.unwrap();
    visitors.extend(open(&suite, 10).await);
    let server = nats.clone();
    tokio::task::spawn_blocking(move || {
        server.delete_store();
        server.restart();
    })
    .await
    .unwrap();
    visitors.extend(open(&suite, 5).await);
    all_wait(&visitors).await;
    counted(&suite, 20).await;
    // An old store put back, with batches that everybody has seen and without those since.
    let copy = tempfile::tempdir().unwrap();
    let (server, to) = (nats.clone(), copy.path().join("store"));
    tokio::task::spawn_blocking(move || {
        server.kill();
        server.copy_store(&to);
        server.restart();
    })
    .await
    .unwrap();
    visitors.extend(open(&suite, 5).await);
    all_wait(&visitors).await;
    let (server, from) = (nats.clone(), copy.path().join("store"));
    tokio::task::spawn_blocking(move || {
        server.kill();
        server.put_back_store(&from);
        server.restart();
    })
    .await
    .unwrap();
    visitors.extend(open(&suite, 5).await);
    all_wait(&visitors).await;
    counted(&suite, 30).await;
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
