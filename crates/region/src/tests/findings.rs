//! Each mistake is found at its line and field, with words that say what to do.

use super::{all_findings, shown};
use crate::{Finding, parse};

/// A small region without faults. Tests break one line of it.
const GOOD: &str = r#"region: Test
organisations:
  - id: org
    name: Organisation
    country: NO
    timezone: Europe/Oslo
    languages: [nb, en]
    clinics:
      - { id: clinic, name: Clinic, live_from: 2022-03-07 }
    catalogue:
      version: 1
      reasons:
        - { id: cold, name: { nb: Forkjølelse, en: Cold } }
        - { id: back, name: { nb: Rygg, en: Back } }
    calendars:
      - id: hours
        weeks:
          - hours:
              mon: ["09:00-12:00", "13:00-15:00"]
          - from: 2022-03-07
            hours: { tue: ["09:00-15:00"] }
        exceptions:
          - { date: 2022-05-27, reason: Planning day }
    queues:
      - { id: queue, clinic: clinic, offer_seconds: 60 }
    workers:
      - { id: worker, name: Worker, clinics: [clinic], profession: nurse, queues: [queue], capacity: 100 }
    resources:
      - { id: room, clinic: clinic, name: Room, channel: onsite, calendar: hours }
    protocols:
      - id: protocol
        version: 1
        approved_by: [Ada, Bo]
        questions:
          - id: ill
            text: { nb: Syk?, en: Ill? }
            options: [{ id: "yes", text: { nb: Ja, en: "Yes" } }, { id: "no", text: { nb: Nei, en: "No" } }]
          - id: long
            text: { nb: Lenge?, en: Long? }
            options: [{ id: days, text: { nb: Dager, en: Days } }, { id: weeks, text: { nb: Uker, en: Weeks } }]
            when: { answers: { ill: ["yes"] } }
        rules:
          - { id: rule, when: { reason: [cold], answers: { long: [weeks] } }, severity: soon, queue: queue }
        tests:
          - { name: ill for weeks, reason: cold, answers: { ill: "yes", long: weeks }, severity: soon }
    entry_points:
      - id: door
        clinic: clinic
        name: { nb: Dør, en: Door }
        protocol: protocol
        queue: queue
        calendar: hours
        retention_days: 30
"#;

/// (what stands there, what is written instead, field below `organisations[0]` or after `/`, part of the message)
#[rustfmt::skip]
const MISTAKES: &[(&str, &str, &str, &str)] = &[
    // Reading.
    ("    queues:", "    quues:", "quues", "there is no such field; did you mean 'queues'?"),
    ("offer_seconds: 60", "beds: 60", "queues[0].beds", "there is no such field; there are: id, clinic"),
    ("offer_seconds: 60", "offer_seconds: soon", "queues[0].offer_seconds", "must be a whole number from 0 to 4294967295, not 'soon'"),
    ("offer_seconds: 60", "offer_seconds: -1", "queues[0].offer_seconds", "must be a whole number"),
    ("offer_seconds: 60", "offer_seconds: \"60\"", "queues[0].offer_seconds", "must be a whole number"),
    ("offer_seconds: 60", "offer_seconds:", "queues[0].offer_seconds", "nothing is written here"),
    ("capacity: 100", "demo_login: yes", "workers[0].demo_login", "must be true or false, not 'yes'"),
    ("country: NO", "country: DK", "country", "must be one of SE, NO, not 'DK'"),
    ("country: NO", "country: [SE, NO]", "country", "must be one of SE, NO, not a list"),
    ("    timezone: Europe/Oslo\n", "", "timezone", "is missing"),
    ("region: Test\n", "", "/region", "is missing"),
    ("profession: nurse, ", "", "workers[0].profession", "is missing"),
    ("clinics: [clinic], profession", "clinics: clinic, profession", "workers[0].clinics", "must be a list, not 'clinic'"),
    ("name: { nb: Dør, en: Door }", "name: Door", "entry_points[0].name", "must be fields with values"),
    ("name: { nb: Dør, en: Door }", "name: { nb: Dør, en: Door, fr: Porte }", "entry_points[0].name.fr", "must be one of sv, nb, nn, en"),
    ("name: { nb: Dør, en: Door }", "name: { nb: Dør, en: }", "entry_points[0].name.en", "must be a text, and nothing is written"),
    ("\"13:00-15:00\"", "\"1300-1500\"", "calendars[0].weeks[0].hours.mon[1]", "is not a span of time such as 09:00-15:00"),
    ("\"13:00-15:00\"", "\"15:00-13:00\"", "calendars[0].weeks[0].hours.mon[1]", "ends before it begins"),
    ("\"13:00-15:00\"", "\"13:00-25:00\"", "calendars[0].weeks[0].hours.mon[1]", "is not a span"),
    ("              mon:", "              monday:", "calendars[0].weeks[0].hours.monday", "must be one of mon, tue"),
    ("date: 2022-05-27", "date: 2022-13-27", "calendars[0].exceptions[0].date", "'2022-13-27' is not a date such as 2022-03-07"),
    ("date: 2022-05-27", "date: 27 May", "calendars[0].exceptions[0].date", "'27 May' is not a date"),
    ("live_from: 2022-03-07", "live_from: tomorrow", "clinics[0].live_from", "'tomorrow' is not a date"),
    ("reason: cold, answers: { ill", "age: 300, answers: { ill", "protocols[0].tests[0].age", "must be a whole number from 0 to 255, not '300'"),
    ("    name: Organisation\n", "    name: Organisation\n    id: again\n", "id", "is given twice, first on line 3"),
    // Ids and references.
    ("  - id: org\n", "  - id: Org\n", "id", "'Org' is no id; an id has 2 to 64 characters of a-z"),
    ("id: back", "id: cold", "catalogue.reasons[1].id", "'cold' is taken by organisations[0].catalogue.reasons[0]"),
    ("{ id: queue, clinic: clinic", "{ id: queue, clinic: clinc", "queues[0].clinic", "there is no clinic 'clinc' in the organisation 'org'; did you mean 'clinic'?"),
    ("queues: [queue]", "queues: [other-queue]", "workers[0].queues[0]", "there is no queue 'other-queue' in the organisation 'org'; add it"),
    ("queues: [queue]", "queues: [queue, queue]", "workers[0].queues[1]", "given twice"),
    ("clinics: [clinic], profession", "clinics: [], profession", "workers[0].clinics", "name at least one clinic"),
    ("clinics: [clinic], profession", "clinics: [clinic], email: kim, profession", "workers[0].email", "is no e-mail address"),
    ("clinics: [clinic], profession", "clinics: [clinic], sign_in: [{ provider: idp, subject: \"\" }], profession", "workers[0].sign_in[0].subject", "is empty"),
    ("clinics: [clinic], profession", "clinics: [clinic], sign_in: [{ provider: idp, subject: a }, { provider: idp, subject: a }], profession", "workers[0].sign_in[1]", "already another worker's"),
    ("clinics: [clinic], profession", "clinics: [clinic], sign_in: [{ provider: idp }], profession", "workers[0].sign_in[0].subject", "is missing"),
    ("    timezone: Europe/Oslo\n", "    timezone: Europe/Oslo\n    invitations: yes\n", "invitations", "must be one of off, code"),
    ("channel: onsite, calendar: hours", "channel: onsite, calendar: nights", "resources[0].calendar", "there is no calendar 'nights'"),
    ("channel: onsite", "channel: email", "resources[0].channel", "must be onsite, phone or video"),
    ("        queue: queue\n", "        queue: none\n", "entry_points[0].queue", "there is no queue 'none'"),
    ("        calendar: hours\n", "        calendar: days\n", "entry_points[0].calendar", "there is no calendar 'days'"),
    ("        protocol: protocol\n", "        protocol: protocl\n", "entry_points[0].protocol", "did you mean 'protocol'?"),
    ("        retention_days: 30", "        reasons: [flu]\n        retention_days: 30", "entry_points[0].reasons[0]", "there is no contact reason 'flu'"),
    // Hours.
    ("\"13:00-15:00\"", "\"11:00-15:00\"", "calendars[0].weeks[0].hours.mon[1]", "overlaps 09:00-12:00"),
    ("\"13:00-15:00\"", "\"07:00-08:00\"", "calendars[0].weeks[0].hours.mon[1]", "put the spans in order"),
    ("          - from: 2022-03-07\n            hours", "          - hours", "calendars[0].weeks[1].from", "only the first hours may leave out"),
    ("      - id: hours\n", "      - id: hours\n        always_open: true\n", "calendars[0].weeks", "must be empty"),
    ("reason: Planning day", "reason: \"\"", "calendars[0].exceptions[0].reason", "is empty"),
    ("date: 2022-05-27, reason: Planning day }", "date: 2022-05-27, reason: A }\n          - { date: 2022-05-27, reason: B }", "calendars[0].exceptions[1].date", "has an exception already"),
    // Ranges, zones, texts.
    ("Europe/Oslo", "Europe/Olso", "timezone", "is no known zone"),
    ("languages: [nb, en]", "languages: [nb, en, nb]", "languages[2]", "given twice"),
    ("offer_seconds: 60", "offer_seconds: 9", "queues[0].offer_seconds", "must be from 10 to 600, not 9"),
    ("capacity: 100", "capacity: 1001", "workers[0].capacity", "must be from 1 to 1000, not 1001"),
    ("retention_days: 30", "retention_days: 0", "entry_points[0].retention_days", "must be from 1 to 3660, not 0"),
    ("retention_days: 30", "retention_days: 3661", "entry_points[0].retention_days", "must be from 1 to 3660"),
    ("name: { nb: Dør, en: Door }", "name: { nb: Dør }", "entry_points[0].name", "has no text in en; the organisation offers nb, en"),
    ("name: { nb: Rygg, en: Back }", "name: { nb: Rygg, en: \" \" }", "catalogue.reasons[1].name.en", "is empty"),
    ("        retention_days: 30", "        languages: [sv]\n        retention_days: 30", "entry_points[0].languages[0]", "has texts in nb, en only"),
    ("name: Clinic,", "name: \"\",", "clinics[0].name", "is empty"),
    // Protocols.
    ("approved_by: [Ada, Bo]", "approved_by: [Ada]", "protocols[0].approved_by", "names 1 of the two different people"),
    ("approved_by: [Ada, Bo]", "approved_by: [Ada, ada]", "protocols[0].approved_by", "'door' uses it"),
    ("- id: long", "- id: ill", "protocols[0].questions[1].id", "is taken by"),
    ("{ id: weeks, text", "{ id: days, text", "protocols[0].questions[1].options[1].id", "is taken by"),
    ("when: { answers: { ill: [\"yes\"] } }", "when: { answers: { long: [weeks] } }", "protocols[0].questions[1].when.answers.long", "there is no earlier question 'long'; name one of: ill"),
    ("when: { answers: { ill: [\"yes\"] } }", "when: { answers: { ill: [maybe] } }", "protocols[0].questions[1].when.answers.ill[0]", "has no option 'maybe'; name one of: yes, no"),
    ("when: { reason: [cold], answers", "when: { reason: [flu], answers", "protocols[0].rules[0].when.reason[0]", "there is no contact reason 'flu'"),
    ("when: { reason: [cold], answers", "when: { min_age: 9, max_age: 1, answers", "protocols[0].rules[0].when.min_age", "9 is above max_age 1"),
    ("severity: soon, queue: queue }", "severity: soon, queue: qeue }", "protocols[0].rules[0].queue", "did you mean 'queue'?"),
    ("severity: soon, queue: queue }", "advice: { nb: Hvil } }", "protocols[0].rules[0].advice", "has no text in en"),
    (", severity: soon, queue: queue }", " }", "protocols[0].rules[0]", "has no effect"),
    ("reason: cold, answers: { ill", "reason: flu, answers: { ill", "protocols[0].tests[0].reason", "there is no contact reason 'flu'"),
    ("long: weeks }", "long: years }", "protocols[0].tests[0].answers.long", "has no option 'years'"),
];

/// The one finding at a field; a mistake may have others elsewhere.
fn only(text: &str, field: &str) -> Finding {
    let findings = all_findings(text);
    let found: Vec<_> = findings.iter().filter(|finding| finding.field == field).collect();
    assert_eq!(found.len(), 1, "one finding at {field}, not:\n{}\n{text}", shown(&findings));
    found[0].clone()
}

#[test]
fn the_good_region_has_no_fault() {
    assert_eq!(all_findings(GOOD), []);
}

#[test]
fn each_mistake_is_found_at_its_line_and_field() {
    for (good, bad, field, message) in MISTAKES {
        assert!(GOOD.matches(good).count() == 1, "'{good}' stands in the good region once");
        let text = GOOD.replacen(good, bad, 1);
        let field = field.strip_prefix('/').map_or_else(|| format!("organisations[0].{field}"), str::to_owned);
        let finding = only(&text, &field);
        assert!(finding.message.contains(message), "{finding}\ndoes not say: {message}");
        // The mistake's own line, found by its last part, unless it is something absent.
        let line = text.lines().nth(finding.line - 1).unwrap();
        let name = field.rsplit('.').next().unwrap().split('[').next().unwrap();
        let absent = ["is missing", "may leave out"].iter().any(|part| finding.message.contains(part));
        assert!(absent || line.contains(name) || line.trim().starts_with('-'), "{finding}\nis not on: {line}");
    }
}

#[test]
fn lines_are_exact() {
    let line_of = |good: &str, bad: &str, field: &str| only(&GOOD.replacen(good, bad, 1), field).line;
    assert_eq!(line_of("country: NO", "country: DK", "organisations[0].country"), 5);
    assert_eq!(line_of("    timezone: Europe/Oslo\n", "", "organisations[0].timezone"), 3);
    assert_eq!(line_of("\"13:00-15:00\"", "\n                \"1300\"", "organisations[0].calendars[0].weeks[0].hours.mon[1]"), 20);
    assert_eq!(line_of("reason: Planning day", "reason: \"\"", "organisations[0].calendars[0].exceptions[0].reason"), 23);
    assert_eq!(line_of("retention_days: 30", "retention_days: 0", "organisations[0].entry_points[0].retention_days"), 53);
}

#[test]
fn one_run_names_all_mistakes() {
    let text = GOOD
        .replace("offer_seconds: 60", "offer_seconds: soon, beds: 3")
        .replace("\"13:00-15:00\"", "\"1300\"")
        .replace("name: Worker, ", "")
        .replace("retention_days: 30", "retention_days: long");
    let fields: Vec<_> = parse("x.yaml", &text).unwrap_err().into_iter().map(|finding| (finding.line, finding.field)).collect();
    let at = |line: usize, field: &str| (line, format!("organisations[0].{field}"));
    let expected = [
        at(19, "calendars[0].weeks[0].hours.mon[1]"),
        at(25, "queues[0].beds"),
        at(25, "queues[0].offer_seconds"),
        at(27, "workers[0].name"),
        at(53, "entry_points[0].retention_days"),
    ];
    assert_eq!(fields, expected);
}

#[test]
fn a_finding_reads_as_file_line_field_message() {
    let text = GOOD.replacen("{ id: queue, clinic: clinic", "{ id: queue, clinic: x", 1);
    let finding = only(&text, "organisations[0].queues[0].clinic");
    let expected = "x.yaml:25: organisations[0].queues[0].clinic: there is no clinic 'x' in the organisation 'org'; add it or use another";
    assert_eq!(finding.to_string(), expected);
}

#[test]
fn another_organisations_things_are_not_ones_own() {
    let second = GOOD.split_once("organisations:\n").unwrap().1;
    // All ids of the copy get another name, but the door keeps the first organisation's queue.
    let mut second =
        second.replace("id: org", "id: org2").replace("id: clinic", "id: clinic2").replace("clinic: clinic", "clinic: clinic2");
    for (good, bad) in [
        ("clinics: [clinic]", "clinics: [clinic2]"),
        ("id: hours", "id: hours2"),
        ("calendar: hours", "calendar: hours2"),
        ("id: queue", "id: queue2"),
        ("queues: [queue]", "queues: [queue2]"),
        ("soon, queue: queue", "soon, queue: queue2"),
        ("id: worker", "id: worker2"),
        ("id: room", "id: room2"),
        ("id: protocol", "id: protocol2"),
        ("protocol: protocol", "protocol: protocol2"),
        ("id: door", "id: door2"),
    ] {
        second = second.replace(good, bad);
    }
    let findings = all_findings(&format!("{GOOD}{second}"));
    assert_eq!(findings.len(), 1, "{}", shown(&findings));
    assert_eq!(findings[0].field, "organisations[1].entry_points[0].queue");
    assert!(findings[0].message.contains("the queue 'queue' belongs to the organisation 'org'"), "{}", findings[0]);
    // The same ids twice: each is named at its second place.
    let twice = all_findings(&format!("{GOOD}{}", GOOD.split_once("organisations:\n").unwrap().1));
    for field in [
        "id",
        "clinics[0].id",
        "calendars[0].id",
        "queues[0].id",
        "workers[0].id",
        "resources[0].id",
        "protocols[0].id",
        "entry_points[0].id",
    ] {
        assert!(twice.iter().any(|finding| finding.field == format!("organisations[1].{field}")), "{field}:\n{}", shown(&twice));
    }
}

#[test]
fn a_draft_that_no_door_uses_needs_no_approval_yet() {
    let text = GOOD.replacen("approved_by: [Ada, Bo]", "approved_by: []", 1).replacen("        protocol: protocol\n", "", 1);
    assert_eq!(all_findings(&text), []);
}
