//! What every store of this port must do. For tests: it asserts, and panics where a store falls short.

use std::time::Duration;

use kernel::{Clock, Id};

use crate::Ephemeral;

/// How long a store that expires by a real clock may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the whole suite against `e`. A manual `clock` is moved forward; with a server that expires by its own clock the
/// suite polls for what it expects. It may run many times against one server at once: its keys are its own.
pub async fn run(e: &Ephemeral, clock: &Clock) {
    presence(e, clock).await;
    presence_expires(e, clock).await;
    limit_is_exact_under_concurrency(e, clock).await;
    limit_comes_back(e, clock).await;
    ticket_is_taken_once(e, clock).await;
    ticket_expires(e, clock).await;
}

/// A key that no other run uses.
fn key(clock: &Clock, name: &str) -> String {
    format!("conformance/{name}/{}", Id::new(clock.now()))
}

/// Waits until `holds`, having moved a manual clock by `after`. The pause is between two looks, never instead of one.
async fn eventually(clock: &Clock, after: Duration, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    clock.advance_to(clock.now() + after);
    let polling = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, polling).await.is_ok(), "{what}: not within {PATIENCE:?}");
}

async fn presence(e: &Ephemeral, clock: &Clock) {
    let (here, gone, never) = (key(clock, "here"), key(clock, "gone"), key(clock, "never"));
    let long = Duration::from_secs(3600);
    e.set_present(&here, "one", long).await;
    e.set_present(&gone, "one", long).await;
    assert!(e.is_present(&gone).await);
    e.clear_present(&gone, "one").await;
    e.clear_present(&never, "one").await;
    assert!(e.is_present(&here).await && !e.is_present(&gone).await);
    let all = [never.clone(), here.clone(), gone, here.clone()];
    assert_eq!(e.present(&all).await, [false, true, false, true], "the answers come in the order of the keys");
    assert_eq!(e.present(&[]).await, Vec::<bool>::new());
    e.set_present(&here, "two", long).await;
    e.clear_present(&here, "one").await;
    e.clear_present(&here, "one").await;
    assert!(e.is_present(&here).await, "present as long as one screen is open");
    e.clear_present(&here, "two").await;
    assert!(!e.is_present(&here).await);
}

async fn presence_expires(e: &Ephemeral, clock: &Clock) {
    let (short, renewed, outlived) = (key(clock, "short"), key(clock, "renewed"), key(clock, "outlived"));
    let (ttl, long) = (Duration::from_millis(50), Duration::from_secs(3600));
    e.set_present(&renewed, "one", ttl).await;
    e.set_present(&renewed, "one", long).await;
    e.set_present(&outlived, "long", long).await;
    e.set_present(&outlived, "short", ttl).await;
    e.set_present(&short, "one", ttl).await;
    eventually(clock, ttl, "presence expires", async || !e.is_present(&short).await).await;
    assert!(e.is_present(&renewed).await, "a heartbeat prolongs presence");
    assert!(e.is_present(&outlived).await, "a screen that is over takes no other one with it");
    e.clear_present(&outlived, "long").await;
    assert!(!e.is_present(&outlived).await, "and is over itself");
    e.clear_present(&renewed, "one").await;
}

async fn limit_is_exact_under_concurrency(e: &Ephemeral, clock: &Clock) {
    let key = key(clock, "limit");
    let window = Duration::from_secs(3600);
    let tries: Vec<_> = (0..20)
        .map(|_| {
            let (e, key) = (e.clone(), key.clone());
            tokio::spawn(async move { e.allow(&key, 5, window).await })
        })
        .collect();
    let mut allowed = 0;
    for one in tries {
        match one.await {
            Ok(Ok(())) => allowed += 1,
            Ok(Err(wait)) => {
                assert!(wait > Duration::ZERO && wait <= window / 5, "an act of 5 per hour comes back within 12 minutes, not {wait:?}")
            }
            Err(error) => assert!(!error.is_panic(), "allow panicked"),
        }
    }
    assert_eq!(allowed, 5, "of 20 at once, 5 were allowed");
    assert!(e.allow(&format!("{key}/other"), 5, window).await.is_ok(), "keys are apart");
    assert_eq!(e.allow(&format!("{key}/none"), 0, window).await, Err(window), "a limit of zero allows nothing");
}

async fn limit_comes_back(e: &Ephemeral, clock: &Clock) {
    let key = key(clock, "refill");
    let window = Duration::from_millis(400);
    for _ in 0..2 {
        // On a slow machine a real clock may have paid some back by now; that one is allowed is all that counts.
        assert!(e.allow(&key, 2, window).await.is_ok());
    }
    eventually(clock, window, "an act comes back", async || e.allow(&key, 2, window).await.is_ok()).await;
}

async fn ticket_is_taken_once(e: &Ephemeral, clock: &Clock) {
    let key = key(clock, "ticket");
    let ttl = Duration::from_secs(3600);
    assert_eq!(e.take_ticket(&key).await, None);
    e.put_ticket(&key, "old", ttl).await;
    e.put_ticket(&key, "case 1 \u{e5}\n\0", ttl).await;
    let takers: Vec<_> = (0..16)
        .map(|_| {
            let (e, key) = (e.clone(), key.clone());
            tokio::spawn(async move { e.take_ticket(&key).await })
        })
        .collect();
    let mut taken = Vec::new();
    for taker in takers {
        taken.extend(taker.await.ok().flatten());
    }
    assert_eq!(taken, ["case 1 \u{e5}\n\0"], "one of 16 takers gets the latest ticket, whole");
}

async fn ticket_expires(e: &Ephemeral, clock: &Clock) {
    let ttl = Duration::from_millis(20);
    // Taking is the only way to look, and it takes: so each look has a ticket of its own. A server that was given one late, its answer
    // no longer waited for, counts from then; hence more than one try.
    eventually(clock, Duration::ZERO, "a ticket expires", async || {
        let ticket = key(clock, "expiring");
        e.put_ticket(&ticket, "secret", ttl).await;
        clock.advance_to(clock.now() + ttl);
        tokio::time::sleep(2 * ttl).await;
        e.take_ticket(&ticket).await.is_none()
    })
    .await;
}
