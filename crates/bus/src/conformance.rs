//! What every bus must do, run by tests on each implementation.

#![allow(clippy::panic, clippy::expect_used, clippy::missing_panics_doc, reason = "assertions of a test suite")]

use bytes::Bytes;
use futures::StreamExt;

use crate::{Bus, Live};

/// Runs the whole suite. `a` and `b` are two connections to the same bus; subjects carry `tag`, so that suites may run side by side.
pub async fn run(a: &Bus, b: &Bus, service: &'static str, tag: &str) {
    batches_reach_every_reader(a, b, service).await;
    live_reaches_those_who_listen(a, b, tag).await;
    subjects_are_apart(a, b, tag).await;
}

async fn batches_reach_every_reader(a: &Bus, b: &Bus, service: &'static str) {
    let (mut first, mut second) = (a.subscribe_log(service).await, b.subscribe_log(service).await);
    // A reader that is not there yet misses batches, and backfills: so publish until both have one.
    let (mut got_first, mut got_second) = (false, false);
    for n in 0..500_u32 {
        // A refusal is not a loss: the relay keeps the batch and tries again, as this loop does.
        if a.publish_log(service, n % 4, &format!("{service}-{n}"), Bytes::from(n.to_string())).await.is_err() {
            continue;
        }
        let wait = std::time::Duration::from_millis(20);
        got_first |= matches!(tokio::time::timeout(wait, first.next()).await, Ok(Some(_)));
        got_second |= matches!(tokio::time::timeout(wait, second.next()).await, Ok(Some(_)));
        if got_first && got_second {
            return;
        }
    }
    panic!("readers got nothing: {got_first} {got_second}");
}

async fn live_reaches_those_who_listen(a: &Bus, b: &Bus, tag: &str) {
    let subject = crate::live_subject(&format!("{tag}-one"));
    let mut reader = b.subscribe_live(&subject).await.expect("a subscription");
    for n in 0..20_u8 {
        a.publish_live(&subject, Bytes::from(vec![n])).await;
    }
    let mut seen = 0;
    while seen < 20 {
        match reader.next().await.expect("the stream goes on") {
            Live::Message(bytes) => {
                assert_eq!(bytes.as_ref(), [seen], "live messages of one sender keep their order");
                seen += 1;
            }
            Live::Gap => {}
        }
    }
}

async fn subjects_are_apart(a: &Bus, b: &Bus, tag: &str) {
    let (one, other) = (crate::live_subject(&format!("{tag}-x")), crate::live_subject(&format!("{tag}-y")));
    let mut reader = b.subscribe_live(&one).await.expect("a subscription");
    a.publish_live(&other, Bytes::from_static(b"other")).await;
    a.publish_live(&one, Bytes::from_static(b"mine")).await;
    loop {
        if let Live::Message(bytes) = reader.next().await.expect("the stream goes on") {
            assert_eq!(bytes.as_ref(), b"mine");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn the_local_bus_conforms() {
        let bus = crate::Bus::local();
        super::run(&bus, &bus, "conformance", "local").await;
    }
}
