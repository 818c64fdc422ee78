//! Red flags: what a visitor is told before anything else.

use kernel::{Language, Time};
use proto::intake::{HelpNumber, RedFlag, SafetyNotice};
use region::Country;
use screening::{Category, Finding};

/// Categories found in `text`, gravest first, each once.
pub fn screen(text: &str) -> Vec<Category> {
    let mut findings: Vec<Finding> = screening::screen(text);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let mut categories = Vec::new();
    for finding in findings {
        if !categories.contains(&finding.category) {
            categories.push(finding.category);
        }
    }
    categories
}

/// Whom to call, most fitting first.
pub fn numbers(country: Country, category: Category, language: Language) -> Vec<HelpNumber> {
    screening::numbers(country.code(), category)
        .into_iter()
        .map(|number| HelpNumber {
            number: number.number.to_owned(),
            label: number.label(language).to_owned(),
            checked_on: number.checked_on.to_owned(),
        })
        .collect()
}

/// The notice for what was found; None if nothing was. The numbers are those of the organisation's country, never of an address.
pub fn notice(found: &[Category], country: Country, language: Language, alerted: bool, read_at: Option<Time>) -> Option<SafetyNotice> {
    if found.is_empty() {
        return None;
    }
    let red_flags = found
        .iter()
        .map(|category| RedFlag {
            category: category.code().to_owned(),
            severity: proto::intake::Severity::from(category.severity()).into(),
            numbers: numbers(country, *category, language),
        })
        .collect();
    Some(SafetyNotice { red_flags, person_alerted: alerted, read_by_person_at: read_at.map(proto::timestamp) })
}

/// Adds new categories to those that a case has; answers the new ones.
pub fn add(flags: &mut Vec<String>, found: &[Category]) -> Vec<String> {
    let codes: Vec<String> = found.iter().map(|category| category.code().to_owned()).collect();
    for code in &codes {
        if !flags.contains(code) {
            flags.push(code.clone());
        }
    }
    codes
}
