//! Servers that are away or out of reach while people write: P2, P8, P10.

use crate::journey::close;
use crate::load::{self, Load, Repeat};
use futures::future::join_all;
use proto::intake::converse_request::Frame;
use proto::intake::converse_response::Frame as Answer;
use proto::intake::{ConverseRequest, Outcome, PostMessageRequest, RateCaseRequest};
use proto::routing::ClaimCaseRequest;
use samtal_tests::long;
use samtal_tests::proxy::Proxy;
use samtal_tests::servers::Redis;
use samtal_tests::suite::{Person, SOON, Setup, Stack, TestSuite, eventually};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

/// From the door to the rating; answers how many messages it had.
async fn whole_way(suite: &TestSuite, sten: &Person) -> i64 {
    let visitor = suite.visitor("alfa-far-door", "alfa-cold", "hej").await;
    let screen = crate::screens::Screen::open(visitor.me.clone(), &visitor.case_id);
    let claim = ClaimCaseRequest { case_id: visitor.case_id.clone(), ..Default::default() };
    eventually("the case waits to be claimed", async || sten.routing().claim_case(claim.clone()).await.ok()).await;
    sten.holds(&visitor.case_id).await;
    for n in 0..3 {
        sten.post(&visitor.case_id, &format!("a{n}"), "svar").await.unwrap();
        visitor.me.post(&visitor.case_id, &format!("v{n}"), "tack").await.unwrap();
    }
    // Seven that people wrote, and the line that says who answers.
    eventually("the screen shows all eight", async || (screen.seqs() == [1, 2, 3, 4, 5, 6, 7, 8]).then_some(())).await;
    sten.cases().close_case(close(&visitor.case_id, Outcome::Advice)).await.unwrap();
    let rate = RateCaseRequest { case_id: visitor.case_id.clone(), rating: 5, ..RateCaseRequest::default() };
    visitor.me.cases().rate_case(rate).await.unwrap();
    7
}

/// P8: Redis forgets everything several times a second, and is away for a while; no call fails, nothing is lost or repeated.
#[tokio::test(flavor = "multi_thread")]
async fn p8_a_redis_that_forgets_changes_nothing_that_lasts() {
    let redis = Arc::new(tokio::task::spawn_blocking(Redis::start).await.unwrap());
    let mut suite = Setup::new(Stack::Region).redis(redis.clone()).start().await;
    let sten = suite.worker("alfa.sten").await;
    let rounds = if long() { 40 } else { 3 };
    load::on(&mut suite, Load::new(Repeat::Never), 4, async |suite, _| {
        let over = Arc::new(AtomicBool::new(false));
        let flushing = {
            let (redis, over) = (redis.clone(), over.clone());
            tokio::task::spawn_blocking(move || {
                let mut found = 0;
                while !over.load(Ordering::SeqCst) {
                    found += redis.command(&["DBSIZE"]).trim_start_matches(':').parse::<u64>().unwrap();
                    redis.flush();
                    std::thread::sleep(Duration::from_millis(100));
                }
                found
            })
        };
        sten.present(true).await;
        let mut messages = 0;
        for _ in 0..rounds {
            messages += join_all((0..3).map(|_| whole_way(suite, &sten))).await.into_iter().sum::<i64>();
        }
        over.store(true, Ordering::SeqCst);
        assert!(flushing.await.unwrap() > 0, "there was something to forget");
        // And away altogether.
        redis.kill();
        messages += whole_way(suite, &sten).await;
        let server = redis.clone();
        tokio::task::spawn_blocking(move || server.restart()).await.unwrap();
        messages += whole_way(suite, &sten).await;
        sten.present(false).await;
        (3 * rounds + 2, messages)
    })
    .await;
}

/// Spoils one server's network for a while.
async fn spoiled(proxy: &Proxy, spoil: impl Fn(&Proxy), span: Duration) {
    spoil(proxy);
    // What is tested is that this much time passes.
    tokio::time::sleep(span).await;
    proxy.heal();
}

/// P2: nothing comes through to NATS, then nothing to PostgreSQL, as when a cable is pulled; 30 s after it is plugged in again at the
/// latest, all that was acknowledged stands on every screen. P10: nobody takes it for poison.
#[tokio::test(flavor = "multi_thread")]
async fn p2_after_a_partition_every_screen_shows_everything() {
    let mut suite = Setup::new(Stack::Region).proxied().start().await;
    let span = Duration::from_secs(if long() { 60 } else { 5 });
    load::on(&mut suite, Load::new(Repeat::UntilCertain), 8, async |suite, load| {
        let (bus, store) = (suite.to_bus.clone().unwrap(), suite.to_store.clone().unwrap());
        load.more(200).await;
        spoiled(&bus, Proxy::stall, span).await;
        load.more(50).await;
        // Half-open: the connections that there are lead nowhere, and nobody says so.
        spoiled(&bus, Proxy::forget, Duration::ZERO).await;
        load.more(50).await;
        spoiled(&store, Proxy::cut, Duration::ZERO).await;
        load.more(50).await;
        spoiled(&store, Proxy::forget, Duration::ZERO).await;
        load.more(50).await;
        spoiled(&store, Proxy::stall, span).await;
        // From here on the screens have their 30 s.
        (0, 0)
    })
    .await;
}

/// P10: PostgreSQL refuses every connection for longer than an event is tried; once it is back, everything takes effect.
#[tokio::test(flavor = "multi_thread")]
async fn p10_an_outage_is_not_poison() {
    let mut suite = Setup::new(Stack::Region).proxied().start().await;
    let span = Duration::from_secs(if long() { 180 } else { 5 });
    load::on(&mut suite, Load::new(Repeat::UntilCertain), 8, async |suite, load| {
        let store = suite.to_store.clone().unwrap();
        load.more(200).await;
        let behind = [samtal_tests::servers::shared_postgres().port()];
        store.send_to(&[]);
        store.cut();
        tokio::time::sleep(span).await;
        store.send_to(&behind);
        load.more(200).await;
        (0, 0)
    })
    .await;
}

/// A store that says nothing holds no conversation for ever: each frame of `Converse` is answered within its own deadline.
#[tokio::test(flavor = "multi_thread")]
async fn a_frame_is_answered_in_time_though_the_store_hangs() {
    let suite = Setup::new(Stack::Region).proxied().start().await;
    let visitor = suite.visitor("alfa-far-door", "alfa-cold", "hej").await;
    let (frames, requests) = tokio::sync::mpsc::channel(8);
    let mut answers = visitor.me.conversations().converse(ReceiverStream::new(requests)).await.unwrap().into_inner();
    let store = suite.to_store.clone().unwrap();
    let mut post = async |timeout_ms: u32| {
        let case_id = visitor.case_id.clone();
        let message = PostMessageRequest { case_id, client_id: "v1".into(), text: "hör ni?".into(), ..Default::default() };
        frames.send(ConverseRequest { timeout_ms, frame: Some(Frame::Post(message)), ..Default::default() }).await.unwrap();
        let answer = tokio::time::timeout(SOON, answers.message()).await.expect("an answer in time");
        answer.unwrap().expect("the stream goes on").frame.unwrap()
    };
    let refused = |answer: Answer| match answer {
        Answer::Error(error) => (error.code, error.reason, error.field),
        other => panic!("{other:?}"),
    };
    let too_long = refused(post(120_001).await);
    assert_eq!((too_long.0, too_long.2.as_str()), (Code::InvalidArgument as i32, "timeout_ms"));
    store.stall();
    // The same words as of a call of its own.
    let late = refused(post(1_000).await);
    assert_eq!((late.0, late.1.as_str()), (Code::DeadlineExceeded as i32, "DEADLINE_EXCEEDED"));
    store.heal();
    eventually("repeated on the same stream, it is taken", async || matches!(post(0).await, Answer::Posted(_)).then_some(())).await;
    let written = visitor.me.messages(&visitor.case_id).await.unwrap();
    assert_eq!(written.iter().filter(|message| message.client_id == "v1").count(), 1);
}
