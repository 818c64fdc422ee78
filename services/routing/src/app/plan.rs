//! Who is asked to take what: the pure part of matching. Cases and workers in, offers out.

use std::collections::{BTreeMap, BTreeSet};

use kernel::{Channel, Id, Language, Profession, Severity, Time};

use crate::domain::eligible::{self, Candidate, Choice, Costs, Needs, Reason, Verdict, Wanted};
use crate::domain::queue::{self, Waiting};

/// A waiting case.
#[derive(Clone, Debug)]
pub struct Case {
    pub waiting: Waiting,
    /// Its queue's limit of later arrivals that may overtake it.
    pub max_overtakes: u32,
    pub excluded: BTreeSet<String>,
    /// Not offered before this.
    pub not_before: Time,
    /// When everybody who turned it down may be asked again; None: nobody has thought of it yet.
    pub again_at: Option<Time>,
}

impl Case {
    fn wanted(&self) -> Wanted<'_> {
        Wanted { needs: &self.waiting.needs, severity: self.waiting.severity, excluded: &self.excluded }
    }

    fn is_emergency(&self) -> bool {
        self.waiting.severity == Severity::Emergency
    }

    /// Everybody who could take it has been asked, and the pause before they are asked again is not over.
    fn pauses(&self, choice: &Choice, now: Time) -> bool {
        choice.started_over && self.again_at.is_none_or(|at| at > now)
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Offer {
        case: Id,
        worker: String,
        /// All who could take it had been asked, so they are asked again.
        started_over: bool,
        /// As they are for the round in which it is offered.
        verdicts: Vec<Verdict>,
        /// Earlier arrivals that this one goes before.
        overtakes: Vec<Id>,
    },
    /// All who could take it have been asked, and nobody has taken it: a pause, then a new round.
    Pause { case: Id, verdicts: Vec<Verdict> },
    /// Nobody can take it now.
    Wait { case: Id, verdicts: Vec<Verdict> },
}

/// What the case asks for, as far as anybody who answers its queue has it: a case must not wait for ever for a
/// profession or a language that no worker of its queue has, present or not.
pub fn reachable(needs: &Needs, candidates: &[Candidate]) -> Needs {
    let mut here = candidates.iter().filter(|c| c.queues.contains(&needs.queue)).peekable();
    if here.peek().is_none() {
        return needs.clone();
    }
    let all: Vec<&Candidate> = here.collect();
    let mut needs = needs.clone();
    if !all.iter().any(|c| c.professions.contains(&needs.profession)) {
        needs.profession = Profession::Any;
    }
    needs.language = needs.language.filter(|language| {
        all.iter()
            .any(|c| c.languages.contains(language) && (needs.profession == Profession::Any || c.professions.contains(&needs.profession)))
    });
    needs
}

/// A language that a worker answers, with the ones that go with it: who writes one Norwegian reads the other.
pub fn with_siblings(languages: &[Language]) -> Vec<Language> {
    let mut all = languages.to_vec();
    for (one, other) in [(Language::Bokmal, Language::Nynorsk), (Language::Nynorsk, Language::Bokmal)] {
        if all.contains(&one) && !all.contains(&other) {
            all.push(other);
        }
    }
    all
}

/// Marks those for whom an emergency pauses that they have been asked to take: nothing else is offered to them before it.
/// `elsewhere` are cases that wait in queues that are not looked at now; what they ask for is taken at its word, since not
/// everybody who answers those queues need be among the candidates.
fn keep_for_emergencies(candidates: &mut [Candidate], cases: &[Case], elsewhere: &[Case], costs: &Costs, now: Time) {
    let here =
        cases.iter().filter(|case| case.is_emergency() && case.pauses(&eligible::choose(case.wanted(), candidates, costs, false), now));
    let there = elsewhere.iter().filter(|case| case.is_emergency() && case.not_before <= now);
    let wanted: Vec<Wanted<'_>> = here.chain(there).map(Case::wanted).collect();
    if wanted.is_empty() {
        return;
    }
    for candidate in candidates {
        candidate.emergency_first =
            wanted.iter().any(|case| matches!(eligible::verdict(*case, candidate, costs), Reason::Eligible | Reason::Excluded));
    }
}

/// The verdicts of a round in which nobody has been asked yet.
fn anew(case: &Case, candidates: &[Candidate], costs: &Costs) -> Vec<Verdict> {
    eligible::candidates(Wanted { excluded: &BTreeSet::new(), ..case.wanted() }, candidates, costs)
}

/// Offers for as many cases as there is room for, and for every emergency that anybody is there for.
///
/// Properties: nobody is asked beyond their room but to take an emergency; each case is offered at most once; a case is
/// offered only to an eligible worker, and who is asked is never listed as excluded; emergencies are offered before anything
/// else; while one pauses, nothing else is offered to a worker who could take it, also if it waits `elsewhere`; afterwards no
/// case that is not paused could be offered to anybody. `Wait` is said of every case in `new` that is not offered.
pub fn plan(cases: &[Case], elsewhere: &[Case], candidates: &[Candidate], costs: &Costs, now: Time, new: &BTreeSet<Id>) -> Vec<Step> {
    let mut left: Vec<Case> = cases
        .iter()
        .filter(|case| case.not_before <= now)
        .map(|case| {
            let mut case = case.clone();
            case.waiting.needs = reachable(&case.waiting.needs, candidates);
            case
        })
        .collect();
    let mut candidates = candidates.to_vec();
    keep_for_emergencies(&mut candidates, &left, elsewhere, costs, now);
    let mut steps = Vec::new();
    let mut paused: BTreeMap<Id, Vec<Verdict>> = BTreeMap::new();
    loop {
        let mut takeable: Vec<(&Case, Choice)> = Vec::new();
        for case in &left {
            let choice = eligible::choose(case.wanted(), &candidates, costs, false);
            if choice.worker.is_none() {
                continue;
            }
            if !case.pauses(&choice, now) {
                takeable.push((case, choice));
            } else if case.again_at.is_none() {
                paused.entry(case.waiting.case).or_insert(choice.verdicts);
            }
        }
        // Each queue has its own limit: only whether a case is at its limit matters for the order.
        let ranked: Vec<Waiting> = takeable
            .iter()
            .map(|(case, _)| {
                let overtaken = if case.waiting.overtaken >= case.max_overtakes { u32::MAX } else { 0 };
                Waiting { overtaken, ..case.waiting.clone() }
            })
            .collect();
        let picked = queue::pick(&ranked, u32::MAX);
        let Some((case, choice)) = picked.and_then(|at| takeable.get(at)) else { break };
        let overtakes = picked.map(|at| queue::overtaken_by(&ranked, at)).unwrap_or_default();
        let overtakes = overtakes.into_iter().filter_map(|at| ranked.get(at)).map(|w| w.case).collect();
        let Some(worker) = choice.worker.clone() else { break };
        let (id, channel, started_over) = (case.waiting.case, case.waiting.needs.channel, choice.started_over);
        let verdicts = if started_over { anew(case, &candidates, costs) } else { choice.verdicts.clone() };
        steps.push(Step::Offer { case: id, worker: worker.clone(), started_over, verdicts, overtakes });
        occupy(&mut candidates, &worker, channel, costs);
        left.retain(|case| case.waiting.case != id);
        paused.remove(&id);
    }
    let offered: BTreeSet<Id> =
        steps.iter().filter_map(|step| if let Step::Offer { case, .. } = step { Some(*case) } else { None }).collect();
    // What was paused early in the loop may since have lost the worker who could be asked again; the pause does no harm.
    for case in cases.iter().filter(|case| new.contains(&case.waiting.case) && !offered.contains(&case.waiting.case)) {
        if !paused.contains_key(&case.waiting.case) {
            let needs = reachable(&case.waiting.needs, &candidates);
            let verdicts = eligible::candidates(Wanted { needs: &needs, ..case.wanted() }, &candidates, costs);
            steps.push(Step::Wait { case: case.waiting.case, verdicts });
        }
    }
    steps.extend(paused.into_iter().map(|(case, verdicts)| Step::Pause { case, verdicts }));
    steps
}

fn occupy(candidates: &mut [Candidate], worker: &str, channel: Channel, costs: &Costs) {
    for candidate in candidates.iter_mut().filter(|candidate| candidate.worker == worker) {
        let more = costs.load([channel]);
        candidate.load.live = candidate.load.live.saturating_add(more.live);
        candidate.load.email = candidate.load.email.saturating_add(more.email);
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
