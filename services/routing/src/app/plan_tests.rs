use proptest::prelude::*;

use super::*;
use crate::domain::eligible::{Load, Reason};

fn case(n: u8, queue: &str, severity: Severity) -> Case {
    let needs = Needs { queue: queue.into(), ..Needs::default() };
    let waiting = Waiting { case: Id::derived(&[&[n]]), severity, since: Time::from_secs(i64::from(n)), overtaken: 0, needs };
    Case { waiting, max_overtakes: 3, excluded: BTreeSet::new(), not_before: Time::ZERO, again_at: None }
}

fn worker(name: &str, queues: &[&str], capacity: u32) -> Candidate {
    Candidate {
        worker: name.into(),
        professions: vec![Profession::Nurse],
        queues: queues.iter().map(|queue| (*queue).to_owned()).collect(),
        languages: vec![Language::Swedish],
        present: true,
        practising: false,
        load: Load::default(),
        capacity,
        unoccupied_since: Time::ZERO,
        met_visitor_before: false,
        emergency_first: false,
    }
}

const NOW: Time = Time::from_secs(1000);

fn run(cases: &[Case], candidates: &[Candidate]) -> Vec<Step> {
    plan(cases, &[], candidates, &Costs::default(), NOW, &BTreeSet::new())
}

#[test]
fn a_case_does_not_wait_for_what_no_worker_of_its_queue_has() {
    let mut one = case(1, "q", Severity::Soon);
    one.waiting.needs.profession = Profession::Physician;
    one.waiting.needs.language = Some(Language::Nynorsk);
    let steps = run(std::slice::from_ref(&one), &[worker("eva", &["q"], 100)]);
    assert!(matches!(&steps[..], [Step::Offer { worker, .. }] if worker == "eva"));
    let mut physician = worker("per", &["q"], 100);
    physician.professions = vec![Profession::Physician];
    physician.present = false;
    assert_eq!(run(&[one], &[worker("eva", &["q"], 100), physician]), [], "the absent physician will come");
}

#[test]
fn who_writes_one_norwegian_reads_the_other() {
    assert_eq!(with_siblings(&[Language::Bokmal]), [Language::Bokmal, Language::Nynorsk]);
    assert_eq!(with_siblings(&[Language::Swedish]), [Language::Swedish]);
}

#[test]
fn after_everybody_has_turned_it_down_comes_a_pause_and_then_a_new_round() {
    let mut one = case(1, "q", Severity::Soon);
    one.excluded.insert("eva".into());
    let candidates = [worker("eva", &["q"], 100)];
    assert!(
        matches!(&run(std::slice::from_ref(&one), &candidates)[..], [Step::Pause { verdicts, .. }] if verdicts[0].why == Reason::Excluded)
    );
    one.again_at = Some(NOW);
    assert!(matches!(&run(&[one], &candidates)[..], [Step::Offer { started_over: true, .. }]));
}

/// Those who get an offer: (case, worker), in order.
fn offers(steps: &[Step]) -> Vec<(Id, &str)> {
    steps
        .iter()
        .filter_map(|step| if let Step::Offer { case, worker, .. } = step { Some((*case, worker.as_str())) } else { None })
        .collect()
}

#[test]
fn an_emergency_goes_at_once_to_who_is_there_and_has_least_on_their_hands() {
    // Three unanswered offers fill each of them; one has a little less.
    let full = |name: &str, live| Candidate { load: Load { live, email: 0 }, ..worker(name, &["q"], 100) };
    let candidates = [full("ada", 90), full("eva", 80), Candidate { present: false, ..worker("per", &["q"], 100) }];
    let cases = [case(1, "q", Severity::Routine), case(2, "q", Severity::Emergency), case(3, "q", Severity::Emergency)];
    let steps = run(&cases, &candidates);
    assert_eq!(offers(&steps), [(cases[1].waiting.case, "eva"), (cases[2].waiting.case, "ada")]);
    let Step::Offer { overtakes, .. } = &steps[0] else { panic!("{steps:?}") };
    assert!(overtakes.is_empty(), "the routine case could not have been taken by anybody");
}

#[test]
fn while_an_emergency_pauses_nothing_else_comes_to_who_could_take_it() {
    let asked = |mut one: Case| {
        one.excluded.insert("eva".into());
        one.again_at = Some(NOW + std::time::Duration::from_secs(5));
        one
    };
    let candidates = [worker("eva", &["q", "r"], 100), worker("kim", &["r"], 100)];
    let routine = case(2, "q", Severity::Routine);
    let paused = asked(case(1, "q", Severity::Emergency));
    let both = [paused.clone(), routine.clone()];
    assert_eq!(run(&both, &candidates), []);
    let other = case(3, "r", Severity::Routine);
    let beside = |elsewhere: &Case| {
        let steps =
            plan(std::slice::from_ref(&other), std::slice::from_ref(elsewhere), &candidates[..1], &Costs::default(), NOW, &BTreeSet::new());
        offers(&steps).len()
    };
    assert_eq!(beside(&paused), 0, "also if it waits in another queue of theirs");
    assert_eq!(beside(&asked(case(1, "q", Severity::Urgent))), 1, "it is for emergencies");
    assert_eq!(beside(&asked(case(1, "x", Severity::Emergency))), 1, "it is not theirs");
    assert_eq!(
        offers(&run(&[paused.clone(), other.clone()], &candidates)),
        [(other.waiting.case, "kim")],
        "whom it does not concern go on"
    );
    // The pause is over: the emergency first, and then what there is room for.
    let due = Case { again_at: Some(NOW), ..paused.clone() };
    let steps = run(&[routine.clone(), due], &candidates);
    assert_eq!(offers(&steps), [(paused.waiting.case, "eva"), (routine.waiting.case, "eva")]);
    let Step::Offer { started_over: true, verdicts, .. } = &steps[0] else { panic!("{steps:?}") };
    assert_eq!(verdicts[0].why, Reason::Eligible, "who is asked is not listed as excluded");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nobody_is_asked_beyond_their_room_but_for_an_emergency_and_nobody_who_could_take_a_case_is_left_beside_it(
        cases in prop::collection::vec((0_u8..3, prop::sample::select(Severity::ALL), prop::collection::btree_set(0_u8..5, 0..5), 0_u8..3), 0..20),
        workers in prop::collection::vec((prop::collection::vec(0_u8..3, 1..3), 0_u32..150, prop::bool::weighted(0.8)), 0..5),
    ) {
        let cases: Vec<Case> = cases.iter().zip(0_u8..).map(|((queue, severity, out, again), n)| Case {
            excluded: out.iter().map(|n| format!("w{n}")).collect(),
            again_at: [None, Some(NOW), Some(NOW + std::time::Duration::from_secs(9))][usize::from(*again)],
            ..case(n, &format!("q{queue}"), *severity)
        }).collect();
        let mut candidates: Vec<Candidate> = workers.iter().zip(0..).map(|((queues, capacity, present), n)| {
            let queues: Vec<String> = queues.iter().map(|queue| format!("q{queue}")).collect();
            Candidate { queues, present: *present, ..worker(&format!("w{n}"), &[], *capacity) }
        }).collect();
        let costs = Costs::default();
        let able = |case: &Case, one: &Candidate| {
            let fresh = BTreeSet::new();
            eligible::verdict(Wanted { excluded: &fresh, ..case.wanted() }, one, &costs) == Reason::Eligible
        };
        let mut left = cases.clone();
        let mut calm = false;
        for step in run(&cases, &candidates) {
            let Step::Offer { case, worker, overtakes, verdicts, .. } = step else {
                let Step::Pause { case, .. } = step else { panic!("{step:?}") };
                prop_assert!(left.iter().any(|one| one.waiting.case == case));
                continue;
            };
            let at = left.iter().position(|one| one.waiting.case == case).expect("offered twice");
            let taken = left.remove(at);
            for id in overtakes {
                prop_assert!(left.iter().any(|one| one.waiting.case == id && one.waiting.since < taken.waiting.since));
            }
            prop_assert!(verdicts.iter().any(|one| one.worker == worker && one.why == Reason::Eligible), "{verdicts:?}");
            let asked = candidates.iter().find(|one| one.worker == worker).unwrap();
            prop_assert!(able(&taken, asked), "beyond their room");
            if taken.is_emergency() {
                prop_assert!(!calm, "an emergency came after something else");
                let busy = asked.load.live;
                let free = |one: &&Candidate| able(&taken, one) && !taken.excluded.contains(&one.worker) && one.load.live < busy;
                prop_assert!(taken.excluded.contains(&worker) || !candidates.iter().any(|one| free(&one)), "not the least loaded");
            } else {
                calm = true;
                prop_assert!(!left.iter().any(|one| one.is_emergency() && able(one, asked)), "something else came before an emergency");
            }
            occupy(&mut candidates, &worker, Channel::Chat, &costs);
        }
        for case in &left {
            let held_back = |one: &Candidate| !case.is_emergency() && left.iter().any(|other| other.is_emergency() && able(other, one));
            let could: Vec<_> = candidates.iter().filter(|one| able(case, one) && !held_back(one)).collect();
            // Only a pause is left, after all of them have been asked.
            let pauses = case.again_at != Some(NOW) && could.iter().all(|one| case.excluded.contains(&one.worker));
            prop_assert!(could.is_empty() || pauses, "left beside {case:?}");
        }
    }

    /// The limit of overtaking, through offers and what becomes of them: only emergencies go past it.
    #[test]
    fn with_one_worker_at_most_k_later_arrivals_are_offered_before_a_case_but_for_emergencies(
        steps in prop::collection::vec(prop::option::of(prop::sample::select(Severity::ALL)), 1..80),
        k in 0_u32..5,
    ) {
        let one = [worker("eva", &["q"], 30)];
        let mut waiting: Vec<Case> = Vec::new();
        let mut overtakers: BTreeMap<Id, Vec<Severity>> = BTreeMap::new();
        for (step, n) in steps.into_iter().zip(0_u8..) {
            if let Some(severity) = step {
                waiting.push(Case { max_overtakes: k, ..case(n, "q", severity) });
                continue;
            }
            // She is free again, and is asked as much as there is room for: one, or every emergency.
            for step in run(&waiting, &one) {
                let Step::Offer { case, overtakes, .. } = step else { continue };
                let at = waiting.iter().position(|one| one.waiting.case == case).unwrap();
                let taken = waiting.remove(at);
                for earlier in waiting.iter().filter(|one| one.waiting.since < taken.waiting.since) {
                    prop_assert!(!earlier.is_emergency(), "an emergency was overtaken");
                    overtakers.entry(earlier.waiting.case).or_default().push(taken.waiting.severity);
                }
                for earlier in waiting.iter_mut().filter(|one| overtakes.contains(&one.waiting.case)) {
                    earlier.waiting.overtaken += 1;
                }
            }
        }
        for by in overtakers.values() {
            prop_assert!(by.iter().filter(|severity| **severity != Severity::Emergency).count() <= k as usize, "{by:?} at limit {k}");
        }
    }
}
