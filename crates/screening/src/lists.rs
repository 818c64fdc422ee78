//! The compiled word lists: one automaton over the phrases of all languages, built at first use.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use kernel::{Language, Severity};

use crate::Category;
use crate::fold::{Fillers, fold, fold_word};
use crate::grammar::{Grammar, Role};
use crate::parse::{Entry, parse};

/// A line of a word list.
pub(crate) struct Phrase {
    /// None for an idiom that means something else.
    pub category: Option<Category>,
    pub severity: Severity,
    pub language: Language,
    /// Whom it is about stands before it; the person in it is somebody else ("afraid of my husband").
    pub whom_before: bool,
}

/// One spelling of a phrase, as the automaton knows it.
pub(crate) struct Pattern {
    pub phrase: usize,
    pub words: usize,
    pub letters: usize,
    /// Any ending may follow.
    pub open: bool,
    /// No negation in front puts it aside: it says so itself, or holds one ("don't want to live").
    pub always: bool,
}

pub(crate) struct Lists {
    pub phrases: Vec<Phrase>,
    pub patterns: Vec<Pattern>,
    pub fillers: Fillers,
    pub grammar: Grammar,
    /// None only if it could not be built, which a test rules out for the shipped lists.
    pub automaton: Option<AhoCorasick>,
    /// Lines that could not be read.
    #[cfg_attr(not(test), allow(dead_code, reason = "the test that keeps it empty is the reader"))]
    pub problems: Vec<String>,
}

const SOURCES: [(Language, &str); 4] = [
    (Language::Swedish, include_str!("../words/sv.txt")),
    (Language::Bokmal, include_str!("../words/nb.txt")),
    (Language::Nynorsk, include_str!("../words/nn.txt")),
    (Language::English, include_str!("../words/en.txt")),
];

pub(crate) static LISTS: LazyLock<Lists> = LazyLock::new(build);

fn build() -> Lists {
    let mut lists = Lists {
        phrases: Vec::new(),
        patterns: Vec::new(),
        fillers: Fillers::default(),
        grammar: Grammar::default(),
        automaton: None,
        problems: Vec::new(),
    };
    let mut parsed = Vec::new();
    for (language, source) in SOURCES {
        let (entries, problems) = parse(source);
        lists.problems.extend(problems.into_iter().map(|problem| format!("{language}: {problem}")));
        parsed.push((language, entries));
    }
    // Words first: phrases are folded without fillers and asked for the negators that they hold.
    for (language, entries) in &parsed {
        for entry in entries {
            let Entry::Words { role, words } = entry else { continue };
            for word in words {
                match role {
                    Some(role) => lists.grammar.add(*language, word, *role),
                    None => lists.fillers.insert(fold_word(word)),
                }
            }
        }
    }
    let mut folded = Vec::new();
    for (language, entries) in &parsed {
        for entry in entries {
            let Entry::Phrase { category, severity, always, whom_before, spellings } = entry else {
                continue;
            };
            let phrase = lists.phrases.len();
            lists.phrases.push(Phrase { category: *category, severity: *severity, language: *language, whom_before: *whom_before });
            for spelling in spellings {
                let text = fold(&spelling.text, &lists.fillers);
                let denies = text.words.iter().any(|word| {
                    let roles = lists.grammar.roles(&spelling.text, *word, *language);
                    roles.has(Role::Negator) || roles.has(Role::None) || roles.has(Role::Doubt)
                });
                lists.patterns.push(Pattern {
                    phrase,
                    words: text.at.iter().filter(|letter| letter.opens().is_some()).count(),
                    letters: text.letters.len(),
                    open: spelling.open,
                    always: *always || denies,
                });
                folded.push(text.letters);
            }
        }
    }
    match AhoCorasick::builder().match_kind(MatchKind::Standard).kind(Some(AhoCorasickKind::ContiguousNFA)).build(&folded) {
        Ok(automaton) => lists.automaton = Some(automaton),
        Err(error) => lists.problems.push(error.to_string()),
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_lists_are_readable_and_cover_every_category_in_every_language() {
        assert_eq!(LISTS.problems, Vec::<String>::new());
        assert!(LISTS.automaton.is_some());
        assert!(LISTS.patterns.iter().all(|pattern| pattern.letters >= 3));
        for language in Language::ALL {
            let of: Vec<&Phrase> =
                LISTS.phrases.iter().filter(|phrase| phrase.language == *language && phrase.category.is_some()).collect();
            assert!(of.len() >= 40, "{language} has {}", of.len());
            for category in Category::ALL {
                assert!(of.iter().any(|phrase| phrase.category == Some(*category)), "{language} lacks {category}");
            }
        }
    }

    #[test]
    fn every_list_says_that_it_is_an_example() {
        for (language, source) in SOURCES {
            assert!(source.contains("AN EXAMPLE, TO BE REPLACED BY THE REGION'S OWN LIST AND REVIEWED BY CLINICIANS"), "{language}");
        }
    }
}
