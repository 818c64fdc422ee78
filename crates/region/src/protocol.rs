//! What a protocol's conditions say of a reason, answers and an age. What follows from them is triage's; here is what others must
//! know as well, even while triage is away.

use kernel::Severity;

use crate::model::{Condition, Protocol};

/// A question and the option that was chosen.
pub type Answered<'a> = (&'a str, &'a str);

impl Condition {
    /// Whether it holds. An empty part of it always holds; an unknown reason or age matches no given one.
    pub fn holds(&self, reason: Option<&str>, answers: &[Answered<'_>], age: Option<u8>) -> bool {
        let answers_fit = self
            .answers
            .iter()
            .all(|(question, options)| answers.iter().any(|(one, option)| one == question && options.iter().any(|known| known == option)));
        let old_enough = self.min_age.is_none_or(|min| age.is_some_and(|age| age >= min));
        let young_enough = self.max_age.is_none_or(|max| age.is_some_and(|age| age <= max));
        self.fits(reason) && answers_fit && old_enough && young_enough
    }

    fn fits(&self, reason: Option<&str>) -> bool {
        self.reason.is_empty() || reason.is_some_and(|reason| self.reason.iter().any(|one| one == reason))
    }
}

impl Protocol {
    /// Answers to questions that are asked, given the answers before them: those of a branch that was left say nothing.
    fn counted<'a>(&self, reason: Option<&str>, answers: &[Answered<'a>], age: Option<u8>) -> Vec<Answered<'a>> {
        let mut counted: Vec<Answered<'a>> = Vec::new();
        for question in &self.questions {
            let answer = answers.iter().find(|(one, _)| *one == question.id);
            if let Some(answer) = answer.filter(|_| question.when.holds(reason, &counted, age)) {
                counted.push(*answer);
            }
        }
        counted
    }

    /// Whether somebody has answered that it is dangerous: a rule that looks at an answer makes it an EMERGENCY.
    pub fn danger_answered(&self, reason: Option<&str>, answers: &[Answered<'_>], age: Option<u8>) -> bool {
        let counted = self.counted(reason, answers, age);
        let mut grave = self.rules.iter().filter(|rule| rule.severity == Some(Severity::Emergency) && !rule.when.answers.is_empty());
        grave.any(|rule| rule.when.holds(reason, &counted, age))
    }

    /// Whether anything depends on how old somebody is who comes for this reason.
    pub fn depends_on_age(&self, reason: Option<&str>) -> bool {
        let mut all = self.questions.iter().map(|question| &question.when).chain(self.rules.iter().map(|rule| &rule.when));
        all.any(|when| (when.min_age.is_some() || when.max_age.is_some()) && when.fits(reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol() -> Protocol {
        let question = |id: &str, when: serde_json::Value| {
            let options = serde_json::json!([{ "id": "yes", "text": {} }, { "id": "no", "text": {} }]);
            serde_json::json!({ "id": id, "text": {}, "options": options, "when": when })
        };
        serde_json::from_value(serde_json::json!({
            "id": "p", "version": 1,
            "questions": [question("danger", serde_json::json!({})), question("faint", serde_json::json!({ "answers": { "danger": ["no"] } }))],
            "rules": [
                { "id": "danger", "when": { "answers": { "danger": ["yes"] } }, "severity": "emergency" },
                { "id": "faint", "when": { "answers": { "faint": ["yes"] }, "min_age": 60 }, "severity": "emergency" },
                { "id": "chest", "when": { "reason": ["chest"] }, "severity": "emergency" },
                { "id": "infant", "when": { "reason": ["fever"], "max_age": 0 }, "severity": "urgent" },
            ],
        }))
        .unwrap()
    }

    #[test]
    fn danger_is_answered_where_an_answer_makes_it_an_emergency() {
        let protocol = protocol();
        let answered = |answers: &[Answered<'_>], age| protocol.danger_answered(Some("chest"), answers, age);
        assert!(answered(&[("danger", "yes")], None));
        assert!(!answered(&[("danger", "no")], None), "a reason alone is no answer");
        assert!(answered(&[("danger", "no"), ("faint", "yes")], Some(60)));
        assert!(!answered(&[("danger", "no"), ("faint", "yes")], None), "of unknown age");
        assert!(!answered(&[("faint", "yes")], Some(60)), "never asked");
    }

    #[test]
    fn age_matters_for_some_reasons() {
        let mut protocol = protocol();
        assert!(protocol.depends_on_age(None), "a rule for every reason");
        protocol.rules.retain(|rule| rule.id != "faint");
        assert!(protocol.depends_on_age(Some("fever")));
        assert!(!protocol.depends_on_age(Some("chest")) && !protocol.depends_on_age(None));
    }
}
