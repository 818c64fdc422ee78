//! Whatever is given as a region file: an answer, never a panic, and a line that exists.

use proptest::prelude::*;

use super::{DEMO, all_findings};
use crate::{Finding, parse};

fn says(text: &str, line: usize, message: &str) {
    let findings = parse("x.yaml", text).unwrap_err();
    assert!(findings.iter().any(|finding| finding.line == line && finding.message.contains(message)), "{text:.80}: {findings:?}");
}

#[test]
fn what_is_no_region_at_all_says_so() {
    says("", 1, "the file is empty");
    says("# only a comment\n", 1, "the file is empty");
    says("- a\n- b\n", 1, "must be fields with values");
    says("just words", 1, "must be fields with values");
    says("region: [\n", 2, "this is not YAML");
    says("region: x\n\torganisations: []\n", 1, "found a tab");
    says("region: a\n---\nregion: b\n", 2, "a second document");
    says("region: !secret x\n", 1, "tags");
    says("region: x\n{a: b}: c\n", 2, "a key must be a word");
    says("region: x\n? [a]\n: c\n", 2, "a key must be a word");
    says("region: *nothing\n", 1, "this is not YAML");
    says("organisations: []\n", 1, "is missing");
}

#[test]
fn deep_nesting_and_aliases_that_grow_are_refused_quickly() {
    says(&format!("region: {}", "[".repeat(100_000)), 1, "");
    says(&format!("region: {}", "{a: ".repeat(100_000)), 1, "");
    says(&"- ".repeat(50_000), 1, "");
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let before = format!("*a{}", i - 1);
        laughs += &format!("a{i}: &a{i} [{}]\n", vec![before; 10].join(", "));
    }
    assert!(parse("x.yaml", &laughs).is_err());
    // A pile of aliases, each a level deeper.
    let mut pile = "a0: &a0 [x]\n".to_owned();
    for i in 1..5_000 {
        pile += &format!("a{i}: &a{i} [*a{}]\n", i - 1);
    }
    assert!(parse("x.yaml", &pile).is_err());
}

#[test]
fn aliases_and_windows_files_are_read() {
    let text = "\u{feff}region: R\r\norganisations:\r\n  - id: org\r\n    name: &name Name\r\n    country: SE\r\n    timezone: Europe/Stockholm\r\n    languages: [sv]\r\n    clinics:\r\n      - { id: clinic, name: *name }\r\n";
    let document = parse("x.yaml", text).unwrap();
    assert_eq!(document.region.organisations[0].clinics[0].name, "Name");
    assert_eq!(document.line_of("organisations[0].clinics[0].name"), 9);
    assert_eq!(document.check(), []);
}

/// A finding names a line of the text and says something.
fn sensible(findings: &[Finding], text: &str) -> Result<(), TestCaseError> {
    for finding in findings {
        prop_assert!(finding.line >= 1 && finding.line <= text.split('\n').count() + 1, "{finding}");
        prop_assert!(!finding.message.is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        sensible(&all_findings(&text), &text)?;
    }

    #[test]
    fn any_text_of_yaml_characters_is_read_or_refused(text in r#"[a-z \n:\-\[\]{}&*!|>'",#?%@~0-9]{0,200}"#) {
        sensible(&all_findings(&text), &text)?;
        let below = format!("region: x\norganisations:\n  - id: {text}\n");
        sensible(&all_findings(&below), &below)?;
    }

    #[test]
    fn a_demo_with_lines_lost_doubled_and_cut_is_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..4u8), 1..6),
    ) {
        let mut lines: Vec<String> = DEMO.lines().map(str::to_owned).collect();
        for (place, change) in changes {
            let i = place.index(lines.len());
            match change {
                0 => { lines.remove(i); }
                1 => { let line = lines[i].clone(); lines.insert(i, line); }
                2 => { let half = lines[i].chars().count() / 2; lines[i] = lines[i].chars().take(half).collect(); }
                _ => { lines[i].insert_str(0, "  "); }
            }
        }
        let text = lines.join("\n");
        sensible(&all_findings(&text), &text)?;
    }
}
