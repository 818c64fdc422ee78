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
            return the_last_batch_is_told(a, b, service, n).await;
        }
    }
    panic!("readers got nothing: {got_first} {got_second}");
}

/// A bus that stores batches tells the last of each shard; one that stores none says so.
async fn the_last_batch_is_told(a: &Bus, b: &Bus, service: &str, n: u32) {
    let last = b.last_log(service, n % 4).await.expect("an answer");
    let stores = !matches!(a, Bus::Local(_));
    assert_eq!(last, stores.then(|| Bytes::from(n.to_string())));
    assert_eq!(b.last_log(service, 4).await.expect("an answer"), None, "nobody has published there");
}

/// How long a live message may take before it counts as lost, which live messages may be.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(1);
/// A bus that loses more often than this in a row is broken.
const ROUNDS: u8 = 10;

/// The next live message; None if nothing comes, or something may have been lost.
async fn heard(reader: &mut crate::LiveStream) -> Option<Bytes> {
    match tokio::time::timeout(SILENCE, reader.next()).await {
        Ok(Some(Live::Message(bytes))) => Some(bytes),
        Ok(Some(Live::Gap)) | Err(_) => None,
        Ok(None) => panic!("the stream of live messages ended"),
    }
}

async fn live_reaches_those_who_listen(a: &Bus, b: &Bus, tag: &str) {
    'rounds: for round in 0..ROUNDS {
        let subject = crate::live_subject(&format!("{tag}-one-{round}"));
        let mut reader = b.subscribe_live(&subject).await.expect("a subscription");
        for n in 0..20_u8 {
            a.publish_live(&subject, Bytes::from(vec![n])).await;
        }
        for n in 0..20_u8 {
            let Some(bytes) = heard(&mut reader).await else { continue 'rounds };
            assert_eq!(bytes.as_ref(), [n], "live messages of one sender keep their order");
        }
        return;
    }
    panic!("live messages were lost in every round");
}

async fn subjects_are_apart(a: &Bus, b: &Bus, tag: &str) {
    for round in 0..ROUNDS {
        let (one, other) = (crate::live_subject(&format!("{tag}-x-{round}")), crate::live_subject(&format!("{tag}-y-{round}")));
        let mut reader = b.subscribe_live(&one).await.expect("a subscription");
        a.publish_live(&other, Bytes::from_static(b"other")).await;
        a.publish_live(&one, Bytes::from_static(b"mine")).await;
        if let Some(bytes) = heard(&mut reader).await {
            assert_eq!(bytes.as_ref(), b"mine");
            return;
        }
    }
    panic!("live messages were lost in every round");
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn the_local_bus_conforms() {
        let bus = crate::Bus::local();
        super::run(&bus, &bus, "conformance", "local").await;
    }
}
