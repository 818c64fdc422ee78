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

/// Each of the chart's users does what its service does, and not what another's does.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_nats_may_do_what_its_service_does() {
    let nats = Arc::new(tokio::task::spawn_blocking(Nats::start_with_users).await.unwrap());
    let as_user = async |user: &str| Bus::connect(&nats.url_as(user), user).await.unwrap();
    let (intake, triage, provision) = (as_user("intake").await, as_user("triage").await, as_user("provision").await);
    let batch = || bytes::Bytes::from_static(b"batch");
    let made = eventually("the stream is made", async || provision.provision().await.ok()).await;
    assert!(made.starts_with("stream SAMTAL_LOG: 1 replica(s)"), "{made}");
    let again = provision.provision().await.unwrap();
    assert_eq!(made, again, "a second time changes nothing");
    let mut heard = triage.subscribe_log("intake").await;
    // The reader's consumer takes a moment, and only then is everything heard.
    eventually("triage hears intake's log", async || {
        intake.publish_log("intake", 0, &format!("{:?}", std::time::Instant::now()), batch()).await.ok()?;
        tokio::time::timeout(Duration::from_millis(300), heard.next()).await.ok()?
    })
    .await;
    assert_eq!(intake.last_log("intake", 0).await.unwrap().unwrap(), batch());
    let refused = intake.publish_log("triage", 0, "forged", batch()).await.unwrap_err();
    assert_eq!(refused.code, kernel::Code::Unavailable, "{refused:?}");
    assert!(intake.last_log("triage", 0).await.unwrap().is_none(), "nothing of another's is stored");
    // What a case's live text is to whoever has no business with it: silence.
    let mut screen = intake.subscribe_live("samtal.live.case").await.unwrap();
    let mut spy = triage.subscribe_live("samtal.live.case").await.unwrap();
    eventually("intake's own live message comes", async || {
        intake.publish_live("samtal.live.case", bytes::Bytes::from_static(b"text")).await;
        match tokio::time::timeout(Duration::from_millis(300), screen.next()).await {
            Ok(Some(Live::Message(message))) => Some(message),
            _ => None,
        }
    })
    .await;
    while let Ok(Some(told)) = tokio::time::timeout(Duration::from_millis(300), spy.next()).await {
        assert_eq!(told, Live::Gap, "triage hears no live text");
    }
    let wrong = Bus::connect(&nats.url_as("intake").replace("intake:", "nobody:"), "intake").await.unwrap();
    assert_eq!(wrong.publish_log("intake", 0, "x", batch()).await.unwrap_err().code, kernel::Code::Unavailable);
    assert!(!wrong.is_connected());
    for (address, replicas) in [("nats://u:p@", 1), ("nats://host:port", 1), ("nats://127.0.0.1:1", 2)] {
        let settings = bus::Settings { replicas, ..bus::Settings::from(address) };
        let error = Bus::connect(settings, "intake").await.err().expect("it is no address");
        assert!(error.code == kernel::Code::InvalidArgument && !error.message.contains("u:p"), "{address}: {error:?}");
    }
}

/// Two installations on one NATS by mistake pass each other by: neither takes the other's events, or its log for one that went back.
#[tokio::test(flavor = "multi_thread")]
async fn installations_on_one_nats_do_not_meet() {
    let nats = Arc::new(tokio::task::spawn_blocking(Nats::start).await.unwrap());
    let of = async |installation: &str| {
        let settings = bus::Settings { installation: installation.into(), ..bus::Settings::from(&nats.url()) };
        Bus::connect(settings, "tests").await.unwrap()
    };
    let (one, other) = (of("one").await, of("other").await);
    let (mut ours, mut theirs) = (one.subscribe_log("intake").await, other.subscribe_log("intake").await);
    for (bus, reader, batch) in [(&one, &mut ours, "ours"), (&other, &mut theirs, "theirs")] {
        let heard = eventually("one hears one's own", async || {
            let id = format!("{:?}", std::time::Instant::now());
            bus.publish_log("intake", 0, &id, bytes::Bytes::from(batch)).await.ok()?;
            tokio::time::timeout(Duration::from_millis(300), reader.next()).await.ok()?
        })
        .await;
        assert_eq!(heard, bytes::Bytes::from(batch), "and nothing else");
    }
    // The last one stored is the other's: no witness for this one.
    assert_eq!(one.last_log("intake", 0).await.unwrap(), None);
    assert_eq!(other.last_log("intake", 0).await.unwrap(), Some(bytes::Bytes::from("theirs")));
    while let Ok(Some(batch)) = tokio::time::timeout(Duration::from_millis(300), ours.next()).await {
        assert_eq!(batch, bytes::Bytes::from("ours"));
    }
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
