//! What role a word plays around a phrase: negator, pronoun, doubt. Fills from the word lists.

use std::collections::HashMap;

use kernel::Language;

use crate::fold::{Word, fold_word};

/// A role as it is called in the word lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Negator,
    None,
    Answer,
    Bridge,
    Noun,
    Doubt,
    Later,
    First,
    Third,
    Relative,
    Possessive,
    Marker,
}

impl Role {
    pub fn from_code(code: &str) -> Option<Self> {
        Some(match code {
            "negator" => Self::Negator,
            "none" => Self::None,
            "answer" => Self::Answer,
            "bridge" => Self::Bridge,
            "noun" => Self::Noun,
            "doubt" => Self::Doubt,
            "later" => Self::Later,
            "first" => Self::First,
            "third" => Self::Third,
            "relative" => Self::Relative,
            "possessive" => Self::Possessive,
            "marker" => Self::Marker,
            _ => return None,
        })
    }
}

/// The roles of one word in one language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles(u16);

impl Roles {
    pub const fn has(self, role: Role) -> bool {
        self.0 & (1 << role as u16) != 0
    }

    pub const fn with(self, role: Role) -> Self {
        Self(self.0 | (1 << role as u16))
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// All words with a role, folded.
#[derive(Default)]
pub(crate) struct Grammar {
    words: HashMap<Vec<u8>, [Roles; 4]>,
}

const LONGEST: usize = 48;

impl Grammar {
    pub fn add(&mut self, language: Language, word: &str, role: Role) {
        let roles = self.words.entry(fold_word(word)).or_default();
        if let Some(roles) = roles.get_mut(language as usize) {
            *roles = roles.with(role);
        }
    }

    /// The roles of a single word, for phrases.
    pub fn roles(&self, text: &str, word: Word, language: Language) -> Roles {
        Read { word, roles: self.find(text, word) }.roles(language)
    }

    /// Looks up all words of a text. Done only for texts that hold a phrase.
    pub fn read(&self, text: &str, words: &[Word]) -> Vec<Read> {
        words.iter().map(|word| Read { word: *word, roles: self.find(text, *word) }).collect()
    }

    fn find(&self, text: &str, word: Word) -> [Roles; 4] {
        match text.get(word.start..word.end) {
            Some(word) if word.len() <= LONGEST => {
                let mut word = fold_word(word);
                if let Some(roles) = self.words.get(&word) {
                    return *roles;
                }
                // "My husband's face": a genitive is about the same person.
                if word.len() > 3 && word.pop() == Some(b's') {
                    self.words.get(&word).copied().unwrap_or_default()
                } else {
                    Default::default()
                }
            }
            _ => Default::default(),
        }
    }
}

/// A word of a text with its roles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    pub word: Word,
    /// By language, in the order of `kernel::Language`.
    roles: [Roles; 4],
}

impl Read {
    /// The word's roles in `language`. Swedish, Bokmål and Nynorsk count as one here: a phrase that they share is found in
    /// each of them, and its sentence holds the negator of only one.
    pub fn roles(&self, language: Language) -> Roles {
        let [sv, nb, nn, en] = self.roles;
        if language == Language::English { en } else { sv.and(nb).and(nn) }
    }

    /// Whether the word tells `language` from its neighbours.
    pub fn marks(&self, language: Language) -> bool {
        self.roles.get(language as usize).is_some_and(|roles| roles.has(Role::Marker))
    }
}
