//! A diff is empty exactly when nothing differs, and tells by id what does.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::{DEMO, read};
use crate::{Organisation, Role, Span, Weekday, diff};

fn organisations() -> Vec<Organisation> {
    static READ: LazyLock<Vec<Organisation>> = LazyLock::new(|| read("demo.yaml", DEMO).region.organisations);
    READ.clone()
}

fn changes(change: impl FnOnce(&mut Organisation)) -> Vec<String> {
    let before = organisations().swap_remove(1);
    let mut after = before.clone();
    change(&mut after);
    diff(Some(&before), Some(&after)).iter().map(ToString::to_string).collect()
}

#[test]
fn a_change_is_told_by_id() {
    assert_eq!(changes(|after| after.queues[0].offer_seconds = 45), ["queues[pef-chat].offer_seconds: 60 -> 45"]);
    assert_eq!(
        changes(|after| after.clinics[0].live_from = Some(jiff::civil::date(2022, 3, 7))),
        [format!("clinics[{}].live_from: added 2022-03-07", organisations()[1].clinics[0].id)]
    );
    assert_eq!(changes(|after| after.languages.swap(0, 1)), ["languages: nb, nn, en -> nn, nb, en"]);
    assert_eq!(
        changes(|after| after.calendars[0].weeks[1].hours.insert(Weekday::Sat, vec![Span { from: 600, to: 720 }]).map_or((), drop)),
        ["calendars[pef-hours].weeks[2022-03-07].hours.sat: added 10:00-12:00"]
    );
    assert_eq!(
        changes(|after| after.calendars[0].exceptions[1].reason = "X".into()),
        ["calendars[pef-hours].exceptions[2022-05-27].reason: Inneklemt dag -> X"]
    );
    let removed = changes(|after| drop(after.workers.remove(1)));
    assert!(removed.len() == 1 && removed[0].starts_with("workers[per.provdal]: removed {"), "{removed:?}");
    let rules = changes(|after| after.protocols[0].rules.swap(0, 1));
    assert_eq!(
        rules,
        [
            "protocols[pef-triage].rules (order): acute-reaction, no-sleep, counsellors-answer -> no-sleep, acute-reaction, counsellors-answer"
        ]
    );
}

#[test]
fn a_whole_organisation_comes_and_goes_item_by_item() {
    let organisation = organisations().swap_remove(3);
    let added = diff(None, Some(&organisation));
    let removed = diff(Some(&organisation), None);
    assert!(added.iter().all(|change| change.before.is_none() && change.after.is_some()));
    let paths = |changes: &[crate::Change]| changes.iter().map(|change| change.path.clone()).collect::<Vec<_>>();
    assert_eq!(paths(&added), paths(&removed));
    for path in ["id", "name", "clinics[vaga-fraga]", "catalogue.reasons[alcohol]", "queues[vaga-fraga]", "protocols[vaga-fraga-first]"] {
        assert!(paths(&added).iter().any(|known| known == path), "{path}: {:?}", paths(&added));
    }
    assert!(!paths(&added).contains(&"mail.from".to_owned()), "what says nothing is left out");
    assert_eq!(diff(None, None), []);
}

/// One of many small changes, some of which change nothing.
fn change(organisation: &mut Organisation, kind: u8, i: usize, n: u32) {
    fn some<T>(list: &mut [T], i: usize) -> Option<&mut T> {
        let count = list.len().max(1);
        list.get_mut(i % count)
    }
    match kind {
        0 => drop(some(&mut organisation.queues, i).map(|queue| queue.offer_seconds = n)),
        1 => organisation.workers.reverse(),
        2 => drop(organisation.entry_points.pop()),
        3 => drop(some(&mut organisation.clinics, i).map(|clinic| clinic.id = format!("c{}", n % 3))),
        4 => drop(some(&mut organisation.queues, i).map(|queue| queue.max_overtakes = n)),
        5 => drop(
            some(&mut organisation.workers, i).map(|worker| worker.role = if n.is_multiple_of(2) { Role::Leader } else { Role::Worker }),
        ),
        6 => drop(some(&mut organisation.entry_points, i).map(|door| door.protocol = n.is_multiple_of(2).then(String::new))),
        7 => organisation.catalogue.reasons.rotate_left(i % 2),
        8 => drop(some(&mut organisation.calendars, i).map(|calendar| calendar.weeks.clear())),
        9 => drop(some(&mut organisation.protocols, i).map(|protocol| protocol.tests.truncate(i % 3))),
        10 => organisation.mail.from = if n.is_multiple_of(2) { String::new() } else { "x@example.org".into() },
        11 => organisation.languages.rotate_left(i % 2),
        _ => organisation.name = format!("{n}"),
    }
}

proptest! {
    #[test]
    fn a_diff_is_empty_exactly_when_nothing_differs(
        which in 0..5usize,
        first in prop::collection::vec((0..13u8, 0..20usize, 0..4u32), 0..6),
        second in prop::collection::vec((0..13u8, 0..20usize, 0..4u32), 0..6),
    ) {
        let mut one = organisations().swap_remove(which);
        let mut two = one.clone();
        for (kind, i, n) in first { change(&mut one, kind, i, n); }
        for (kind, i, n) in second { change(&mut two, kind, i, n); }
        prop_assert!(diff(Some(&one), Some(&one)).is_empty());
        let there = diff(Some(&one), Some(&two));
        prop_assert_eq!(there.is_empty(), one == two, "{:?}", there);
        prop_assert_eq!(&there, &diff(Some(&one), Some(&two)), "the order is stable");
        let back = diff(Some(&two), Some(&one));
        prop_assert_eq!(there.len(), back.len());
        prop_assert!(!diff(None, Some(&one)).is_empty());
    }
}
