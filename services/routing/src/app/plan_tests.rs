use proptest::prelude::*;

use super::*;
use crate::domain::eligible::{Load, Reason};
use kernel::Severity;

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
    }
}

const NOW: Time = Time::from_secs(1000);

fn run(cases: &[Case], candidates: &[Candidate]) -> Vec<Step> {
    plan(cases, candidates, &Costs::default(), NOW, &BTreeSet::new())
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nobody_is_asked_beyond_their_room_and_nobody_with_room_is_left_beside_a_case(
        cases in prop::collection::vec((0_u8..3, prop::sample::select(Severity::ALL)), 0..20),
        workers in prop::collection::vec((prop::collection::vec(0_u8..3, 1..3), 0_u32..150), 0..5),
    ) {
        let cases: Vec<Case> = cases.iter().zip(0_u8..).map(|((queue, severity), n)| case(n, &format!("q{queue}"), *severity)).collect();
        let mut candidates: Vec<Candidate> = workers.iter().zip(0..).map(|((queues, capacity), n)| {
            let queues: Vec<String> = queues.iter().map(|queue| format!("q{queue}")).collect();
            Candidate { queues, ..worker(&format!("w{n}"), &[], *capacity) }
        }).collect();
        let mut left = cases.clone();
        for step in run(&cases, &candidates) {
            let Step::Offer { case, worker, overtakes, .. } = step else { panic!("{step:?}") };
            let at = left.iter().position(|one| one.waiting.case == case).expect("offered twice");
            let taken = left.remove(at);
            for id in overtakes {
                prop_assert!(left.iter().any(|one| one.waiting.case == id && one.waiting.since < taken.waiting.since));
            }
            occupy(&mut candidates, &worker, Channel::Chat, &Costs::default());
        }
        for one in &candidates {
            prop_assert!(one.load.live <= one.capacity);
            let has_room = one.load.live + Costs::default().chat <= one.capacity;
            prop_assert!(!has_room || left.iter().all(|case| !one.queues.contains(&case.waiting.needs.queue)));
        }
    }
}
