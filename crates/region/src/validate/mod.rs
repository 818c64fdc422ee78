//! What the types cannot say: references lead somewhere, ids are unique, hours do not overlap, every text exists in every language.

mod calendar;
mod conversation;
mod names;
mod organisation;
mod protocol;
mod sign_in;

use std::fmt::Display;

use kernel::Language;

use crate::model::{Organisation, Region, Texts};

/// Everything that is wrong with a region, as (field path, what is wrong and what to do). Empty: it can be applied.
pub fn validate(region: &Region) -> Vec<(String, String)> {
    let mut found = Found::default();
    if region.region.trim().is_empty() {
        found.add("region", "is empty; name the installation");
    }
    names::unique(region, &mut found);
    for (i, organisation) in region.organisations.iter().enumerate() {
        organisation::check(&Scope { region, own: organisation, path: format!("organisations[{i}]") }, &mut found);
    }
    found.0
}

/// What was found so far.
#[derive(Default)]
struct Found(Vec<(String, String)>);

impl Found {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push((path.into(), message.into()));
    }

    fn range<T: PartialOrd + Display>(&mut self, path: String, value: T, least: T, most: T) {
        if value < least || value > most {
            self.add(path, format!("must be from {least} to {most}, not {value}"));
        }
    }

    fn filled(&mut self, path: String, text: &str) {
        if text.trim().is_empty() {
            self.add(path, "is empty; write a text");
        }
    }

    /// No value twice in a short list.
    fn distinct<T: PartialEq + Display>(&mut self, path: &str, values: &[T]) {
        for (i, value) in values.iter().enumerate() {
            if values.iter().take(i).any(|earlier| earlier == value) {
                self.add(format!("{path}[{i}]"), format!("'{value}' is given twice; keep one"));
            }
        }
    }

    /// A text for each language of the organisation.
    fn texts(&mut self, path: &str, texts: &Texts, organisation: &Organisation) {
        let missing: Vec<_> = organisation.languages.iter().filter(|language| !texts.contains_key(language)).map(|l| l.code()).collect();
        if !missing.is_empty() {
            self.add(path, format!("has no text in {}; the organisation offers {}", missing.join(", "), codes(&organisation.languages)));
        }
        for (language, text) in texts {
            self.filled(format!("{path}.{language}"), text);
        }
    }
}

fn codes(languages: &[Language]) -> String {
    languages.iter().map(|language| language.code()).collect::<Vec<_>>().join(", ")
}

/// The organisation that is looked at, within its region.
struct Scope<'r> {
    region: &'r Region,
    own: &'r Organisation,
    /// `organisations[0]`
    path: String,
}

impl Scope<'_> {
    fn at(&self, rest: impl Display) -> String {
        format!("{}.{rest}", self.path)
    }
}
