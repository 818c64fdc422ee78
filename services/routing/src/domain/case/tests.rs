use proptest::prelude::*;

use super::*;

const START: Time = Time::from_secs(1_000);
const DEADLINE: Time = Time::from_secs(1_030);

fn at(secs: i64) -> Time {
    Time::from_secs(1_000 + secs)
}

fn id(n: u8) -> Id {
    Id::derived(&[&[n]])
}

fn offer(n: u8, worker: &str, until: i64) -> Offer {
    Offer { offer: id(n), worker: worker.into(), until: at(until) }
}

fn new() -> Case {
    Case::opened(Needs { queue: "day".into(), ..Needs::default() }, Severity::Routine, START, DEADLINE)
}

/// Applies the commands in turn; all must be taken.
fn run(commands: &[(i64, Command)]) -> Case {
    commands.iter().fold(new(), |case, (secs, command)| decide(&case, command, at(*secs)).unwrap().case)
}

fn triaged(severity: Severity) -> Command {
    Command::Triaged { severity, queue: None, profession: Profession::Any }
}

fn accept(n: u8, worker: &str) -> Command {
    Command::Accept { offer: id(n), worker: worker.into() }
}

fn offered() -> Case {
    run(&[(1, triaged(Severity::Soon)), (2, Command::OfferTo(offer(1, "eva", 62)))])
}

#[test]
fn an_untriaged_case_waits_as_urgent_at_its_deadline() {
    let case = new();
    assert_eq!(case.timer(), Some((DEADLINE, Command::TriageLate)));
    assert_eq!(decide(&case, &Command::TriageLate, at(29)), Err(Refusal::NotDue));
    let late = decide(&case, &Command::TriageLate, DEADLINE).unwrap();
    assert_eq!((late.case.severity, late.case.triaged, &late.case.state), (Severity::Urgent, false, &State::Waiting));
    let verdict = decide(&late.case, &triaged(Severity::Admin), at(40)).unwrap().case;
    assert_eq!((verdict.severity, verdict.triaged), (Severity::Urgent, true), "a late verdict does not lower");
    assert_eq!(decide(&verdict, &Command::TriageLate, at(50)), Err(Refusal::NotWaiting));
}

#[test]
fn at_each_moment_an_offer_can_be_accepted_or_times_out_never_both() {
    let case = offered();
    for secs in 50..70 {
        let accepted = decide(&case, &accept(1, "eva"), at(secs));
        let out = decide(&case, &Command::OfferTimedOut { offer: id(1) }, at(secs));
        assert_eq!(accepted.is_ok(), secs < 62);
        assert_eq!(out.is_ok(), secs >= 62);
    }
    assert_eq!(decide(&case, &accept(1, "eva"), at(62)).unwrap_err().reason(), "OFFER_EXPIRED");
    assert_eq!(decide(&case, &accept(2, "eva"), at(5)).unwrap_err().reason(), "OFFER_STALE");
    assert_eq!(decide(&case, &accept(1, "per"), at(5)).unwrap_err().reason(), "OFFER_OF_ANOTHER_WORKER");
    assert_eq!(Error::from(Refusal::OfferExpired).reason, "OFFER_EXPIRED");
}

#[test]
fn a_case_comes_back_from_an_offer_to_its_place() {
    let back = decide(&offered(), &Command::OfferTimedOut { offer: id(1) }, at(62)).unwrap();
    assert_eq!((back.case.since, &back.case.state), (START, &State::Waiting));
    assert_eq!(back.case.excluded, BTreeSet::from(["eva".to_owned()]));
    let ended = Effect::OfferEnded { offer: id(1), worker: "eva".into(), how: Ended::TimedOut };
    assert_eq!(back.effects, [ended, Effect::Queued]);
    let again = decide(&back.case, &Command::OfferTo(offer(2, "eva", 200)), at(100)).unwrap();
    assert_eq!(again.case.excluded, BTreeSet::new(), "asking an excluded worker begins a new round");
}

#[test]
fn a_handover_keeps_the_holder_until_the_colleague_accepts() {
    let held = decide(&offered(), &accept(1, "eva"), at(5)).unwrap().case;
    let transfer = Command::Transfer { worker: "eva".into(), to: Target::Worker(offer(7, "per", 60)) };
    assert_eq!(
        decide(&held, &Command::Transfer { worker: "per".into(), to: Target::Worker(offer(7, "eva", 60)) }, at(6)),
        Err(Refusal::NotHolder)
    );
    let asked = decide(&held, &transfer, at(6)).unwrap().case;
    assert_eq!(asked.holder(), Some("eva"));
    let declined = decide(&asked, &Command::Decline { offer: id(7) }, at(7)).unwrap().case;
    assert_eq!((declined.holder(), declined.offer()), (Some("eva"), None));
    // Whoever wanted to hand it over is told, until they ask somebody again.
    assert_eq!(declined.turned_down(), Some(&TurnedDown { worker: "per".into(), at: at(7) }));
    let again =
        decide(&declined, &Command::Transfer { worker: "eva".into(), to: Target::Worker(offer(8, "per", 60)) }, at(8)).unwrap().case;
    assert_eq!((again.turned_down(), held.turned_down()), (None, None));
    let taken = decide(&asked, &accept(7, "per"), at(8)).unwrap();
    assert_eq!(taken.case.holder(), Some("per"));
    let given = Effect::Unassigned { worker: "eva".into(), how: Unassigned::Transferred };
    assert_eq!(taken.effects[1..], [given, Effect::Assigned { worker: "per".into() }]);
}

#[test]
fn a_transfer_to_a_queue_keeps_the_age_and_does_not_ask_the_sender_first() {
    let held = decide(&offered(), &accept(1, "eva"), at(5)).unwrap().case;
    let to = Target::Queue { queue: "physicians".into(), profession: Profession::Physician };
    let moved = decide(&held, &Command::Transfer { worker: "eva".into(), to }, at(600)).unwrap().case;
    assert_eq!((moved.since, moved.needs.queue.as_str(), moved.needs.profession), (START, "physicians", Profession::Physician));
    assert!(moved.excluded.contains("eva"));
}

#[test]
fn an_emergency_is_claimed_past_a_colleagues_offer_and_nothing_else_is() {
    let claim = Command::Claim { worker: "per".into() };
    assert_eq!(decide(&offered(), &claim, at(5)), Err(Refusal::AlreadyOffered));
    let emergency = decide(&offered(), &Command::Alert { severity: Severity::Emergency }, at(4)).unwrap().case;
    let taken = decide(&emergency, &claim, at(5)).unwrap();
    let ended = Effect::OfferEnded { offer: id(1), worker: "eva".into(), how: Ended::Rescinded };
    assert_eq!(taken.effects, [ended, Effect::Assigned { worker: "per".into() }]);
    assert_eq!(decide(&taken.case, &accept(1, "eva"), at(6)), Err(Refusal::StaleOffer));
    assert_eq!(decide(&taken.case, &Command::Claim { worker: "eva".into() }, at(6)), Err(Refusal::AlreadyAssigned));
}

#[test]
fn a_visitor_who_leaves_does_not_take_the_case_from_its_holder() {
    let held = decide(&offered(), &accept(1, "eva"), at(5)).unwrap().case;
    assert_eq!(decide(&held, &Command::Abandon, at(6)), Err(Refusal::AlreadyAssigned));
    let left = decide(&offered(), &Command::Abandon, at(6)).unwrap();
    assert_eq!(left.effects.last(), Some(&Effect::Done { abandoned: true }));
}

fn commands() -> impl Strategy<Value = Command> {
    let worker = || prop::sample::select(vec!["eva", "per", "kim"]).prop_map(str::to_owned);
    let offers = || (0_u8..6, worker(), 0_i64..120).prop_map(|(n, worker, until)| offer(n, &worker, until));
    let severity = || prop::sample::select(Severity::ALL);
    let known = || (0_u8..6).prop_map(id);
    let verdict = |(severity, queue)| Command::Triaged { severity, queue, profession: Profession::Nurse };
    let other_queue = || Target::Queue { queue: "other".into(), profession: Profession::Any };
    prop_oneof![
        2 => (severity(), prop::option::of(Just("acute".to_owned()))).prop_map(verdict),
        1 => severity().prop_map(|severity| Command::Lowered { severity }),
        1 => severity().prop_map(|severity| Command::Alert { severity }),
        1 => Just(Command::TriageLate),
        6 => offers().prop_map(Command::OfferTo),
        3 => known().prop_map(|offer| Command::OfferTimedOut { offer }),
        2 => known().prop_map(|offer| Command::Decline { offer }),
        6 => (known(), worker()).prop_map(|(offer, worker)| Command::Accept { offer, worker }),
        3 => worker().prop_map(|worker| Command::Claim { worker }),
        3 => worker().prop_map(|worker| Command::Release { worker }),
        3 => (worker(), offers()).prop_map(|(worker, offer)| Command::Transfer { worker, to: Target::Worker(offer) }),
        1 => worker().prop_map(move |worker| Command::Transfer { worker, to: other_queue() }),
        1 => offers().prop_map(|offer| Command::Direct { to: Target::Worker(offer) }),
        1 => Just(Command::Direct { to: other_queue() }),
        1 => worker().prop_map(|worker| Command::TakeOver { worker }),
        1 => prop_oneof![Just(Command::Close), Just(Command::Abandon)],
    ]
}

/// Who holds the case and which offer is open, rebuilt from the effects alone.
#[derive(Default)]
struct Ledger {
    holder: Option<String>,
    open: Option<Id>,
    done: bool,
}

impl Ledger {
    fn apply(&mut self, effect: &Effect) {
        assert!(!self.done, "{effect:?} after the end");
        match effect {
            Effect::Queued => assert!(self.holder.is_none() && self.open.is_none()),
            Effect::SeverityChanged { from, to } => assert_ne!(from, to),
            Effect::Offered(offer) => assert_eq!(self.open.replace(offer.offer), None, "two offers"),
            Effect::OfferEnded { offer, .. } => assert_eq!(self.open.take(), Some(*offer)),
            Effect::Assigned { worker } => assert_eq!(self.holder.replace(worker.clone()), None, "two holders"),
            Effect::Unassigned { worker, .. } => assert_eq!(self.holder.take().as_ref(), Some(worker)),
            Effect::Done { .. } => {
                assert!(self.holder.is_none() && self.open.is_none());
                self.done = true;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_properties_hold_over_any_sequence(steps in prop::collection::vec((0_i64..8, commands()), 1..50)) {
        let (mut case, mut ledger, mut secs) = (new(), Ledger::default(), 0);
        for (wait, command) in steps {
            secs += wait;
            let now = at(secs);
            let Ok(next) = decide(&case, &command, now) else { continue };
            for effect in &next.effects {
                ledger.apply(effect);
            }
            prop_assert_eq!(next.case.holder(), ledger.holder.as_deref());
            prop_assert_eq!(next.case.offer().map(|o| o.offer), ledger.open);
            prop_assert_eq!(next.case.since, START);
            prop_assert_eq!(next.case.state == State::Done, ledger.done);
            let may_lower = matches!(command, Command::Lowered { .. });
            prop_assert!(may_lower || next.case.severity >= case.severity);
            prop_assert!(case.state != State::Done || (next.case == case && next.effects.is_empty()));
            if let Command::Accept { offer, worker } = &command {
                let open = case.offer().unwrap();
                prop_assert!(open.offer == *offer && open.worker == *worker && now < open.until);
            }
            if let (Command::Claim { worker }, State::Offered(open)) = (&command, &case.state) {
                prop_assert!(open.worker == *worker || case.severity == Severity::Emergency, "a claim took a colleague's offer");
            }
            if command == Command::TriageLate {
                prop_assert!(now >= DEADLINE && next.case.state == State::Waiting && next.case.severity >= Severity::Urgent);
            }
            case = next.case;
        }
    }

    /// Whatever state a case is in, its timer is taken when due and moves it on.
    #[test]
    fn a_timer_that_is_due_always_moves_the_case(steps in prop::collection::vec((0_i64..8, commands()), 1..30)) {
        let (mut case, mut secs) = (new(), 0);
        for (wait, command) in steps {
            secs += wait;
            if let Ok(next) = decide(&case, &command, at(secs)) {
                case = next.case;
            }
            if let Some((due, command)) = case.timer() {
                let fired = decide(&case, &command, due.max(at(secs))).unwrap();
                prop_assert!(fired.case.timer().is_none());
                prop_assert_eq!(decide(&fired.case, &command, at(10_000)).is_err(), true);
            }
        }
    }
}
