//! From answers and red flags to a severity, a profession and a queue.

use kernel::{Profession, Severity};
use region::{ContactReason, Protocol, Rule, Texts};
use serde::{Deserialize, Serialize};

use super::questionnaire::{Answer, holds};

/// What is known of a matter. The answers have passed `questionnaire::check`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'a> {
    pub reason: Option<&'a ContactReason>,
    pub answers: &'a [Answer],
    /// Whole years of the person that the matter is about.
    pub age: Option<u8>,
    /// Severity of each red flag found in what the visitor wrote.
    pub red_flags: &'a [Severity],
}

/// What triage makes of a matter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub severity: Severity,
    pub profession: Profession,
    /// None: the entry point's own queue.
    pub queue: Option<String>,
    /// Ids of the rules that held, in the protocol's order.
    pub rules: Vec<String>,
    pub advice: Option<Texts>,
    /// None: no protocol was used.
    pub protocol_version: Option<u32>,
}

/// Evaluates the protocol, or what there is without one.
///
/// Starts at the reason's own severity, or ROUTINE. Every rule that holds counts; the gravest severity wins; the first
/// profession and the first queue win, before the reason's profession.
///
/// Properties:
/// - one more red flag never lowers the severity, and changes neither profession, queue nor rules;
/// - one more rule never lowers the severity, wherever it stands;
/// - advice comes from a rule as grave as the verdict (one without a severity speaks for the starting one), so that
///   nobody reads "wait at home" beside an emergency.
pub fn evaluate(protocol: Option<&Protocol>, input: &Input<'_>) -> Verdict {
    let start = input.reason.map_or(Severity::Routine, |reason| reason.severity);
    let reason = input.reason.map(|reason| reason.id.as_str());
    let held: Vec<&Rule> =
        protocol.iter().flat_map(|p| &p.rules).filter(|rule| holds(&rule.when, reason, input.answers, input.age)).collect();
    let severity = held.iter().filter_map(|rule| rule.severity).chain(input.red_flags.iter().copied()).fold(start, Severity::max);
    Verdict {
        severity,
        profession: held
            .iter()
            .find_map(|rule| rule.profession)
            .or(input.reason.map(|reason| reason.profession))
            .unwrap_or(Profession::Any),
        queue: held.iter().find_map(|rule| rule.queue.clone()),
        rules: held.iter().map(|rule| rule.id.clone()).collect(),
        advice: held
            .iter()
            .find(|rule| !rule.advice.is_empty() && rule.severity.unwrap_or(start) == severity)
            .map(|rule| rule.advice.clone()),
        protocol_version: protocol.map(|p| p.version),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sample;
    use super::*;

    #[test]
    fn without_a_protocol_the_reason_decides() {
        let verdict = evaluate(None, &Input::default());
        assert_eq!((verdict.severity, verdict.profession, verdict.protocol_version), (Severity::Routine, Profession::Any, None));
        let reason = sample::reason("invoice", Severity::Admin);
        let verdict = evaluate(None, &Input { reason: Some(&reason), ..Input::default() });
        assert_eq!((verdict.severity, verdict.profession), (Severity::Admin, Profession::Nurse));
    }

    #[test]
    fn the_gravest_severity_wins_and_the_first_profession_and_queue() {
        let protocol = sample::protocol();
        let reason = sample::reason("cough", Severity::Routine);
        let answers = [Answer::new("breath", "yes"), Answer::new("speak", "no")];
        let verdict = evaluate(Some(&protocol), &Input { reason: Some(&reason), answers: &answers, age: None, red_flags: &[] });
        assert_eq!(verdict.severity, Severity::Emergency);
        assert_eq!(verdict.profession, Profession::Physician);
        assert_eq!(verdict.queue.as_deref(), Some("acute"));
        assert_eq!(verdict.rules, ["breathless", "speechless"]);
        assert_eq!(verdict.protocol_version, Some(3));
    }

    #[test]
    fn mild_advice_is_not_given_beside_a_red_flag() {
        let protocol = sample::protocol();
        let reason = sample::reason("cough", Severity::Routine);
        let answers = [Answer::new("breath", "no")];
        let mut input = Input { reason: Some(&reason), answers: &answers, age: None, red_flags: &[] };
        assert!(evaluate(Some(&protocol), &input).advice.is_some());
        input.red_flags = &[Severity::Emergency];
        assert_eq!(evaluate(Some(&protocol), &input).advice, None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn nothing_more_ever_lowers(
            protocol in sample::protocols(),
            extra in sample::rule(),
            at in 0_usize..8,
            answers in sample::answers(),
            age in sample::ages(),
            flags in prop::collection::vec(sample::severity(), 0..3),
            flag in sample::severity(),
            start in prop::option::of(sample::severity()),
        ) {
            let reason = start.map(|severity| sample::reason("cough", severity));
            let input = Input { reason: reason.as_ref(), answers: &answers, age, red_flags: &flags };
            let before = evaluate(Some(&protocol), &input);
            prop_assert!(before.severity >= evaluate(None, &input).severity);
            prop_assert!(before.severity >= start.unwrap_or(Severity::Routine));

            let more = [flags.as_slice(), &[flag]].concat();
            let flagged = evaluate(Some(&protocol), &Input { red_flags: &more, ..input });
            prop_assert_eq!(flagged.severity, before.severity.max(flag));
            prop_assert_eq!((&flagged.profession, &flagged.queue, &flagged.rules), (&before.profession, &before.queue, &before.rules));

            let mut longer = protocol.clone();
            longer.rules.insert(at.min(longer.rules.len()), extra);
            prop_assert!(evaluate(Some(&longer), &input).severity >= before.severity);
        }

        #[test]
        fn advice_is_as_grave_as_the_verdict(
            protocol in sample::protocols(),
            answers in sample::answers(),
            flags in prop::collection::vec(sample::severity(), 0..2),
        ) {
            let verdict = evaluate(Some(&protocol), &Input { answers: &answers, red_flags: &flags, ..Input::default() });
            if let Some(advice) = &verdict.advice {
                let gives_it = |rule: &Rule| rule.advice == *advice && verdict.rules.contains(&rule.id);
                let as_grave = |rule: &Rule| rule.severity.unwrap_or(Severity::Routine) == verdict.severity;
                prop_assert!(protocol.rules.iter().any(|rule| gives_it(rule) && as_grave(rule)));
            }
        }
    }
}
