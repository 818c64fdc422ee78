//! P6: a log that was restored from an older backup is not taken for the one that consumers saw.

use crate::bus_loss::{all_wait, counted, open, with};
use bus::Bus;
use ephemeral::Ephemeral;
use log::guard;
use proto::insights::GetReportRequest;
use proto::intake::OpenCaseRequest;
use proto::log::{HeadsRequest, ListCursorsRequest};
use samtal_tests::ports::Port;
use samtal_tests::servers::shared_postgres;
use samtal_tests::suite::{Person, Stack, TestSuite, eventually, refused};
use std::collections::BTreeMap;
use suite::suite::{Parts, SERVICES, Suite, listen};
use suite::{client, operate};
use tonic::Code;
use tonic::transport::Channel;

on_both_stacks!(p6_a_restored_database_is_not_taken_for_the_one_before, what_a_consumer_tells_is_whole);

fn door() -> OpenCaseRequest {
    let (entry_point_id, contact_reason_id) = ("alfa-door".into(), "alfa-cold".into());
    OpenCaseRequest { entry_point_id, contact_reason_id, text: "hej".into(), ..OpenCaseRequest::default() }
}

/// A service's database as it was, put back while everybody else's, and the stream, stay.
enum Backup {
    Dump(String),
    Files(tempfile::TempDir),
}

const FILES: [&str; 2] = ["intake.db", "intake.db-wal"];

/// With the suite down.
async fn back_up(suite: &TestSuite) -> Backup {
    match suite.stack {
        Stack::Embedded => {
            let (folder, copy) = (folder(suite), tempfile::tempdir().unwrap());
            for file in FILES.iter().filter(|file| folder.join(file).exists()) {
                std::fs::copy(folder.join(file), copy.path().join(file)).unwrap();
            }
            Backup::Files(copy)
        }
        Stack::Region => {
            let database = suite.database_name();
            Backup::Dump(tokio::task::spawn_blocking(move || shared_postgres().dump_schema(&database, "intake")).await.unwrap())
        }
    }
}

async fn put_back(suite: &TestSuite, backup: Backup) {
    match backup {
        Backup::Files(copy) => {
            for file in FILES {
                let _ = std::fs::remove_file(folder(suite).join(file));
                let _ = std::fs::copy(copy.path().join(file), folder(suite).join(file));
            }
            assert!(folder(suite).join("intake.db").exists());
        }
        Backup::Dump(dump) => {
            let database = suite.database_name();
            tokio::task::spawn_blocking(move || shared_postgres().restore_schema(&database, "intake", &dump)).await.unwrap();
        }
    }
}

fn folder(suite: &TestSuite) -> std::path::PathBuf {
    suite.store_url().strip_prefix("sqlite:").unwrap().into()
}

async fn heads(suite: &TestSuite) -> proto::log::HeadsResponse {
    let request = HeadsRequest { service: "intake".into(), ..HeadsRequest::default() };
    suite.operator().log().heads(request).await.unwrap().into_inner()
}

/// What a balancer is told.
async fn serving(suite: &TestSuite) -> bool {
    let request = tonic_health::pb::HealthCheckRequest { service: "samtal.intake".into() };
    let mut health = tonic_health::pb::health_client::HealthClient::new(suite.channel());
    let status = health.check(request).await.unwrap().into_inner().status();
    status == tonic_health::pb::health_check_response::ServingStatus::Serving
}

async fn p6_a_restored_database_is_not_taken_for_the_one_before(stack: Stack) {
    let mut suite = TestSuite::start(stack).await;
    let kept = open(&suite, 4).await;
    all_wait(&kept).await;
    counted(&suite, 4).await;
    suite.down().await;
    let backup = back_up(&suite).await;
    suite.up().await;
    let lost = open(&suite, 8).await;
    all_wait(&lost).await;
    counted(&suite, 12).await;
    suite.down().await;
    put_back(&suite, backup).await;
    suite.up().await;

    // From the first write on it is refused: nothing is acknowledged at positions that consumers have passed.
    let before = heads(&suite).await.heads;
    let request = door();
    for n in 0..20 {
        let status = refused(suite.anonymous().cases().open_case(request.clone()).await, Code::Unavailable, guard::WENT_BACK);
        assert!(status.message().contains("`samtal log rejoin intake`"), "{status:?}");
        let poster = suite.with_token(&kept[n % 4].me.token);
        refused(poster.post(&kept[n % 4].case_id, &format!("d{n}"), "under tiden").await, Code::Unavailable, guard::WENT_BACK);
    }
    assert_eq!(heads(&suite).await.heads, before, "nothing is written");
    eventually("intake is not ready", async || (!serving(&suite).await).then_some(())).await;
    assert!(heads(&suite).await.refused.contains("`samtal log rejoin intake`"));
    // Who has a case reads it all the same; what is gone is gone from intake, and said to be so.
    let lea = suite.leader("alfa.lea").await;
    assert_eq!(lea.case(&kept[0].case_id).await.unwrap().case_id, kept[0].case_id);
    assert_eq!(lea.case(&lost[0].case_id).await.unwrap_err().code(), Code::NotFound);
    // It stays so over a restart.
    suite.restart().await;
    refused(suite.anonymous().cases().open_case(request.clone()).await, Code::Unavailable, guard::WENT_BACK);

    let orphans = operate::rejoin(&suite.operator().client, "intake", true).await.unwrap();
    assert!(orphans.incarnation.is_empty(), "a dry run changes nothing");
    for consumer in ["triage", "routing", "notifications", "insights"] {
        assert!(orphans.orphans.iter().any(|orphan| orphan.consumer == consumer && orphan.first <= orphan.last), "{consumer}: {orphans:?}");
    }
    refused(suite.anonymous().cases().open_case(request).await, Code::Unavailable, guard::WENT_BACK);
    let done = operate::rejoin(&suite.operator().client, "intake", false).await.unwrap();
    assert!(!done.incarnation.is_empty() && !done.orphans.is_empty());
    // Without a restart; and all that is acknowledged from now on reaches everybody.
    let after = open(&suite, 8).await;
    for visitor in &kept {
        suite.with_token(&visitor.me.token).post(&visitor.case_id, "efter", "efter").await.unwrap();
    }
    all_wait(&after).await;
    all_wait(&kept).await;
    eventually("intake is ready", async || serving(&suite).await.then_some(())).await;
    assert_eq!(heads(&suite).await.refused, "");
    let journal = suite.integrator("alfa").await;
    eventually("insights has counted what is new beside what was lost", async || {
        let report = journal.insights().get_report(GetReportRequest::default()).await.unwrap().into_inner();
        (report.cases == 20 && report.messages == 44).then_some(())
    })
    .await;
    // Who did it, what and when: in the very database.
    let rows = suite.db("intake").await.rows("SELECT principal_kind, action, key FROM audit_log", store::args![]).await.unwrap();
    let rejoins: Vec<_> = rows.iter().filter(|row| row.text(1).unwrap() == "samtal.log.v1.EventLogService/Rejoin").collect();
    assert_eq!(rejoins.len(), 1);
    assert_eq!((rejoins[0].text(0).unwrap().as_str(), rejoins[0].text(2).unwrap()), ("operator", done.incarnation));
}

/// A consumer is ahead of what it has stored by events without effect. If it told a position without its incarnation, the source
/// would take its log for one that went back in time, and refuse all writes.
async fn what_a_consumer_tells_is_whole(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let incarnations: BTreeMap<String, String> = {
        let mut all = BTreeMap::new();
        for service in SERVICES {
            let request = HeadsRequest { service: service.into(), ..HeadsRequest::default() };
            let heads = suite.operator().log().heads(request).await.unwrap().into_inner().heads;
            all.insert(service.to_owned(), heads[0].incarnation.clone());
        }
        all
    };
    let mut told = 0;
    for _ in 0..10 {
        open(&suite, 1).await;
        for consumer in SERVICES {
            let request = ListCursorsRequest { service: consumer.into() };
            for cursor in suite.operator().log().list_cursors(request).await.unwrap().into_inner().cursors {
                if cursor.position > 0 {
                    assert_eq!(cursor.incarnation, incarnations[&cursor.source], "{cursor:?}");
                    assert!(!cursor.event_id.is_empty(), "{cursor:?}");
                    told += 1;
                }
            }
        }
    }
    assert!(told > 20, "there are cursors to look at: {told}");
}

/// Some of the services in a process of their own, as far as they can tell.
async fn alone(suite: &TestSuite, services: &[&str], own: &Port, peers: &BTreeMap<String, String>) -> (Suite, Channel) {
    let parts = Parts {
        store: suite.store_url(),
        bus: Bus::connect(&suite.nats.as_ref().unwrap().url(), "tests").await.unwrap(),
        ephemeral: Ephemeral::connect("memory:", suite.clock.clone()).await.unwrap(),
        clock: suite.clock.clone(),
        secret: suite.secret.clone(),
        shards: 4,
        smtp: String::new(),
        sms: String::new(),
        register: String::new(),
        attachments: format!("file:{}", suite.attachments.path().display()),
        reflection: false,
        replica: Some(services[0].to_owned()),
        peers: peers.clone(),
        grpc: listen("grpc", &format!("127.0.0.1:{}", own.number())).await.unwrap(),
        http: None,
        pages: gateway::Settings::default(),
    };
    let running = Suite::start(parts, services).await.unwrap();
    let channel = client::connect(&running.grpc.to_string()).await.unwrap();
    (running, channel)
}

/// Consumers that are away keep no intake shut, unless the bus knows better; and they are heard as soon as they are back.
#[tokio::test(flavor = "multi_thread")]
async fn p6_consumers_that_are_away_are_heard_when_they_are_back() {
    let mut suite = TestSuite::start(Stack::Region).await;
    let kept = open(&suite, 4).await;
    all_wait(&kept).await;
    suite.down().await;
    let backup = back_up(&suite).await;
    suite.up().await;
    all_wait(&open(&suite, 8).await).await;
    suite.down().await;
    put_back(&suite, backup).await;
    let (mine, theirs) = (Port::free(), Port::free());
    let others: Vec<&str> = SERVICES.into_iter().filter(|service| *service != "intake").collect();
    let mut peers: BTreeMap<String, String> =
        others.iter().map(|service| ((*service).to_owned(), format!("http://127.0.0.1:{}", theirs.number()))).collect();
    peers.insert("intake".to_owned(), format!("http://127.0.0.1:{}", mine.number()));

    // Intake comes up alone, and the stream holds what its database has lost.
    let (intake, channel) = alone(&suite, &["intake"], &mine, &peers).await;
    let post = async |channel: &Channel, client_id: &str| {
        Person::new(channel.clone(), &kept[0].me.token).post(&kept[0].case_id, client_id, "hej").await
    };
    refused(post(&channel, "a").await, Code::Unavailable, guard::UNPROVEN);
    intake.stop().await.unwrap();

    // Nobody is there who could know: care goes on.
    with(&suite.nats.clone().unwrap(), |nats| {
        nats.kill();
        nats.delete_store();
        nats.restart();
    })
    .await;
    let (intake, channel) = alone(&suite, &["intake"], &mine, &peers).await;
    post(&channel, "b").await.unwrap();
    // The consumers come back, and tell.
    let (rest, _) = alone(&suite, &others, &theirs, &peers).await;
    eventually("intake hears of it", async || {
        let answer = post(&channel, &kernel::Id::new(suite.clock.now()).to_string()).await;
        answer.is_err().then(|| refused(answer, Code::Unavailable, guard::WENT_BACK))
    })
    .await;
    rest.stop().await.unwrap();
    intake.stop().await.unwrap();
}
