//! From a new case and the region's description to its triage; a case that cannot be judged goes to a person.

use kernel::{Profession, Severity};
use region::Region;

use super::evaluate::{Input, evaluate};
use super::questionnaire::{Answer, Fault, faults};

/// What a new case says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Matter<'a> {
    pub organisation: &'a str,
    pub entry_point: &'a str,
    /// Id from the catalogue; empty if none was chosen.
    pub reason: &'a str,
    pub answers: &'a [Answer],
    pub age: Option<u8>,
    /// Severity of each red flag.
    pub red_flags: &'a [Severity],
}

/// What triage makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    pub severity: Severity,
    pub profession: Profession,
    /// The queue that a rule named; empty if none did.
    pub rule_queue: String,
    /// Where it waits; empty if even the door is unknown.
    pub queue: String,
    /// Empty if the door has none.
    pub protocol: String,
    pub protocol_version: u32,
    /// Rules that held.
    pub rules: Vec<String>,
    /// It could not be judged, so that it is at least URGENT for a person to look at.
    pub untriaged: bool,
}

/// Assesses a case against the region as this service knows it, which may be another version than the one under which the
/// case was opened.
///
/// Properties:
/// - every matter gets an assessment; one that names a door, reason, protocol, question or option that is unknown here is
///   untriaged, at least URGENT, and waits at its door's own queue;
/// - one more red flag never lowers the severity.
pub fn assess(region: &Region, matter: &Matter<'_>) -> Assessment {
    let door = region.entry_point(matter.entry_point).filter(|(organisation, _)| organisation.id == matter.organisation);
    let Some((organisation, door)) = door else {
        return Assessment {
            severity: matter.red_flags.iter().copied().fold(Severity::Urgent, Severity::max),
            profession: Profession::Any,
            rule_queue: String::new(),
            queue: String::new(),
            protocol: String::new(),
            protocol_version: 0,
            rules: Vec::new(),
            untriaged: true,
        };
    };
    let reason = organisation.reason(matter.reason);
    let protocol = door.protocol.as_deref().and_then(|id| organisation.protocol(id));
    let mut known = (reason.is_some() || matter.reason.is_empty()) && (protocol.is_some() || door.protocol.is_none());
    let mut bad = Vec::new();
    if let Some(protocol) = protocol {
        for found in faults(protocol, reason.map(|reason| reason.id.as_str()), matter.answers, matter.age) {
            // An answer on a branch that the visitor left says nothing; one that nobody here understands might say anything.
            known &= !matches!(found.fault, Fault::UnknownQuestion | Fault::UnknownOption);
            bad.push(found.index);
        }
    }
    let answers: Vec<Answer> =
        matter.answers.iter().enumerate().filter(|(index, _)| !bad.contains(index)).map(|(_, answer)| answer.clone()).collect();
    let verdict = evaluate(protocol, &Input { reason, answers: &answers, age: matter.age, red_flags: matter.red_flags });
    let (severity, profession, rule_queue) = if known {
        (verdict.severity, verdict.profession, verdict.queue)
    } else {
        (verdict.severity.max(Severity::Urgent), Profession::Any, None)
    };
    let queue = organisation.queue_for(door, rule_queue.as_deref(), profession).map_or(&door.queue, |queue| &queue.id).clone();
    Assessment {
        severity,
        profession,
        rule_queue: rule_queue.unwrap_or_default(),
        queue,
        protocol: protocol.map(|protocol| protocol.id.clone()).unwrap_or_default(),
        protocol_version: verdict.protocol_version.unwrap_or_default(),
        rules: verdict.rules,
        untriaged: !known,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use region::Protocol;

    use super::super::sample;
    use super::*;

    fn region(protocol: Protocol) -> Region {
        let organisation = serde_json::from_value(serde_json::json!({
            "id": "a", "name": "A", "country": "SE", "timezone": "Europe/Stockholm", "languages": ["en"],
            "catalogue": { "version": 1, "reasons": [{ "id": "cough", "name": { "en": "Cough" }, "profession": "nurse" }] },
            "queues": [{ "id": "day", "clinic": "one" }, { "id": "nurses", "clinic": "one", "profession": "nurse" }, { "id": "acute", "clinic": "one" }],
            "entry_points": [{ "id": "door", "clinic": "one", "name": {}, "protocol": "cough", "queue": "day", "calendar": "c", "retention_days": 1 }],
        }));
        let mut organisation: region::Organisation = organisation.unwrap();
        organisation.protocols.push(protocol);
        Region { region: "r".into(), organisations: vec![organisation] }
    }

    const MATTER: Matter<'static> =
        Matter { organisation: "a", entry_point: "door", reason: "cough", answers: &[], age: None, red_flags: &[] };

    #[test]
    fn a_known_case_waits_where_the_rule_or_its_profession_says() {
        let region = region(sample::protocol());
        let mild = assess(&region, &Matter { answers: &[Answer::new("breath", "no")], ..MATTER });
        assert_eq!((mild.severity, mild.queue.as_str(), mild.untriaged), (Severity::Routine, "nurses", false));
        let answers = [Answer::new("breath", "yes"), Answer::new("speak", "no")];
        let grave = assess(&region, &Matter { answers: &answers, ..MATTER });
        assert_eq!((grave.severity, grave.queue.as_str(), grave.protocol_version), (Severity::Emergency, "acute", 3));
    }

    #[test]
    fn what_is_unknown_here_is_urgent_and_for_a_person() {
        let region = region(sample::protocol());
        let unknown_option = [Answer::new("breath", "perhaps")];
        let unknown_question = [Answer::new("colour", "red")];
        for (matter, queue) in [
            (Matter { entry_point: "gone", ..MATTER }, ""),
            (Matter { organisation: "b", ..MATTER }, ""),
            (Matter { reason: "gone", ..MATTER }, "day"),
            (Matter { answers: &unknown_option, ..MATTER }, "day"),
            (Matter { answers: &unknown_question, ..MATTER }, "day"),
        ] {
            let found = assess(&region, &matter);
            assert_eq!((found.severity, found.queue.as_str(), found.untriaged), (Severity::Urgent, queue, true), "{matter:?}");
            let flagged = assess(&region, &Matter { red_flags: &[Severity::Emergency], ..matter });
            assert_eq!(flagged.severity, Severity::Emergency);
        }
    }

    #[test]
    fn answers_of_a_branch_that_was_left_count_for_nothing() {
        let region = region(sample::protocol());
        let answers = [Answer::new("breath", "no"), Answer::new("speak", "no")];
        let found = assess(&region, &Matter { answers: &answers, ..MATTER });
        assert_eq!((found.severity, found.untriaged), (Severity::Routine, false));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn every_case_is_assessed_and_a_flag_never_lowers(
            protocol in sample::protocols(),
            answers in sample::answers(),
            age in sample::ages(),
            flag in sample::severity(),
            reason in prop::sample::select(vec!["cough", "", "gone"]),
        ) {
            let region = region(protocol);
            let matter = Matter { answers: &answers, age, reason, ..MATTER };
            let before = assess(&region, &matter);
            let after = assess(&region, &Matter { red_flags: &[flag], ..matter });
            prop_assert_eq!(after.severity, before.severity.max(flag));
            prop_assert!(!before.untriaged || before.severity >= Severity::Urgent);
            prop_assert!(!before.queue.is_empty());
        }
    }
}
