//! What a screening reports.

use kernel::{Language, Severity};

use crate::Category;

/// Whom a finding is about, as far as the sentence tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Person {
    /// The writer.
    First,
    /// Somebody else: "my son wants to die".
    Third,
    Unknown,
}

/// One red flag in a text. It holds no text itself, so that it can be stored and logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    pub category: Category,
    /// At least the category's severity.
    pub severity: Severity,
    /// The language of the phrase that was found; the neighbours share many phrases, then the sentence decides.
    pub language: Language,
    /// First byte of the phrase in the original text; a character boundary.
    pub start: usize,
    /// The byte after the phrase in the original text; a character boundary.
    pub end: usize,
    pub person: Person,
}
