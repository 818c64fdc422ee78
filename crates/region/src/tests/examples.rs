//! The examples that are shipped are valid, and their protocols do what their tests say.

use std::collections::BTreeSet;

use jiff::civil::date;
use kernel::{Channel, Profession, Severity};

use super::{DEMO, HALLAND, read, shown};
use crate::{Condition, Organisation, Protocol, ProtocolTest, Region, Role, merge};

fn example(file: &str, text: &str) -> Region {
    let document = read(file, text);
    let findings = document.check();
    assert!(findings.is_empty(), "{}", shown(&findings));
    document.region
}

#[test]
fn the_demo_has_five_organisations_with_doors_real_hours_and_logins() {
    let region = example("demo.yaml", DEMO);
    assert_eq!(region.organisations.len(), 5);
    for organisation in &region.organisations {
        assert!(organisation.workers.iter().any(|worker| worker.demo_login && worker.role == Role::Leader), "{}", organisation.id);
        let real = |id: &str| organisation.calendar(id).is_some_and(|calendar| !calendar.always_open);
        assert!(organisation.entry_points.iter().any(|door| real(&door.calendar)), "{}", organisation.id);
    }
    let always_open = |id: &str| {
        let (organisation, door) = region.entry_point(id).unwrap();
        organisation.calendar(&door.calendar).unwrap().always_open
    };
    assert!(always_open("demo-open") && always_open("demo-apen"));
    for profession in [Profession::Nurse, Profession::Counsellor] {
        assert!(region.organisations.iter().flat_map(|o| &o.workers).any(|worker| worker.demo_login && worker.profession == profession));
    }
    assert!(region.organisations.iter().flat_map(|o| &o.resources).any(|resource| resource.channel == Channel::Onsite));
    // The association's hours change on the day the text says; the cancer society has its eight offices.
    let (_, hours) = region.calendar("pef-hours").unwrap();
    assert_eq!(hours.weeks[1].from, Some(date(2022, 3, 7)));
    assert_eq!(region.organisation("folgetjenesten").unwrap().clinics.len(), 8);
}

#[test]
fn halland_has_23_clinics_160_reasons_and_all_professions_at_each() {
    let region = example("halland.yaml", HALLAND);
    let organisation = &region.organisations[0];
    assert_eq!(organisation.clinics.len(), 23);
    assert_eq!(organisation.catalogue.reasons.len(), 160);
    let names: BTreeSet<_> = organisation.catalogue.reasons.iter().flat_map(|reason| reason.name.values()).collect();
    // Words such as stress, migraine and acne may be alike in both languages; two reasons never share a name.
    let of = |language| organisation.catalogue.reasons.iter().map(|reason| &reason.name[&language]).collect::<BTreeSet<_>>().len();
    assert!(organisation.languages.iter().all(|language| of(*language) == 160), "{}", names.len());
    for clinic in &organisation.clinics {
        let from = clinic.live_from.unwrap();
        assert!((date(2022, 3, 7)..=date(2022, 5, 2)).contains(&from), "{}", clinic.id);
        let staff = |profession| {
            let own = organisation.workers.iter().filter(|worker| worker.role == Role::Worker && worker.clinics.contains(&clinic.id));
            own.filter(|worker| worker.profession == profession).count()
        };
        assert!(staff(Profession::Nurse) >= 2);
        let door = organisation.entry_point(&clinic.id).unwrap();
        for profession in [Profession::Nurse, Profession::Physician, Profession::Rehab, Profession::Psychosocial] {
            assert!(staff(profession) >= 1);
            let queue = organisation.queue_for(door, None, profession).unwrap();
            assert_eq!((queue.clinic.as_str(), queue.profession), (clinic.id.as_str(), profession));
            assert!(organisation.workers.iter().any(|worker| worker.profession == profession && worker.answers(queue)));
        }
        assert_eq!(organisation.queue_for(door, None, Profession::Any).unwrap().id, door.queue);
        assert!(organisation.resources.iter().any(|resource| resource.clinic == clinic.id && resource.channel == Channel::Onsite));
    }
    assert_eq!(organisation.clinics.iter().filter_map(|clinic| clinic.live_from).max(), Some(date(2022, 5, 2)));
}

/// The meaning of a protocol in a few lines; triage's own evaluation is tested there.
fn outcome(organisation: &Organisation, protocol: &Protocol, test: &ProtocolTest) -> (Severity, Option<Profession>, Option<String>) {
    let holds = |condition: &Condition| {
        (condition.reason.is_empty() || condition.reason.contains(&test.reason))
            && condition.answers.iter().all(|(question, options)| test.answers.get(question).is_some_and(|given| options.contains(given)))
            && condition.min_age.is_none_or(|least| test.age.is_some_and(|age| age >= least))
            && condition.max_age.is_none_or(|most| test.age.is_some_and(|age| age <= most))
    };
    let asked: BTreeSet<_> = protocol.questions.iter().filter(|question| holds(&question.when)).map(|question| &question.id).collect();
    assert_eq!(asked, test.answers.keys().collect(), "{}: '{}' answers what is asked and nothing else", protocol.id, test.name);
    let rules: Vec<_> = protocol.rules.iter().filter(|rule| holds(&rule.when)).collect();
    let before = organisation.reason(&test.reason).map_or(Severity::Routine, |reason| reason.severity);
    let severity = rules.iter().filter_map(|rule| rule.severity).fold(before, Severity::max);
    (severity, rules.iter().find_map(|rule| rule.profession), rules.iter().find_map(|rule| rule.queue.clone()))
}

#[test]
fn every_protocol_of_the_examples_passes_its_own_tests() {
    for (file, text) in [("demo.yaml", DEMO), ("halland.yaml", HALLAND)] {
        for organisation in &example(file, text).organisations {
            for protocol in &organisation.protocols {
                assert!(protocol.tests.len() >= 3, "{}", protocol.id);
                for test in &protocol.tests {
                    let (severity, profession, queue) = outcome(organisation, protocol, test);
                    assert_eq!(severity, test.severity, "{}: {}", protocol.id, test.name);
                    assert!(test.profession.is_none() || profession == test.profession, "{}: {}", protocol.id, test.name);
                    assert!(test.queue.is_none() || queue == test.queue, "{}: {}", protocol.id, test.name);
                }
            }
        }
    }
}

#[test]
fn a_region_survives_being_written_and_read_again() {
    for (file, text) in [("demo.yaml", DEMO), ("halland.yaml", HALLAND)] {
        let region = example(file, text);
        // JSON is YAML, too.
        let written = serde_json::to_string_pretty(&region).unwrap();
        assert_eq!(read("written.yaml", &written).region, region);
    }
}

#[test]
fn lines_point_into_the_file_and_survive_a_merge() {
    let demo = read("demo.yaml", DEMO);
    let line = |number: usize| DEMO.lines().nth(number - 1).unwrap().trim();
    assert_eq!(line(demo.line_of("region")), "region: Exempelregionen");
    assert_eq!(line(demo.line_of("organisations[1].id")), "- id: hudforbundet");
    assert_eq!(line(demo.line_of("organisations[1]")), "- id: hudforbundet");
    assert!(line(demo.line_of("organisations[0].protocols[0].tests[0]")).contains("chest pain with pressure"));
    assert_eq!(
        line(demo.line_of("organisations[0].protocols[0].tests[0].queue")),
        line(demo.line_of("organisations[0].protocols[0].tests[0]"))
    );
    assert_eq!(demo.line_of("nothing.like[7].this"), 1);

    let mut other = read("halland.yaml", HALLAND);
    other.region.region.clone_from(&demo.region.region);
    let both = merge(vec![demo, other]).unwrap();
    assert_eq!(both.region.organisations.len(), 6);
    assert_eq!(both.file_of("organisations[5].clinics[3]"), "halland.yaml");
    assert!(HALLAND.lines().nth(both.line_of("organisations[5].clinics[0]") - 1).unwrap().contains("id: hyltebruk"));
    assert_eq!(both.file_of("organisations[0].clinics[0]"), "demo.yaml");

    let findings = merge(vec![read("demo.yaml", DEMO), read("halland.yaml", HALLAND)]).unwrap_err();
    assert_eq!((findings[0].file.as_str(), findings[0].field.as_str()), ("halland.yaml", "region"));
    assert!(merge(Vec::new()).is_err());
}
