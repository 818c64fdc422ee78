//! The order in which waiting cases are taken, and what a visitor is told about it.

use std::cmp::Reverse;
use std::time::Duration;

use kernel::{Id, Severity, Time};
use serde::{Deserialize, Serialize};

use super::eligible::Needs;

/// A case that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    pub case: Id,
    pub severity: Severity,
    /// When it came; an offer that comes to nothing does not change it.
    pub since: Time,
    /// How many later arrivals have been taken before it.
    pub overtaken: u32,
    pub needs: Needs,
}

impl Waiting {
    /// Order of arrival; the id parts two cases of one microsecond.
    fn arrival(&self) -> (Time, Id) {
        (self.since, self.case)
    }

    /// Smaller is taken sooner.
    fn rank(&self, max_overtakes: u32) -> (u8, Reverse<Severity>, (Time, Id)) {
        match self.severity {
            Severity::Emergency => (0, Reverse(Severity::Emergency), self.arrival()),
            // Those who may not be overtaken again go in order of arrival, whatever their severity.
            _ if self.overtaken >= max_overtakes => (1, Reverse(Severity::Emergency), self.arrival()),
            severity => (2, Reverse(severity), self.arrival()),
        }
    }
}

/// The case that is taken next, as an index; none if nobody waits. `waiting` are the cases that the freed worker could take.
///
/// Emergencies go first, the oldest first. Then the cases that `max_overtakes` later arrivals have overtaken, the oldest
/// first. Then the graver first, the older first.
///
/// Properties, as long as every pick adds to the counts of `overtaken_by` and no severity changes:
/// - an emergency is overtaken by no later arrival, and waits for none but older emergencies;
/// - a case that `max_overtakes` later arrivals have overtaken is overtaken from then on by emergencies only; so with
///   one eligible worker at most `max_overtakes` later arrivals overtake it, plus such emergencies. (A waiting danger to
///   life must not be made to wait for anybody's fair share; that emergencies count towards the limit makes up for it.)
/// - with no limit: severity orders, then age; with limit 0: age alone, behind emergencies.
pub fn pick(waiting: &[Waiting], max_overtakes: u32) -> Option<usize> {
    waiting.iter().enumerate().min_by_key(|(_, w)| w.rank(max_overtakes)).map(|(index, _)| index)
}

/// The entries that came before the picked one and still wait: the count of each grows by one. Same slice as in `pick`.
pub fn overtaken_by(waiting: &[Waiting], picked: usize) -> Vec<usize> {
    let Some(picked) = waiting.get(picked).map(Waiting::arrival) else { return Vec::new() };
    waiting.iter().enumerate().filter(|(_, w)| w.arrival() < picked).map(|(index, _)| index).collect()
}

/// All entries in the order in which they will be taken if nobody else comes.
///
/// Property: after the first has been taken, the order is the rest of this one; so places never jump by a pick.
pub fn order(waiting: &[Waiting], max_overtakes: u32) -> Vec<usize> {
    let mut left: Vec<(usize, Waiting)> = waiting.iter().cloned().enumerate().collect();
    let mut order = Vec::with_capacity(left.len());
    while let Some(next) = left.iter().enumerate().min_by_key(|(_, (_, w))| w.rank(max_overtakes)).map(|(at, _)| at) {
        let (index, taken) = left.swap_remove(next);
        for (_, earlier) in left.iter_mut().filter(|(_, w)| w.arrival() < taken.arrival()) {
            earlier.overtaken = earlier.overtaken.saturating_add(1);
        }
        order.push(index);
    }
    order
}

/// The place that a waiting visitor is shown: 1 is next. None if the case does not wait here.
pub fn position(waiting: &[Waiting], max_overtakes: u32, case: Id) -> Option<usize> {
    let index = waiting.iter().position(|w| w.case == case)?;
    order(waiting, max_overtakes).into_iter().position(|at| at == index).map(|before| before + 1)
}

/// Fewer recent conversations than this say nothing about the next.
const ENOUGH: usize = 5;
const MINUTE: u64 = 60;

/// A range for the wait at `position`, in whole minutes; none if nobody is there or too little is known.
///
/// `recent` are lengths of recent conversations in this queue; `places` is how many conversations the workers who are
/// there can hold at a time; all of them are taken as busy. The lower end takes every conversation as short as those of
/// the quick quarter, the upper end as long as those of the slow quarter.
///
/// Properties: both ends grow with the position and shrink with more places; the lower end never exceeds the upper.
pub fn expected_wait(position: usize, recent: &[Duration], places: u32) -> Option<(Duration, Duration)> {
    if places == 0 || position == 0 || recent.len() < ENOUGH {
        return None;
    }
    let mut spans: Vec<Duration> = recent.to_vec();
    spans.sort_unstable();
    let quick = spans.get(spans.len() / 4)?.as_secs();
    let slow = spans.get(spans.len() - 1 - spans.len() / 4)?.as_secs();
    let (position, places) = (position as u64, u64::from(places));
    // In one round every place becomes free once.
    let least = ((position - 1) / places).saturating_mul(quick) / MINUTE;
    let most = position.div_ceil(places).saturating_mul(slow).div_ceil(MINUTE);
    Some((Duration::from_secs(least.saturating_mul(MINUTE)), Duration::from_secs(most.saturating_mul(MINUTE))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn waiting(n: u64, severity: Severity) -> Waiting {
        Waiting {
            case: Id::derived(&[&n.to_le_bytes()]),
            severity,
            since: Time::from_secs(n as i64),
            overtaken: 0,
            needs: Needs::default(),
        }
    }

    /// Takes the next case, counts who was overtaken, and returns it.
    fn take(queue: &mut Vec<Waiting>, k: u32) -> Option<Waiting> {
        let picked = pick(queue, k)?;
        for index in overtaken_by(queue, picked) {
            queue[index].overtaken += 1;
        }
        Some(queue.remove(picked))
    }

    fn severities() -> impl Strategy<Value = Severity> {
        prop::sample::select(Severity::ALL)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Arrivals (Some) and picks (None) in any order: each overtaking is told of both sides.
        #[test]
        fn nobody_is_overtaken_more_than_k_times_but_by_emergencies(
            steps in prop::collection::vec(prop::option::of(severities()), 1..120),
            k in 0_u32..6,
        ) {
            let mut queue = Vec::new();
            let mut overtakers: BTreeMap<Id, Vec<Severity>> = BTreeMap::new();
            for (n, step) in steps.into_iter().enumerate() {
                let Some(severity) = step else {
                    let taken = take(&mut queue, k);
                    let Some(taken) = taken else { continue };
                    for earlier in queue.iter().filter(|w| w.arrival() < taken.arrival()) {
                        prop_assert!(earlier.severity != Severity::Emergency, "an emergency was overtaken");
                        overtakers.entry(earlier.case).or_default().push(taken.severity);
                    }
                    // No emergency waits behind anything else.
                    prop_assert!(taken.severity == Severity::Emergency || queue.iter().all(|w| w.severity != Severity::Emergency));
                    continue;
                };
                queue.push(waiting(n as u64, severity));
            }
            for by in overtakers.values() {
                prop_assert!(by.iter().skip(k as usize).all(|s| *s == Severity::Emergency), "{by:?} overtook at limit {k}");
            }
        }

        #[test]
        fn without_a_limit_severity_orders_and_then_age(severities in prop::collection::vec(severities(), 1..20)) {
            let mut queue: Vec<_> = severities.iter().enumerate().map(|(n, s)| waiting(n as u64, *s)).collect();
            let mut expected = queue.clone();
            expected.sort_by_key(|w| (Reverse(w.severity), w.since));
            for next in expected {
                prop_assert_eq!(take(&mut queue, u32::MAX).unwrap().case, next.case);
            }
        }

        #[test]
        fn a_pick_moves_everybody_up_by_one(
            entries in prop::collection::vec((severities(), 0_u32..4), 1..20),
            k in 0_u32..5,
        ) {
            let entry = |(n, (severity, overtaken)): (usize, &(_, u32))| Waiting { overtaken: *overtaken, ..waiting(n as u64, *severity) };
            let mut queue: Vec<_> = entries.iter().enumerate().map(entry).collect();
            let cases = |queue: &[Waiting]| order(queue, k).into_iter().map(|i| queue[i].case).collect::<Vec<_>>();
            let before = cases(&queue);
            prop_assert_eq!(before.len(), queue.len());
            for (at, case) in before.iter().enumerate() {
                prop_assert_eq!(position(&queue, k, *case), Some(at + 1));
            }
            let taken = take(&mut queue, k).unwrap();
            prop_assert_eq!(taken.case, before[0]);
            prop_assert_eq!(&cases(&queue)[..], &before[1..]);
        }

        #[test]
        fn the_wait_grows_with_the_place_and_shrinks_with_more_hands(
            recent in prop::collection::vec(0_u64..7200, 5..30), position in 1_usize..50, places in 1_u32..20,
        ) {
            let recent: Vec<_> = recent.into_iter().map(Duration::from_secs).collect();
            let (least, most) = expected_wait(position, &recent, places).unwrap();
            prop_assert!(least <= most);
            let further = expected_wait(position + 1, &recent, places).unwrap();
            prop_assert!(further.0 >= least && further.1 >= most);
            let helped = expected_wait(position, &recent, places + 1).unwrap();
            prop_assert!(helped.0 <= least && helped.1 <= most);
        }
    }

    #[test]
    fn at_the_limit_the_oldest_goes_before_graver_cases_but_not_before_an_emergency() {
        let mut queue = vec![
            Waiting { overtaken: 2, ..waiting(2, Severity::Soon) },
            Waiting { overtaken: 2, ..waiting(1, Severity::Admin) },
            waiting(3, Severity::Urgent),
            waiting(4, Severity::Emergency),
        ];
        let taken: Vec<_> = std::iter::from_fn(|| take(&mut queue, 2)).map(|w| w.severity).collect();
        assert_eq!(taken, [Severity::Emergency, Severity::Admin, Severity::Soon, Severity::Urgent]);
    }

    #[test]
    fn an_unknown_wait_is_not_guessed() {
        let ten = [Duration::from_secs(600); 8];
        assert_eq!(expected_wait(1, &ten, 0), None);
        assert_eq!(expected_wait(1, &ten[..4], 2), None);
        assert_eq!(expected_wait(1, &ten, 2), Some((Duration::ZERO, Duration::from_secs(600))));
        assert_eq!(expected_wait(5, &ten, 2), Some((Duration::from_secs(1200), Duration::from_secs(1800))));
        assert_eq!(position(&[], 3, Id::derived(&[b"x"])), None);
    }
}
