//! Each port's conformance suite on the real servers; the embedded implementations run theirs beside their code.

use bus::{Bus, Live};
use ephemeral::Ephemeral;
use futures::StreamExt;
use kernel::Clock;
use samtal_tests::servers::{Nats, Redis, shared_redis};
use samtal_tests::suite::{SOON, eventually};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn nats_is_a_bus() {
    let nats = Arc::new(tokio::task::spawn_blocking(Nats::start).await.unwrap());
    let a = Bus::connect(&nats.url(), "a").await.unwrap();
    let b = Bus::connect(&nats.url(), "b").await.unwrap();
    conforms(&a, &b, "conformance").await;
    // Again after a crash, and after the loss of all that it had stored.
    let server = nats.clone();
    tokio::task::spawn_blocking(move || server.restart()).await.unwrap();
    conforms(&a, &b, "crash").await;
    let server = nats.clone();
    tokio::task::spawn_blocking(move || {
        server.kill();
        server.delete_store();
        server.restart();
    })
    .await
    .unwrap();
    conforms(&a, &b, "loss").await;
}

/// The suite, once both connections are there: a live message that is sent before is rightly lost.
async fn conforms(a: &Bus, b: &Bus, service: &'static str) {
    eventually("live messages pass both ways", async || {
        for (from, to) in [(a, b), (b, a)] {
            let mut probe = to.subscribe_live("samtal.live.probe").await.ok()?;
            from.publish_live("samtal.live.probe", bytes::Bytes::from_static(b"probe")).await;
            loop {
                match tokio::time::timeout(Duration::from_millis(200), probe.next()).await.ok()?? {
                    Live::Message(_) => break,
                    Live::Gap => {}
                }
            }
        }
        Some(())
    })
    .await;
    // A stream that was lost is made again by the first who finds it missing.
    eventually("batches are taken", async || a.publish_log("probe", 0, service, bytes::Bytes::from_static(b"probe")).await.ok()).await;
    tokio::time::timeout(2 * SOON, bus::conformance::run(a, b, service, service)).await.expect("the bus goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_an_ephemeral_store() {
    let url = tokio::task::spawn_blocking(|| shared_redis().url()).await.unwrap();
    let clock = Clock::system();
    let ephemeral = Ephemeral::connect(&url, clock.clone()).await.unwrap();
    ephemeral::conformance::run(&ephemeral, &clock).await;
}

/// P8: while Redis is away its callers go on, with nobody present and limits that still hold; when it is back, so is all of it.
#[tokio::test(flavor = "multi_thread")]
async fn p8_redis_may_go_and_come_back() {
    let redis = Arc::new(tokio::task::spawn_blocking(Redis::start).await.unwrap());
    let clock = Clock::system();
    let ephemeral = Ephemeral::connect(&redis.url(), clock.clone()).await.unwrap();
    ephemeral.set_present("somebody", "screen", Duration::from_secs(3600)).await;
    assert!(ephemeral.is_present("somebody").await);
    redis.kill();
    let calls = async {
        ephemeral.set_present("somebody", "screen", Duration::from_secs(60)).await;
        ephemeral.is_present("somebody").await;
        ephemeral.put_ticket("ticket", "value", Duration::from_secs(60)).await;
        ephemeral.take_ticket("ticket").await;
        let mut refused = 0;
        for _ in 0..50 {
            refused += usize::from(ephemeral.allow("limit", 5, Duration::from_secs(3600)).await.is_err());
        }
        refused
    };
    let refused = tokio::time::timeout(Duration::from_secs(20), calls).await.expect("no call hangs without Redis");
    assert!((1..=45).contains(&refused), "a limit holds without Redis too, and lets some through: {refused} of 50 were refused");
    let server = redis.clone();
    tokio::task::spawn_blocking(move || server.restart()).await.unwrap();
    eventually("Redis is used again", async || {
        ephemeral.set_present("back", "screen", Duration::from_secs(3600)).await;
        redis.command(&["DBSIZE"]).trim_start_matches(':').parse::<u32>().ok().filter(|keys| *keys > 0)
    })
    .await;
    eventually("it conforms again", async || ephemeral.is_present("back").await.then_some(())).await;
    ephemeral::conformance::run(&ephemeral, &clock).await;
    redis.flush();
    ephemeral::conformance::run(&ephemeral, &clock).await;
}
