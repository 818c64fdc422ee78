//! P1, P9: the real process is killed at every failpoint, and PostgreSQL under it; whatever was acknowledged is there, once, in order.

use crate::load::{Load, Repeat, in_tables, open, opening, read_back_within, shown};
use proto::access::PrincipalKind;
use proto::scheduling::{HoldSlotRequest, Interval, ListSlotsRequest};
use samtal_tests::remote::Remote;
use samtal_tests::servers::{Nats, Postgres, shared_postgres};
use samtal_tests::suite::Person;
use std::sync::Arc;
use std::time::Duration;
use suite::client;

const WRITERS: usize = 4;

/// Holds that run out at once, so that timers fire too.
pub async fn hold(leader: Person, case: String, load: &Load) {
    while !load.stopped() {
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
    let load = Load::new(Repeat::UntilCertain);
    let anonymous = remote.anonymous().await;
    let leader = remote.person(PrincipalKind::Leader, "alfa.lea").await;
    let id = kernel::Id::new(kernel::Clock::system().now()).to_string();
    let held = open(Repeat::UntilCertain, &anonymous, &opening(id)).await.case.unwrap().case_id;
    let mut channels = Vec::new();
    for _ in 0..WRITERS {
        channels.push(client::connect(&remote.address()).await.unwrap());
    }
    let harm = async {
        let more_cases = harm(remote).await;
        load.stop();
        more_cases
    };
    let (all, (), more_cases) = futures::join!(load.run(channels), hold(leader, held, &load), harm);
    shown(&all).await;
    let journal = remote.person(PrincipalKind::Integrator, "journal").await;
    // P1 and P9 say that nothing is lost, not when figures have caught up; with the whole suite beside it 30 s were missed.
    read_back_within(std::time::Duration::from_secs(90), &journal, &all, (1 + more_cases, 1 + more_cases)).await;
    remote.stop().await;
    in_tables(async |service| remote.db(service).await, &all).await;
}

/// Every failpoint, the `nth` passing of it under load.
async fn killed_at_every_failpoint(stack: impl Fn() -> Vec<String>, nth: usize) {
    for failpoint in kernel::failpoint::ALL {
        let mut remote = Remote::new(stack());
        remote.up_with_region().await;
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
    remote.up_with_region().await;
    under_load(&mut remote, async |remote| {
        let anonymous = remote.anonymous().await;
        for round in 0..3_usize {
            let server = postgres.clone();
            tokio::task::spawn_blocking(move || server.restart()).await.unwrap();
            // Until it takes work again.
            let request = opening(kernel::Id::derived(&[b"probe", &round.to_le_bytes()]).to_string());
            open(Repeat::UntilCertain, &anonymous, &request).await;
        }
        3
    })
    .await;
}
