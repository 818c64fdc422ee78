//! The relay on its own: whatever it is told and whatever fails, what it publishes is the log, in order and whole.

use proptest::prelude::*;
use proto::log::{Batch, Envelope};
use samtal_log::relay::{Action, Input, Relay, message_id};

#[derive(Clone, Debug)]
enum Op {
    /// Some events are committed; the relay is handed them, or learns nothing.
    Commit {
        count: usize,
        handed: bool,
    },
    Bell,
    /// What the relay asked for is done, a read with this limit.
    Answer {
        limit: usize,
    },
    Fail,
    /// A new relay goes on from somewhere at or before what was published.
    Restart {
        back: i64,
    },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (1..4_usize, any::<bool>()).prop_map(|(count, handed)| Op::Commit { count, handed }),
        1 => Just(Op::Bell),
        5 => (1..6_usize).prop_map(|limit| Op::Answer { limit }),
        1 => Just(Op::Fail),
        1 => (0..5_i64).prop_map(|back| Op::Restart { back }),
    ]
}

fn event(position: i64) -> Envelope {
    Envelope { position, event_id: format!("e{position}"), ..Envelope::default() }
}

fn id_before(position: i64) -> String {
    if position > 1 { format!("e{}", position - 1) } else { String::new() }
}

fn read(head: i64, from: i64, limit: usize) -> Batch {
    let events = (from..=head).take(limit).map(event).collect();
    Batch {
        service: "s".to_owned(),
        incarnation: "A".to_owned(),
        first: from,
        previous_event_id: id_before(from),
        events,
        ..Batch::default()
    }
}

/// What a commit hands over, chained as the database has it.
fn committed(first: i64, head: i64) -> Input {
    Input::Committed { previous: Some(id_before(first)).filter(|id| !id.is_empty()), events: (first..=head).map(event).collect() }
}

struct Bench {
    relay: Relay,
    asked: Option<Action>,
    head: i64,
    /// Last position that the bus has.
    reached: i64,
    ids: std::collections::BTreeMap<String, Batch>,
}

impl Bench {
    fn tell(&mut self, input: Input) {
        let Some(action) = self.relay.on(input) else { return };
        let before = self.relay.published();
        assert!(self.asked.is_none(), "two actions at a time");
        if let Action::Publish(batch) = &action {
            let whole = read(self.head, before + 1, batch.events.len());
            assert_eq!(*batch, whole, "published after {before}");
            assert!(!batch.events.is_empty());
            let other = self.ids.insert(message_id(batch), batch.clone());
            assert!(other.is_none_or(|other| other == *batch), "two batches under one id");
        }
        self.asked = Some(action);
    }

    fn answer(&mut self, limit: usize) {
        match self.asked.take() {
            Some(Action::Load(from)) => self.tell(Input::Loaded(read(self.head, from, limit))),
            Some(Action::Publish(batch)) => {
                let last = batch.events.last().unwrap().position;
                assert!(batch.first <= self.reached + 1, "a hole on the bus");
                self.reached = self.reached.max(last);
                self.tell(Input::Published(last));
            }
            None => {}
        }
    }

    fn play(&mut self, op: Op) {
        match op {
            Op::Commit { count, handed } => {
                let first = self.head + 1;
                self.head += count as i64;
                if handed {
                    self.tell(committed(first, self.head));
                }
            }
            Op::Bell => self.tell(Input::Bell),
            Op::Answer { limit } => self.answer(limit),
            Op::Fail => {
                if self.asked.take().is_some() {
                    self.tell(Input::Failed);
                }
            }
            Op::Restart { back } => {
                self.relay = Relay::new("s", 0, (self.relay.published() - back).max(0));
                self.asked = None;
                self.tell(Input::Bell);
            }
        }
    }
}

proptest! {
    #[test]
    fn everything_is_published_in_order_and_whole(ops in proptest::collection::vec(op(), 0..80)) {
        let mut bench = Bench { relay: Relay::new("s", 0, 0), asked: None, head: 0, reached: 0, ids: Default::default() };
        for op in ops {
            bench.play(op);
        }
        bench.tell(Input::Bell);
        for _ in 0..400 {
            bench.answer(3);
        }
        prop_assert!(bench.relay.is_idle());
        prop_assert_eq!(bench.relay.published(), bench.head);
        prop_assert_eq!(bench.reached, bench.head);
    }
}

/// Found by the simulation (seed 23): a failover loses event 2 while the relay lives on, and two others take its place.
#[test]
fn what_was_lost_is_never_chained_to() {
    let mut relay = Relay::new("s", 0, 0);
    assert_eq!(relay.on(Input::Bell), Some(Action::Load(1)));
    assert!(matches!(relay.on(Input::Loaded(read(2, 1, 9))), Some(Action::Publish(_))));
    assert_eq!(relay.on(Input::Published(2)), Some(Action::Load(3)));
    let lost = Batch { previous_event_id: String::new(), events: Vec::new(), ..read(1, 3, 9) };
    assert_eq!(relay.on(Input::Loaded(lost)), None);
    assert_eq!(relay.on(committed(3, 3)), Some(Action::Load(3)), "the log must be asked what 3 follows on");
}

/// As above, but before the relay has looked: another process filled position 2 anew, and this one handed over 3.
#[test]
fn what_a_failover_lost_is_not_chained_to_from_memory() {
    let mut relay = Relay::new("s", 0, 0);
    assert_eq!(relay.on(Input::Bell), Some(Action::Load(1)));
    assert!(matches!(relay.on(Input::Loaded(read(2, 1, 9))), Some(Action::Publish(_))));
    assert_eq!(relay.on(Input::Published(2)), Some(Action::Load(3)));
    assert_eq!(relay.on(Input::Loaded(read(2, 3, 9))), None);
    let other = Input::Committed { previous: Some("other2".to_owned()), events: vec![event(3)] };
    assert_eq!(relay.on(other), Some(Action::Load(3)), "the log must be asked what 3 follows on");
}
