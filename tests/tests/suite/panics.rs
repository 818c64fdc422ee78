//! P10: a handler that panics over one event stops only that event's key, on either engine.

use bus::Bus;
use futures::future::BoxFuture;
use kernel::{Clock, Error, Id, Result};
use log::dead_letter::{Remedy, list, settle};
use log::lease::Leases;
use log::{Handler, Log, Origin, Settings, Source, Unit};
use proto::log::{Batch, Cursor, Envelope, Head};
use samtal_tests::servers::shared_postgres;
use samtal_tests::suite::{Stack, eventually};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use store::{Db, Migration, Scoped, Tables, args};

on_both_stacks!(p10_a_handler_that_panics_stops_only_its_own_key,);

const EATEN: Migration = Migration { name: "0001_eaten", sql: "CREATE TABLE eaten (key TEXT NOT NULL, n BIGINT NOT NULL)" };
const TABLES: Tables = Tables { steps: &[EATEN], shared: &[("eaten", "a test's")], crossing: &[], kept: &[] };
const POISON: i64 = 5;
const EVENTS: i64 = 30;

/// An id, as keys are: a letter that is settled is logged under it.
fn key(n: i64) -> String {
    Id::derived(&[b"key", &n.to_le_bytes()]).to_string()
}

/// Another service's log: one shard, three keys in turn.
struct Shelf;

impl Shelf {
    fn event(position: i64) -> Envelope {
        let id = Id::derived(&[b"panics", &position.to_le_bytes()]).to_string();
        Envelope { event_id: id, position, key: key(position % 3), key_seq: position / 3 + 1, ..Envelope::default() }
    }

    fn head() -> Head {
        let last = Self::event(EVENTS);
        Head { incarnation: "first".into(), position: EVENTS, event_id: last.event_id, ..Head::default() }
    }
}

impl Source for Shelf {
    fn heads(&self, _: Vec<Cursor>) -> BoxFuture<'static, Result<Vec<Head>>> {
        Box::pin(async { Ok(vec![Shelf::head()]) })
    }

    fn read(&self, shard: u32, from: i64) -> BoxFuture<'static, Result<(Batch, Head)>> {
        let previous_event_id = if from > 1 { Shelf::event(from - 1).event_id } else { String::new() };
        let events = (from..=EVENTS).map(Shelf::event).collect();
        let batch = Batch { service: "shelf".into(), incarnation: "first".into(), shard, first: from, previous_event_id, events };
        Box::pin(async { Ok((batch, Shelf::head())) })
    }
}

/// Writes down what it eats, and panics over one event, after it has written, until it is healed.
#[derive(Default)]
struct Eater {
    healed: AtomicBool,
    panics: AtomicUsize,
}

impl Handler for Eater {
    fn source(&self) -> &'static str {
        "shelf"
    }

    fn wants(&self, _: &Envelope) -> bool {
        true
    }

    fn apply<'a>(&'a self, unit: &'a mut Unit<'_>, event: &'a Envelope) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            unit.tx.exec("INSERT INTO eaten (key, n) VALUES ($1, $2)", args![&event.key, event.position]).await?;
            if event.position == POISON && !self.healed.load(Ordering::SeqCst) {
                self.panics.fetch_add(1, Ordering::SeqCst);
                panic!("a handler's own fault");
            }
            Ok::<(), Error>(())
        })
    }
}

async fn eaten(db: &Scoped, key: &str) -> Vec<i64> {
    let rows = db.rows("SELECT n FROM eaten WHERE key = $1 ORDER BY n", args![key]).await.unwrap();
    rows.iter().map(|row| row.int(0).unwrap()).collect()
}

async fn p10_a_handler_that_panics_stops_only_its_own_key(stack: Stack) {
    let folder = tempfile::tempdir().unwrap();
    let url = match stack {
        Stack::Embedded => format!("sqlite:{}", folder.path().display()),
        Stack::Region => tokio::task::spawn_blocking(|| shared_postgres().fresh_database("panics")).await.unwrap(),
    };
    let db = Db::open(&url, "eater").await.unwrap();
    let log = Log::open(&Settings { service: "eater", shards: 1 }, db.clone(), Clock::system(), &TABLES).await.unwrap();
    let rows = db.of("");
    let (eater, bus) = (Arc::new(Eater::default()), Bus::connect("local:", "panics").await.unwrap());
    let shutdown = tokio_util::sync::CancellationToken::new();
    let leases = Leases::alone("consume:shelf", 1);
    let run = log::consumer_driver::run(log.clone(), bus, eater.clone(), Arc::new(Shelf), leases, shutdown.clone());
    let consumer = tokio::spawn(run);
    let of = |key: i64| (1..=EVENTS).filter(|n| n % 3 == key).collect::<Vec<_>>();
    eventually("the others are eaten", async || {
        (eaten(&rows, &key(0)).await.len() + eaten(&rows, &key(1)).await.len() == 20).then_some(())
    })
    .await;
    // Once each and in order; of the poisoned key what came before it, and nothing of it or after it.
    assert_eq!((eaten(&rows, &key(0)).await, eaten(&rows, &key(1)).await, eaten(&rows, &key(2)).await), (of(0), of(1), vec![2]));
    assert!(eater.panics.load(Ordering::SeqCst) >= 3, "it is tried more than once");
    let letters = eventually("what follows is parked", async || Some(list(&db, "eater").await.unwrap()).filter(|all| all.len() == 9)).await;
    assert_eq!(letters.iter().map(|letter| letter.event.as_ref().unwrap().position).collect::<Vec<_>>(), of(2)[1..]);
    assert!(letters[0].reason.contains("panicked") && letters[1..].iter().all(|letter| letter.reason.is_empty()), "{letters:?}");

    // Trying again is a panic again, and changes nothing; once the handler is mended all of it takes effect.
    let poison = Shelf::event(POISON).event_id;
    let replay = async || settle(&log, vec![eater.clone()], poison.clone(), Remedy::Replay, Origin::system("replay").of("")).await;
    assert!(replay().await.is_err());
    assert_eq!((eaten(&rows, &key(2)).await, list(&db, "eater").await.unwrap().len()), (vec![2], 9));
    eater.healed.store(true, Ordering::SeqCst);
    assert_eq!(replay().await.unwrap(), 9);
    assert_eq!((eaten(&rows, &key(2)).await, list(&db, "eater").await.unwrap().len()), (of(2), 0));
    shutdown.cancel();
    consumer.await.unwrap();
}
