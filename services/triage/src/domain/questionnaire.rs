//! Which question comes next, and whether answers belong to the protocol.
//!
//! A question is **asked** if its condition holds over the answers to asked questions before it. So when a visitor
//! goes back and answers differently, the questions of the branch they left are no longer asked, nor are those behind them.

use kernel::error::{Violation, Violations};
use region::{Condition, Protocol, Question};
use serde::{Deserialize, Serialize};

/// A visitor's choice. Both ids come from the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub question_id: String,
    pub option_id: String,
}

impl Answer {
    pub fn new(question_id: impl Into<String>, option_id: impl Into<String>) -> Self {
        Self { question_id: question_id.into(), option_id: option_id.into() }
    }
}

/// Whether `when` holds. An empty part of it always holds; an unknown reason or age matches no given one.
pub fn holds(when: &Condition, reason: Option<&str>, answers: &[Answer], age: Option<u8>) -> bool {
    let answered: Vec<_> = answers.iter().map(|answer| (answer.question_id.as_str(), answer.option_id.as_str())).collect();
    when.holds(reason, &answered, age)
}

/// The questions that are asked, in order, each with its answer if it has one. Of two answers to a question the first counts.
pub fn asked<'a>(
    protocol: &'a Protocol,
    reason: Option<&str>,
    answers: &'a [Answer],
    age: Option<u8>,
) -> Vec<(&'a Question, Option<&'a Answer>)> {
    let mut given: Vec<Answer> = Vec::new();
    let mut asked = Vec::new();
    for question in &protocol.questions {
        if holds(&question.when, reason, &given, age) {
            let answer = answers.iter().find(|a| a.question_id == question.id);
            given.extend(answer.cloned());
            asked.push((question, answer));
        }
    }
    asked
}

/// The first asked question without an answer; none when the questionnaire is complete.
///
/// Properties: it is never one that was answered; answering whatever is asked ends after at most one answer per question.
pub fn next_question<'a>(protocol: &'a Protocol, reason: Option<&str>, answers: &'a [Answer], age: Option<u8>) -> Option<&'a Question> {
    asked(protocol, reason, answers, age).into_iter().find(|(_, answer)| answer.is_none()).map(|(question, _)| question)
}

/// What is wrong with one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    UnknownQuestion,
    UnknownOption,
    /// The question has an earlier answer in the list.
    AnsweredTwice,
    /// The question exists, but not on the branch that the other answers lead to.
    NotAsked,
}

/// The answer at `index` cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAnswer {
    pub index: usize,
    pub fault: Fault,
}

impl BadAnswer {
    /// `answers[2].option_id`.
    pub fn field(&self) -> String {
        let part = if self.fault == Fault::UnknownOption { "option_id" } else { "question_id" };
        format!("answers[{}].{part}", self.index)
    }

    pub const fn description(&self) -> &'static str {
        match self.fault {
            Fault::UnknownQuestion => "is not a question of this protocol",
            Fault::UnknownOption => "is not an option of this question",
            Fault::AnsweredTwice => "is answered twice",
            Fault::NotAsked => "is not asked after these answers",
        }
    }

    pub fn violation(&self) -> Violation {
        Violation { field: self.field(), description: self.description().into() }
    }
}

/// Finds every answer that cannot be taken; the first fault of each. An incomplete questionnaire is fine.
pub fn faults(protocol: &Protocol, reason: Option<&str>, answers: &[Answer], age: Option<u8>) -> Vec<BadAnswer> {
    let asked = asked(protocol, reason, answers, age);
    let fault = |(index, answer): (usize, &Answer)| {
        let fault = match protocol.questions.iter().find(|q| q.id == answer.question_id) {
            None => Fault::UnknownQuestion,
            Some(_) if answers.iter().take(index).any(|a| a.question_id == answer.question_id) => Fault::AnsweredTwice,
            Some(question) if !question.options.iter().any(|o| o.id == answer.option_id) => Fault::UnknownOption,
            Some(question) if !asked.iter().any(|(q, _)| q.id == question.id) => Fault::NotAsked,
            Some(_) => return None,
        };
        Some(BadAnswer { index, fault })
    };
    answers.iter().enumerate().filter_map(fault).collect()
}

/// `faults` as an error that names the fields.
pub fn check(protocol: &Protocol, reason: Option<&str>, answers: &[Answer], age: Option<u8>) -> kernel::Result<()> {
    let mut violations = Violations::default();
    for bad in faults(protocol, reason, answers, age) {
        violations.add(bad.field(), bad.description());
    }
    violations.done()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sample;
    use super::*;

    fn next<'a>(protocol: &'a Protocol, answers: &'a [Answer], age: Option<u8>) -> Option<&'a str> {
        next_question(protocol, Some("cough"), answers, age).map(|q| q.id.as_str())
    }

    #[test]
    fn branches_follow_answers_reason_and_age() {
        let protocol = sample::protocol();
        let a = |q, o| Answer::new(q, o);
        assert_eq!(next(&protocol, &[], None), Some("breath"));
        assert_eq!(next(&protocol, &[a("breath", "yes")], None), Some("speak"));
        assert_eq!(next(&protocol, &[a("breath", "no")], None), None, "fever is asked only from 65 years");
        assert_eq!(next(&protocol, &[a("breath", "no")], Some(65)), Some("fever"));
        assert_eq!(next(&protocol, &[a("breath", "yes"), a("speak", "no")], Some(64)), None);
    }

    #[test]
    fn a_branch_that_was_left_is_no_longer_asked_nor_what_lies_behind_it() {
        let mut protocol = sample::protocol();
        protocol.questions.push(sample::question("lips", sample::answered("speak", "no")));
        let mut answers = [Answer::new("breath", "yes"), Answer::new("speak", "no"), Answer::new("lips", "yes")];
        assert_eq!(faults(&protocol, None, &answers, None), []);
        answers[0].option_id = "no".into();
        let not_asked = |index| BadAnswer { index, fault: Fault::NotAsked };
        assert_eq!(faults(&protocol, None, &answers, None), [not_asked(1), not_asked(2)]);
    }

    #[test]
    fn bad_answers_are_named_by_their_field() {
        let protocol = sample::protocol();
        let answers = [Answer::new("breath", "maybe"), Answer::new("colour", "red"), Answer::new("breath", "no")];
        let error = check(&protocol, None, &answers, Some(70)).unwrap_err();
        let fields: Vec<_> = error.violations.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["answers[0].option_id", "answers[1].question_id", "answers[2].question_id"]);
        assert_eq!(error.code, kernel::Code::InvalidArgument);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn answering_what_is_asked_ends_and_is_accepted(
            protocol in sample::protocols(),
            picks in prop::collection::vec(0_usize..3, 8),
            age in sample::ages(),
        ) {
            let mut answers: Vec<Answer> = Vec::new();
            let mut picks = picks.into_iter();
            while let Some(question) = next_question(&protocol, Some("cough"), &answers.clone(), age) {
                prop_assert!(answers.iter().all(|a| a.question_id != question.id));
                let option = &question.options[picks.next().unwrap() % question.options.len()];
                answers.push(Answer::new(&question.id, &option.id));
                prop_assert!(answers.len() <= protocol.questions.len());
            }
            prop_assert_eq!(faults(&protocol, Some("cough"), &answers, age), []);
        }
    }
}
