//! Readers that come and go, and readers that do not read. P11, P12.

use crate::load::{Repeat, open, opening, settled};
use crate::screens::Screen;
use futures::future::join_all;
use proto::intake::subscribe_response::Event;
use proto::intake::{SubscribeRequest, SubscribeResponse};
use samtal_tests::long;
use samtal_tests::proxy::Proxy;
use samtal_tests::remote::Remote;
use samtal_tests::suite::{Person, SOON, Stack, TestSuite, Visitor, eventually};
use std::time::{Duration, Instant};
use suite::client;
use tonic::Streaming;

on_both_stacks!(p12_whoever_comes_back_gets_each_gap_once);

/// P12: streams that last 50 to 500 ms, every third over a connection that goes half-open, while others write.
async fn p12_whoever_comes_back_gets_each_gap_once(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    let anna = suite.worker("alfa.anna").await;
    anna.present(true).await;
    anna.take(&visitor.case_id).await;
    let proxy = Proxy::start(&[suite.suite().grpc.port()]).await;
    let (network, token) = (proxy.clone(), visitor.me.token.clone());
    let screen = Screen::over(
        move |number| {
            let (proxy, token) = (network.clone(), token.clone());
            Box::pin(async move {
                let person = Person::new(client::connect(&proxy.address()).await.ok()?, &token);
                // Any spread will do, as long as it is one.
                let stay = Duration::from_millis(50 + kernel::id::key_hash(&number.to_string()) % 450);
                if number % 3 == 2 {
                    tokio::spawn(async move {
                        tokio::time::sleep(stay / 2).await;
                        proxy.forget();
                    });
                }
                Some((person, stay))
            })
        },
        &visitor.case_id,
    );
    // The first text, and the line that says who answers.
    let (mut written, until) = (2, Instant::now() + Duration::from_secs(if long() { 120 } else { 4 }));
    while Instant::now() < until || screen.opened() < 10 {
        for (writer, id) in [(&anna, "a"), (&visitor.me, "v")] {
            writer.post(&visitor.case_id, &format!("{id}{written}"), "text").await.unwrap();
        }
        written += 2;
    }
    eventually("the screen shows everything", async || (screen.seqs().len() as i64 >= written).then_some(())).await;
    assert_eq!(screen.seqs(), (1..=written).collect::<Vec<_>>());
}

/// Somebody who asks for everything and then does not read.
async fn stalled(me: &Person, case_id: &str) -> Streaming<SubscribeResponse> {
    let request = SubscribeRequest { case_id: case_id.to_owned(), after_seq: 0 };
    me.conversations().subscribe(request).await.unwrap().into_inner()
}

/// Resident memory of a process, in KiB.
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// From sending to the last of the screens, in the middle of 30.
async fn latency(visitor: &Visitor, screens: &[Screen]) -> Duration {
    let mut all = Vec::new();
    for n in 0..30 {
        let started = Instant::now();
        let id = format!("{n}-{}", screens[0].seqs().len());
        let seq = visitor.me.post(&visitor.case_id, &id, "text").await.unwrap().message.unwrap().seq;
        for screen in screens {
            eventually("it is shown", async || (screen.last() >= seq).then_some(())).await;
        }
        all.push(started.elapsed());
    }
    all.sort();
    all[all.len() / 2]
}

async fn visitor(remote: &Remote) -> Visitor {
    let opened = open(Repeat::UntilCertain, &remote.anonymous().await, &opening(String::new())).await;
    let me = Person::new(client::connect(&remote.address()).await.unwrap(), &opened.visitor_token);
    Visitor { me, case_id: opened.case.clone().unwrap().case_id, opened }
}

/// P11: many read, and some do not.
#[tokio::test(flavor = "multi_thread")]
async fn p11_readers_that_stall_slow_nobody_and_fill_nothing() {
    const STALLED: usize = 100;
    const FLOOD: usize = 800;
    let many = if long() { 1000 } else { 200 };
    let mut remote = Remote::new(Vec::new());
    remote.up_with_region().await;
    let (watched, flooded) = (visitor(&remote).await, visitor(&remote).await);
    let screens: Vec<Screen> = (0..many).map(|_| Screen::open(watched.me.clone(), &watched.case_id)).collect();
    let before = latency(&watched, &screens).await;

    let own = Person::new(client::connect(&remote.address()).await.unwrap(), &flooded.me.token);
    let mut asleep = join_all((0..STALLED).map(|_| stalled(&own, &flooded.case_id))).await;
    let reader = Screen::open(flooded.me.clone(), &flooded.case_id);
    let pid = remote.process().pid();
    let small = memory(pid);
    let text = "x".repeat(4096);
    for round in 0..FLOOD / 16 {
        let (me, case, text) = (&flooded.me, &flooded.case_id, &text);
        let posts = (0..16).map(|n| async move {
            let id = format!("f{round}-{n}");
            settled(Repeat::UntilCertain, async || me.post(case, &id, text).await).await
        });
        join_all(posts).await;
    }
    let stuck = Instant::now();
    eventually("who reads has it all", async || (reader.last() == FLOOD as i64 + 1).then_some(())).await;
    let during = latency(&watched, &screens).await;
    let grown = memory(pid).saturating_sub(small) / 1024;
    println!("{many} screens: {before:?} before, {during:?} beside {STALLED} that do not read; memory grew by {grown} MiB");
    assert!(during < before * 3 + Duration::from_millis(50), "{before:?} before, {during:?} beside readers that stall");
    // Each may be 128 messages behind; without a bound it would be all 800.
    assert!(grown < 200, "memory grew by {grown} MiB");

    // They are given up, told so when they wake, and miss nothing when they come again.
    while stuck.elapsed() < Duration::from_secs(11) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut stream = asleep.swap_remove(0);
    drop(asleep);
    let mut seen = Vec::new();
    let after_seq = loop {
        match tokio::time::timeout(SOON, stream.message()).await.unwrap().unwrap().expect("a last word").event {
            Some(Event::Message(message)) => seen.push(message.seq),
            Some(Event::Resync(resync)) => break resync.after_seq,
            _ => {}
        }
    };
    assert_eq!(seen, (1..=after_seq).collect::<Vec<_>>());
    assert!(after_seq < FLOOD as i64, "it was not held back for it");
    assert_eq!(flooded.me.messages(&flooded.case_id).await.unwrap().len(), FLOOD + 1);
    let again = Screen::open(flooded.me.clone(), &flooded.case_id);
    eventually("all of it", async || (again.seqs() == (1..=FLOOD as i64 + 1).collect::<Vec<_>>()).then_some(())).await;
    remote.stop().await;
}
