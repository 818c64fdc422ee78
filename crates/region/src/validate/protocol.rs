//! A protocol whose questions, rules and tests fit together. Whether its tests come out is triage's matter.

use std::collections::BTreeSet;

use super::names::{self, Kind};
use super::{Found, Scope};
use crate::model::{Condition, Protocol, ProtocolTest, Question, Rule};

pub(super) fn check(scope: &Scope<'_>, found: &mut Found, i: usize, protocol: &Protocol) {
    let path = scope.at(format_args!("protocols[{i}]"));
    if protocol.version == 0 {
        found.add(format!("{path}.version"), "must be at least 1; raise it with every change");
    }
    check_approval(scope, found, &path, protocol);
    names::list(found, &format!("{path}.questions"), protocol.questions.iter().map(|question| question.id.as_str()));
    for (j, question) in protocol.questions.iter().enumerate() {
        let here = format!("{path}.questions[{j}]");
        found.texts(&format!("{here}.text"), &question.text, scope.own);
        if question.options.len() < 2 {
            found.add(format!("{here}.options"), "needs at least two options to choose from");
        }
        names::list(found, &format!("{here}.options"), question.options.iter().map(|option| option.id.as_str()));
        for (k, option) in question.options.iter().enumerate() {
            found.texts(&format!("{here}.options[{k}].text"), &option.text, scope.own);
        }
        let earlier = protocol.questions.get(..j).unwrap_or_default();
        check_condition(scope, found, &format!("{here}.when"), &question.when, earlier, "no earlier question");
    }
    names::list(found, &format!("{path}.rules"), protocol.rules.iter().map(|rule| rule.id.as_str()));
    for (j, rule) in protocol.rules.iter().enumerate() {
        check_rule(scope, found, &format!("{path}.rules[{j}]"), rule, protocol);
    }
    let mut seen = BTreeSet::new();
    for (j, test) in protocol.tests.iter().enumerate() {
        let here = format!("{path}.tests[{j}]");
        found.filled(format!("{here}.name"), &test.name);
        if !seen.insert(test.name.as_str()) {
            found.add(format!("{here}.name"), format!("another test is called '{}'; choose another name", test.name));
        }
        check_test(scope, found, &here, test, protocol);
    }
}

/// A draft may lie in the file, but no visitor meets a protocol that two people have not approved.
fn check_approval(scope: &Scope<'_>, found: &mut Found, path: &str, protocol: &Protocol) {
    for (i, name) in protocol.approved_by.iter().enumerate() {
        found.filled(format!("{path}.approved_by[{i}]"), name);
    }
    let people: BTreeSet<_> = protocol.approved_by.iter().map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty()).collect();
    let used_by = scope.own.entry_points.iter().find(|door| door.protocol.as_deref() == Some(&protocol.id));
    if let (0..=1, Some(door)) = (people.len(), used_by) {
        let message = format!(
            "names {} of the two different people who must have approved version {}; the entry point '{}' uses it, so add their names or take it from there",
            people.len(),
            protocol.version,
            door.id
        );
        found.add(format!("{path}.approved_by"), message);
    }
}

fn check_rule(scope: &Scope<'_>, found: &mut Found, path: &str, rule: &Rule, protocol: &Protocol) {
    check_condition(scope, found, &format!("{path}.when"), &rule.when, &protocol.questions, "no question");
    if rule.severity.is_none() && rule.profession.is_none() && rule.queue.is_none() && rule.advice.is_empty() {
        found.add(path, "has no effect; give a severity, profession, queue or advice, or remove the rule");
    }
    if let Some(queue) = &rule.queue {
        scope.refers(found, format!("{path}.queue"), Kind::Queue, queue);
    }
    if !rule.advice.is_empty() {
        found.texts(&format!("{path}.advice"), &rule.advice, scope.own);
    }
}

/// `questions` are those that may be named; `none` begins the message when another one is.
fn check_condition(scope: &Scope<'_>, found: &mut Found, path: &str, condition: &Condition, questions: &[Question], none: &str) {
    scope.all_refer(found, &format!("{path}.reason"), Kind::Reason, &condition.reason);
    for (id, options) in &condition.answers {
        let here = format!("{path}.answers.{id}");
        let Some(question) = questions.iter().find(|question| question.id == *id) else {
            found.add(
                here,
                format!("there is {none} '{id}'; name one of: {}", listed(questions.iter().map(|question| question.id.as_str()))),
            );
            continue;
        };
        if options.is_empty() {
            found.add(&here, "names no option, so it never holds; name at least one or remove it");
        }
        for (i, option) in options.iter().enumerate() {
            check_option(found, format!("{here}[{i}]"), question, option);
        }
        found.distinct(&here, options);
    }
    if let (Some(min), Some(max)) = (condition.min_age, condition.max_age)
        && min > max
    {
        found.add(format!("{path}.min_age"), format!("{min} is above max_age {max}, so it never holds"));
    }
}

fn check_option(found: &mut Found, path: String, question: &Question, option: &str) {
    if !question.options.iter().any(|known| known.id == option) {
        let known = listed(question.options.iter().map(|known| known.id.as_str()));
        found.add(path, format!("the question '{}' has no option '{option}'; name one of: {known}", question.id));
    }
}

fn check_test(scope: &Scope<'_>, found: &mut Found, path: &str, test: &ProtocolTest, protocol: &Protocol) {
    if !test.reason.is_empty() {
        scope.refers(found, format!("{path}.reason"), Kind::Reason, &test.reason);
    }
    for (id, option) in &test.answers {
        let here = format!("{path}.answers.{id}");
        match protocol.questions.iter().find(|question| question.id == *id) {
            Some(question) => check_option(found, here, question, option),
            None => found.add(here, format!("there is no question '{id}' in this protocol")),
        }
    }
    if let Some(queue) = &test.queue {
        scope.refers(found, format!("{path}.queue"), Kind::Queue, queue);
    }
}

fn listed<'i>(ids: impl Iterator<Item = &'i str>) -> String {
    let ids: Vec<_> = ids.collect();
    if ids.is_empty() { "(there is none)".to_owned() } else { ids.join(", ") }
}
