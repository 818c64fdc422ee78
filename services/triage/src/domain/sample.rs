//! A small protocol and random ones, for the tests of this folder.

use std::collections::BTreeMap;

use kernel::{Language, Profession, Severity};
use proptest::prelude::*;
use region::{Condition, ContactReason, Protocol, ProtocolTest, Question, QuestionOption, Rule, Texts};

use super::questionnaire::Answer;

pub fn texts(text: &str) -> Texts {
    Texts::from([(Language::English, text.to_owned())])
}

pub fn reason(id: &str, severity: Severity) -> ContactReason {
    ContactReason { id: id.into(), name: texts(id), profession: Profession::Nurse, severity }
}

pub fn question(id: &str, when: Condition) -> Question {
    let option = |id: &str| QuestionOption { id: id.into(), text: texts(id) };
    Question { id: id.into(), text: texts(id), options: vec![option("yes"), option("no")], when }
}

pub fn answered(question: &str, option: &str) -> Condition {
    Condition { answers: BTreeMap::from([(question.into(), vec![option.into()])]), ..Condition::default() }
}

fn plain_rule(id: &str, when: Condition, severity: Option<Severity>) -> Rule {
    Rule { id: id.into(), when, severity, profession: None, queue: None, advice: Texts::new() }
}

/// Cough: short of breath? able to speak? fever, from 65 years.
pub fn protocol() -> Protocol {
    let test = |name: &str, answers: &[(&str, &str)], age, severity| ProtocolTest {
        name: name.into(),
        reason: "cough".into(),
        answers: answers.iter().map(|(q, o)| ((*q).into(), (*o).into())).collect(),
        age,
        severity,
        profession: None,
        queue: None,
    };
    Protocol {
        id: "cough".into(),
        version: 3,
        approved_by: vec!["Eva Ek".into(), "Per Persson".into()],
        questions: vec![
            question("breath", Condition::default()),
            question("speak", answered("breath", "yes")),
            question("fever", Condition { min_age: Some(65), ..answered("breath", "no") }),
        ],
        rules: vec![
            Rule { profession: Some(Profession::Physician), ..plain_rule("breathless", answered("breath", "yes"), Some(Severity::Urgent)) },
            Rule {
                profession: Some(Profession::Nurse),
                queue: Some("acute".into()),
                ..plain_rule("speechless", answered("speak", "no"), Some(Severity::Emergency))
            },
            plain_rule("fever", answered("fever", "yes"), Some(Severity::Soon)),
            Rule { advice: texts("rest at home"), ..plain_rule("mild", answered("breath", "no"), None) },
        ],
        tests: vec![
            test("mild", &[("breath", "no")], None, Severity::Routine),
            test("cannot speak", &[("breath", "yes"), ("speak", "no")], None, Severity::Emergency),
            test("old with fever", &[("breath", "no"), ("fever", "yes")], Some(80), Severity::Soon),
        ],
    }
}

pub fn severity() -> impl Strategy<Value = Severity> {
    prop::sample::select(Severity::ALL)
}

pub fn ages() -> impl Strategy<Value = Option<u8>> {
    prop::option::of(0_u8..110)
}

fn condition() -> impl Strategy<Value = Condition> {
    let pick = (0_usize..4, prop::sample::select(vec!["yes", "no"]));
    let reasons = prop::sample::select(vec![vec![], vec!["cough".to_owned()], vec!["invoice".to_owned()]]);
    (reasons, prop::collection::vec(pick, 0..2), prop::option::weighted(0.2, 0_u8..90)).prop_map(|(reason, answers, min_age)| Condition {
        reason,
        answers: answers.into_iter().map(|(q, o)| (format!("q{q}"), vec![o.to_owned()])).collect(),
        min_age,
        max_age: None,
    })
}

pub fn rule() -> impl Strategy<Value = Rule> {
    (condition(), prop::option::of(severity()), prop::option::of(prop::sample::select(Profession::ALL)), any::<bool>(), "[a-z]{6}")
        .prop_map(|(when, severity, profession, advice, id)| Rule {
            profession,
            advice: if advice { texts(&id) } else { Texts::new() },
            ..plain_rule(&id, when, severity)
        })
}

/// Protocols with questions `q0` to `q3`.
pub fn protocols() -> impl Strategy<Value = Protocol> {
    (prop::collection::vec(condition(), 4), prop::collection::vec(rule(), 0..6)).prop_map(|(conditions, rules)| Protocol {
        questions: conditions.into_iter().enumerate().map(|(i, when)| question(&format!("q{i}"), when)).collect(),
        rules,
        tests: Vec::new(),
        ..protocol()
    })
}

pub fn answers() -> impl Strategy<Value = Vec<Answer>> {
    prop::collection::vec(prop::sample::select(vec!["yes", "no"]), 0..5)
        .prop_map(|options| options.into_iter().enumerate().map(|(i, o)| Answer::new(format!("q{i}"), o)).collect())
}
