//! Whether a protocol may become active: its own tests pass, and two people have approved it.

use std::collections::BTreeSet;

use kernel::error::{Violation, Violations};
use region::{ContactReason, Protocol, ProtocolTest};

use super::evaluate::{Input, evaluate};
use super::questionnaire::{Answer, faults};

/// Everything that keeps `protocol` from becoming active; empty: it may. `reasons` are the organisation's catalogue.
///
/// Paths are relative to the protocol: `approved_by`, `tests`, `tests[2]`.
///
/// Property: a protocol that passes gives each of its tests the severity, profession and queue that the test expects.
pub fn check(protocol: &Protocol, reasons: &[ContactReason]) -> Vec<Violation> {
    let mut found = Violations::default();
    let approvers: BTreeSet<String> =
        protocol.approved_by.iter().map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty()).collect();
    found.check(approvers.len() >= 2, "approved_by", "must name two different people who approved this version");
    found.check(
        !protocol.tests.is_empty() || protocol.rules.is_empty(),
        "tests",
        "must hold at least one case that shows what the rules do",
    );
    for (index, test) in protocol.tests.iter().enumerate() {
        for wrong in run(protocol, reasons, test) {
            found.add(format!("tests[{index}]"), format!("'{}' {wrong}", test.name));
        }
    }
    found.take()
}

/// Runs one test; each entry tells one difference.
fn run(protocol: &Protocol, reasons: &[ContactReason], test: &ProtocolTest) -> Vec<String> {
    let reason = reasons.iter().find(|reason| reason.id == test.reason);
    if reason.is_none() && !test.reason.is_empty() {
        return vec![format!("has the contact reason '{}', which the catalogue lacks", test.reason)];
    }
    let answers: Vec<Answer> = test.answers.iter().map(|(question, option)| Answer::new(question, option)).collect();
    let bad = faults(protocol, reason.map(|r| r.id.as_str()), &answers, test.age);
    if !bad.is_empty() {
        let describe = |(question, option): (&String, &String), what| format!("answers '{question}' with '{option}', which {what}");
        return bad.iter().filter_map(|b| Some(describe(test.answers.iter().nth(b.index)?, b.description()))).collect();
    }
    let verdict = evaluate(Some(protocol), &Input { reason, answers: &answers, age: test.age, red_flags: &[] });
    let mut wrong = Vec::new();
    if verdict.severity != test.severity {
        wrong.push(format!("comes out as {}, expected is {}", verdict.severity, test.severity));
    }
    if let Some(expected) = test.profession.filter(|expected| *expected != verdict.profession) {
        wrong.push(format!("goes to the profession {}, expected is {expected}", verdict.profession));
    }
    if let Some(expected) = test.queue.as_ref().filter(|expected| verdict.queue.as_ref() != Some(*expected)) {
        wrong.push(format!("goes to the queue {}, expected is {expected}", verdict.queue.as_deref().unwrap_or("of the entry point")));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use kernel::{Profession, Severity};

    use super::super::sample;
    use super::*;

    fn found(protocol: &Protocol) -> Vec<(String, String)> {
        check(protocol, &[sample::reason("cough", Severity::Routine)]).into_iter().map(|v| (v.field, v.description)).collect()
    }

    #[test]
    fn the_sample_may_become_active() {
        assert_eq!(found(&sample::protocol()), []);
    }

    #[test]
    fn two_different_people_approve() {
        let mut protocol = sample::protocol();
        for names in [&[][..], &["Eva Ek"], &["Eva Ek", " eva ek "], &["Eva Ek", ""]] {
            protocol.approved_by = names.iter().map(|n| (*n).to_owned()).collect();
            assert_eq!(found(&protocol).first().unwrap().0, "approved_by", "{names:?}");
        }
    }

    #[test]
    fn every_difference_is_told_at_its_test() {
        let mut protocol = sample::protocol();
        let test = &mut protocol.tests[1];
        test.severity = Severity::Soon;
        test.profession = Some(Profession::Nurse);
        test.queue = Some("day".into());
        let found = found(&protocol);
        assert!(found.iter().all(|(path, _)| path == "tests[1]"));
        let texts: Vec<_> = found.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "'cannot speak' comes out as emergency, expected is soon",
                "'cannot speak' goes to the profession physician, expected is nurse",
                "'cannot speak' goes to the queue acute, expected is day",
            ]
        );
    }

    #[test]
    fn a_test_that_no_visitor_could_walk_through_fails() {
        let mut protocol = sample::protocol();
        protocol.tests[0].answers.insert("speak".into(), "no".into());
        protocol.tests[1].reason = "gone".into();
        protocol.tests[2].answers.insert("fever".into(), "perhaps".into());
        let paths: Vec<_> = found(&protocol).into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["tests[0]", "tests[1]", "tests[2]"]);
    }

    #[test]
    fn rules_without_any_test_stay_inactive() {
        let mut protocol = sample::protocol();
        protocol.tests.clear();
        assert_eq!(found(&protocol)[0].0, "tests");
    }
}
