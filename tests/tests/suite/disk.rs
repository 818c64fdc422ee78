//! P16: a disk that is full. Writes are refused and say why, nothing is half written, and room is all that it takes to go on.

use crate::load::{Load, Repeat, in_tables, read_back, shown};
use proto::access::PrincipalKind;
use proto::insights::GetReportRequest;
use proto::intake::GetEntryPointRequest;
use samtal_tests::remote::Remote;
use samtal_tests::servers::Postgres;
use samtal_tests::shim::Disk;
use samtal_tests::suite::{Person, SOON, eventually};
use std::time::Duration;
use suite::client;
use tonic::Code;

/// Load; the disk fills under it; what is refused and what is not is looked at; `meanwhile` happens; room is made.
async fn fills_up(mut remote: Remote, disk: &Disk, meanwhile: impl AsyncFnOnce(&mut Remote)) {
    remote.up_with_region().await;
    let journal = remote.person(PrincipalKind::Integrator, "journal").await;
    let load = Load::new(Repeat::UntilCertain);
    let mut channels = Vec::new();
    for _ in 0..4 {
        channels.push(client::connect(&remote.address()).await.unwrap());
    }
    let mine = crate::load::open(Repeat::Never, &remote.anonymous().await, &crate::load::opening(String::new())).await;
    let case = mine.case.unwrap().case_id;
    let me = Person::new(client::connect(&remote.address()).await.unwrap(), &mine.visitor_token);
    let harm = async {
        load.more(100).await;
        disk.fill();
        let mut sent = 0;
        let refused = eventually("a message finds no room", async || {
            sent += 1;
            me.post(&case, &format!("m{sent}"), &"ett långt svar ".repeat(60)).await.err()
        })
        .await;
        assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
        // What needs no row in the access log can be read.
        let door = GetEntryPointRequest { entry_point_id: "alfa-door".into(), language: "sv".into() };
        assert!(me.cases().get_entry_point(door).await.unwrap().into_inner().entry_point.unwrap().open);
        assert!(journal.insights().get_report(GetReportRequest::default()).await.unwrap().into_inner().cases > 0);
        meanwhile(&mut remote).await;
        disk.make_room();
        remote
    };
    let running = async {
        let mut remote = harm.await;
        if !remote.process().is_running() {
            remote.up("").await;
        }
        load.more(100).await;
        load.stop();
        remote
    };
    let (all, mut remote) = futures::join!(load.run(channels), running);
    shown(&all).await;
    let journal = remote.person(PrincipalKind::Integrator, "journal").await;
    // Of the ones that were sent one after the other, all are there but the refused ones, which are not there at all.
    let kept = journal.messages(&case).await.unwrap();
    assert_eq!(kept.iter().map(|message| message.seq).collect::<Vec<_>>(), (1..=kept.len() as i64).collect::<Vec<_>>());
    read_back(&journal, &all, (1, kept.len() as i64)).await;
    remote.stop().await;
    in_tables(async |service| remote.db(service).await, &all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p16_a_full_disk_under_the_embedded_store() {
    let mut remote = Remote::new(Vec::new());
    let disk = Disk::of(remote.folder());
    remote.env(disk.environment());
    fills_up(remote, &disk, async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p16_killed_while_the_disk_is_full() {
    let mut remote = Remote::new(Vec::new());
    let disk = Disk::of(remote.folder());
    remote.env(disk.environment());
    fills_up(remote, &disk, async |remote| {
        remote.process().kill9();
        // It cannot begin without room, and says so; the next start is after there is some.
        remote.launch("");
        let ended = remote.process().wait_exit(SOON);
        assert_eq!(ended.code(), Some(1), "{:?}", remote.process().lines());
        assert!(remote.process().lines().iter().any(|line| line.contains("the data folder cannot be written")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p16_a_full_disk_under_postgres() {
    let postgres = tokio::task::spawn_blocking(Postgres::start_on_disk).await.unwrap();
    let url = postgres.create_database("region");
    fills_up(Remote::new(vec!["--store".into(), url]), postgres.disk(), async |_| tokio::time::sleep(Duration::from_secs(1)).await).await;
}
