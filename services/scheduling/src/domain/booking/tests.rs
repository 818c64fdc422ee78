use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn id(n: u8) -> Id {
    Id::derived(&[&[n]])
}

fn t(secs: i64) -> Time {
    Time::from_secs(secs)
}

fn slot(from: i64, to: i64) -> Slot {
    Slot { resource: "room".into(), from: t(from), to: t(to) }
}

fn held(n: u8, slot: Slot, until: i64) -> Booking {
    hold(id(n), slot, t(until), &[], t(0)).unwrap().booking
}

#[test]
fn a_hold_that_is_over_gives_the_slot_to_another_and_cannot_be_confirmed() {
    let first = held(1, slot(1000, 1100), 300);
    let all = [first.clone()];
    let again = |now| hold(id(2), slot(1050, 1150), t(now + 300), &all, t(now));
    assert_eq!(again(299), Err(Refusal::SlotTaken));
    assert_eq!(again(300).unwrap().effects, [Effect::Expired { booking: id(1) }, Effect::Held { until: t(600) }]);
    assert!(decide(&first, &[], &Command::Confirm, t(299)).is_ok());
    assert_eq!(decide(&first, &[], &Command::Confirm, t(300)).unwrap_err().reason(), "HOLD_EXPIRED");
    assert_eq!(decide(&first, &[], &Command::Expire, t(299)), Err(Refusal::NotDue));
    assert_eq!(decide(&first, &[], &Command::Expire, t(300)).unwrap().booking.state, State::Expired);
    assert_eq!(first.timer(), Some(t(300)));
}

#[test]
fn a_move_keeps_the_state_and_may_overlap_its_own_old_slot() {
    let booking = decide(&held(1, slot(1000, 1100), 300), &[], &Command::Confirm, t(1)).unwrap().booking;
    let others = [booking.clone(), held(2, slot(1200, 1300), 300)];
    let go = |from, to, now| decide(&booking, &others, &Command::Move { to: slot(from, to) }, t(now));
    let moved = go(1050, 1150, 2).unwrap();
    assert_eq!((moved.booking.state, &moved.booking.slot), (State::Confirmed, &slot(1050, 1150)));
    assert_eq!(moved.effects, [Effect::Moved { from: slot(1000, 1100) }]);
    assert_eq!(go(1150, 1250, 2), Err(Refusal::SlotTaken));
    assert!(go(1150, 1250, 300).is_ok(), "the hold in the way is over");
    assert!(go(1100, 1200, 2).is_ok(), "slots may touch");
    assert_eq!(go(1, 100, 2), Err(Refusal::SlotPassed));
    assert_eq!(go(1000, 1100, 2).unwrap().effects, []);
}

#[test]
fn doing_it_twice_is_no_fault_and_what_is_over_stays_over() {
    let confirmed = decide(&held(1, slot(1000, 1100), 300), &[], &Command::Confirm, t(1)).unwrap().booking;
    assert_eq!(decide(&confirmed, &[], &Command::Confirm, t(900)).unwrap().effects, []);
    let cancelled = decide(&confirmed, &[], &Command::Cancel, t(2)).unwrap().booking;
    assert_eq!(decide(&cancelled, &[], &Command::Cancel, t(3)).unwrap().effects, []);
    assert_eq!(decide(&cancelled, &[], &Command::Confirm, t(3)).unwrap_err().reason(), "BOOKING_CANCELLED");
    assert_eq!(decide(&cancelled, &[], &Command::Move { to: slot(2000, 2100) }, t(3)), Err(Refusal::Cancelled));
    assert_eq!(Error::from(Refusal::SlotTaken).reason, "SLOT_TAKEN");
}

#[derive(Clone, Debug)]
enum Act {
    Hold { slot: Slot, seconds: i64 },
    Do { booking: u8, command: Command },
}

fn acts() -> impl Strategy<Value = Act> {
    let slots = || {
        (0_i64..20, 1_i64..4, prop::bool::weighted(0.2)).prop_map(|(from, long, other)| Slot {
            resource: if other { "chair".into() } else { "room".into() },
            ..slot(500 + from * 10, 500 + (from + long) * 10)
        })
    };
    let command = prop_oneof![
        3 => Just(Command::Confirm),
        1 => Just(Command::Cancel),
        3 => slots().prop_map(|to| Command::Move { to }),
        2 => Just(Command::Expire),
    ];
    prop_oneof![
        3 => (slots(), 0_i64..40).prop_map(|(slot, seconds)| Act::Hold { slot, seconds }),
        4 => (0_u8..20, command).prop_map(|(booking, command)| Act::Do { booking, command }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_two_bookings_ever_meet(steps in prop::collection::vec((0_i64..15, acts()), 1..50)) {
        let mut all: BTreeMap<Id, Booking> = BTreeMap::new();
        let mut now = 0;
        for (n, (wait, act)) in steps.into_iter().enumerate() {
            now += wait;
            let others: Vec<Booking> = all.values().cloned().collect();
            let decision = match &act {
                Act::Hold { slot, seconds } => {
                    let decision = hold(id(n as u8), slot.clone(), t(now + seconds), &others, t(now));
                    let free = others.iter().all(|o| !o.occupies(t(now)) || !o.slot.meets(slot));
                    prop_assert_eq!(decision.is_ok(), free && *seconds > 0 && slot.from >= t(now));
                    decision
                }
                Act::Do { booking, command } => {
                    let Some(booking) = all.get(&id(*booking)) else { continue };
                    let decision = decide(booking, &others, command, t(now));
                    if *command == Command::Confirm {
                        prop_assert_eq!(decision.is_ok(), booking.occupies(t(now)));
                    }
                    if matches!(booking.state, State::Cancelled | State::Expired) {
                        prop_assert!(decision.iter().all(|d| d.effects.is_empty() && d.booking == *booking));
                    }
                    decision
                }
            };
            let Ok(decision) = decision else { continue };
            for effect in &decision.effects {
                if let Effect::Expired { booking } = effect && *booking != decision.booking.id {
                    let other = all.get_mut(booking).unwrap();
                    prop_assert!(!other.occupies(t(now)));
                    other.state = State::Expired;
                }
            }
            all.insert(decision.booking.id, decision.booking);

            // As the database sees it: holds count whether or not they are over.
            let stored: Vec<&Booking> = all.values().filter(|b| matches!(b.state, State::Held { .. } | State::Confirmed)).collect();
            for (at, one) in stored.iter().enumerate() {
                for other in stored.iter().skip(at + 1) {
                    prop_assert!(!one.slot.meets(&other.slot), "{one:?} and {other:?}");
                }
            }
        }
    }
}
