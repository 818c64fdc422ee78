//! The consumer on its own, in corners that random runs seldom reach.

use proto::log::{Batch, Envelope, Head};
use samtal_log::consumer::{Action, Checks, Consumer, Cursor, Halt, Input};

fn cursor(incarnation: &str, position: i64, event_id: &str) -> Cursor {
    Cursor { incarnation: incarnation.to_owned(), position, event_id: event_id.to_owned() }
}

fn head(incarnation: &str, start: i64, previous_end: i64, position: i64, event_id: &str) -> Head {
    let (incarnation, event_id) = (incarnation.to_owned(), event_id.to_owned());
    Head { shard: 0, incarnation, incarnation_start: start, previous_end, position, event_id }
}

fn batch(incarnation: &str, previous: &str, first: i64, ids: &[&str]) -> Batch {
    let events =
        (first..).zip(ids).map(|(position, id)| Envelope { position, event_id: (*id).to_owned(), ..Envelope::default() }).collect();
    let (incarnation, previous_event_id) = (incarnation.to_owned(), previous.to_owned());
    Batch { service: "s".to_owned(), incarnation, shard: 0, first, previous_event_id, events }
}

fn jump(action: Option<Action>) -> Cursor {
    match action {
        Some(Action::Apply { events, cursor }) if events.is_empty() => cursor,
        other => panic!("{other:?}"),
    }
}

/// The log was lost whole and rejoined: there is nothing to read, yet its head is not 0. Once asked for without end.
#[test]
fn a_new_consumer_of_an_empty_log_that_has_rejoined_comes_to_rest() {
    let mut consumer = Consumer::new(Cursor::default(), Checks::ALL);
    let head = head("B", 6, 0, 6, "");
    assert_eq!(consumer.on(Input::Head(head.clone())), Some(Action::Backfill(1)));
    let there = jump(consumer.on(Input::Backfilled { batch: batch("B", "", 1, &[]), head: head.clone() }));
    assert_eq!(there, cursor("B", 6, ""));
    assert_eq!(consumer.on(Input::Applied(there)), None);
    assert!(consumer.is_idle());
    assert_eq!(consumer.on(Input::Head(head)), None);
}

/// Two rejoins in a row: the first incarnation between holds nothing that could be read. Once asked for without end.
#[test]
fn an_incarnation_without_events_is_passed_over() {
    let mut consumer = Consumer::new(cursor("A", 7, "e7"), Checks::ALL);
    let head = head("C", 10, 8, 10, "");
    assert_eq!(consumer.on(Input::Head(head.clone())), Some(Action::Backfill(8)));
    let there = jump(consumer.on(Input::Backfilled { batch: batch("C", "", 8, &[]), head }));
    assert_eq!(there, cursor("C", 10, ""));
}

/// As above, but the batch was read before the log rejoined, and 8 was committed in between.
#[test]
fn an_empty_answer_from_before_a_rejoin_skips_nothing() {
    let mut consumer = Consumer::new(cursor("A", 7, "e7"), Checks::ALL);
    assert_eq!(consumer.on(Input::Head(head("A", 0, 0, 8, "e8"))), Some(Action::Backfill(8)));
    let answer = Input::Backfilled { batch: batch("A", "e7", 8, &[]), head: head("B", 9, 8, 9, "") };
    assert_eq!(consumer.on(answer), Some(Action::Backfill(8)));
}

/// Between restore and rejoin the log grew beyond the cursor. Once halted for ever.
#[test]
fn after_a_rejoin_the_restored_log_counts_from_the_cursor_on() {
    let mut consumer = Consumer::new(cursor("A", 5, "lost5"), Checks::ALL);
    assert_eq!(consumer.on(Input::Head(head("A", 0, 0, 7, "new7"))), Some(Action::Backfill(6)));
    let rest = batch("A", "new5", 6, &["new6", "new7"]);
    assert_eq!(consumer.on(Input::Backfilled { batch: rest.clone(), head: head("A", 0, 0, 7, "new7") }), None);
    assert_eq!(consumer.halted(), Some(&Halt::OtherHistory { position: 5 }));
    let rejoined = head("B", 8, 7, 8, "");
    assert_eq!(consumer.on(Input::Head(rejoined.clone())), Some(Action::Backfill(6)));
    let Some(Action::Apply { events, cursor: there }) = consumer.on(Input::Backfilled { batch: rest, head: rejoined.clone() }) else {
        panic!()
    };
    assert_eq!((events.len(), &there), (2, &cursor("A", 7, "new7")));
    assert_eq!(consumer.on(Input::Applied(there)), Some(Action::Backfill(8)));
    let there = jump(consumer.on(Input::Backfilled { batch: batch("B", "new7", 8, &[]), head: rejoined }));
    assert_eq!(there, cursor("B", 8, ""));
}
