//! The screening itself.

use std::cmp::Reverse;

use crate::fold::{Folded, fold};
use crate::lists::{LISTS, Lists, Pattern, Phrase};
use crate::negation::Context;
use crate::{Category, Finding};

/// Phrases shorter than this must stand as the same number of words; longer ones may be written together or apart.
const SHORT: usize = 6;
/// Phrases from this length on need not begin and end with a word: "jagvillinteleva".
const LONG: usize = 9;

/// A phrase found in a text.
struct Match<'a> {
    phrase: &'a Phrase,
    pattern: &'a Pattern,
    first: usize,
    last: usize,
    start: usize,
    end: usize,
    /// It runs over the end of a sentence ("I want. To die"). Such a match never displaces one that does not.
    crosses: bool,
}

/// Finds the red flags in `text`, in all languages, ordered by where they start. Findings of one category do not overlap.
///
/// Text that is added after the end of a sentence never removes a finding.
pub fn screen(text: &str) -> Vec<Finding> {
    let lists = &*LISTS;
    let Some(automaton) = &lists.automaton else { return Vec::new() };
    let folded = fold(text, &lists.fillers);
    let mut matches = Vec::new();
    for found in automaton.find_overlapping_iter(&folded.letters) {
        matches.extend(lists.patterns.get(found.pattern().as_usize()).and_then(|pattern| placed(lists, &folded, pattern, found.end())));
    }
    if matches.is_empty() {
        return Vec::new();
    }
    let idioms: Vec<(usize, usize)> =
        matches.iter().filter(|m| m.phrase.category.is_none() && !m.crosses).map(|m| (m.start, m.end)).collect();
    // "Dying [to meet you]": an idiom takes away the phrases that end in it.
    matches.retain(|m| m.phrase.category.is_some() && !idioms.iter().any(|(start, end)| *start < m.end && m.end <= *end));
    likely_languages(lists, &folded, text, &mut matches);
    matches.retain(|m| m.pattern.always || !context(lists, &folded, text, m).is_denied());
    Merge::default().run(lists, &folded, text, matches)
}

/// Checks that the match ending before letter `end` lies well among the words, and finds its place in the text.
fn placed<'a>(lists: &'a Lists, folded: &Folded, pattern: &'a Pattern, end: usize) -> Option<Match<'a>> {
    let span = folded.at.get(end.checked_sub(pattern.letters)?..end)?;
    let (opening, closing) = (span.first()?, span.last()?);
    let anywhere = pattern.letters >= LONG;
    let first = if anywhere { opening.opens.unwrap_or(opening.word) } else { opening.opens? };
    let last = closing.word.max(first);
    if !closing.closes && !pattern.open && !anywhere {
        return None;
    }
    let words = span.iter().filter(|letter| letter.opens.is_some()).count();
    let spelled_out = words == pattern.letters;
    if pattern.letters < SHORT && words != pattern.words && !spelled_out {
        return None;
    }
    let (from, to) = (folded.words.get(first)?, folded.words.get(last)?);
    Some(Match {
        phrase: lists.phrases.get(pattern.phrase)?,
        pattern,
        first,
        last,
        start: from.start,
        end: to.end,
        crosses: from.sentence != to.sentence,
    })
}

fn context<'a>(lists: &'a Lists, folded: &'a Folded, text: &'a str, m: &Match<'_>) -> Context<'a> {
    Context { text, words: &folded.words, first: m.first, last: m.last, language: m.phrase.language, grammar: &lists.grammar }
}

/// Of matches that differ only in language, keeps those of the language that the sentence is written in, because each
/// language has its own negators: "no" denies in English and means "now" in Nynorsk.
fn likely_languages(lists: &Lists, folded: &Folded, text: &str, matches: &mut Vec<Match<'_>>) {
    let mut ranked: Vec<_> = std::mem::take(matches).into_iter().map(|m| (marks(lists, folded, text, &m), m)).collect();
    ranked.sort_by_key(|(marks, m)| (m.phrase.category, m.start, Reverse(m.end), Reverse(*marks), m.phrase.language));
    let mut best = None;
    for (marks, m) in ranked {
        let key = (m.phrase.category, m.start, m.end);
        match best {
            Some((of, most)) if of == key && marks < most => {}
            Some((of, _)) if of == key => matches.push(m),
            _ => {
                best = Some((key, marks));
                matches.push(m);
            }
        }
    }
}

/// Keeps one finding where matches of one category overlap.
#[derive(Default)]
struct Merge {
    kept: Vec<Finding>,
}

impl Merge {
    fn run(mut self, lists: &Lists, folded: &Folded, text: &str, matches: Vec<Match<'_>>) -> Vec<Finding> {
        // In order of category, start, longest first, likeliest language, from `likely_languages`.
        let (mut crossing, whole): (Vec<_>, Vec<_>) = matches.into_iter().partition(|m| m.crosses);
        for m in &whole {
            match self.kept.last_mut() {
                Some(before) if Some(before.category) == m.phrase.category && m.start < before.end => {
                    before.severity = before.severity.max(m.phrase.severity);
                }
                _ => self.kept.extend(finding(lists, folded, text, m)),
            }
        }
        // By their end, so that a match that reaches into later text comes after all that lie before it.
        crossing.sort_by_key(|m| (m.phrase.category, m.end, m.start, m.phrase.language));
        let mut free_from: Option<(Category, usize)> = None;
        let whole = self.kept.len();
        for m in &crossing {
            let Some(category) = m.phrase.category else { continue };
            let taken = free_from.is_some_and(|(of, end)| of == category && m.start < end);
            // `kept` is ordered by category and start, and its spans of one category do not overlap.
            let next = self.kept.get(..whole).map_or(0, |kept| kept.partition_point(|k| (k.category, k.end) <= (category, m.start)));
            let overlaps = next < whole && self.kept.get(next).is_some_and(|k| k.category == category && k.start < m.end);
            if !taken && !overlaps {
                self.kept.extend(finding(lists, folded, text, m));
                free_from = Some((category, m.end));
            }
        }
        self.kept.sort_by_key(|finding| (finding.start, finding.category, finding.end));
        self.kept
    }
}

fn finding(lists: &Lists, folded: &Folded, text: &str, m: &Match<'_>) -> Option<Finding> {
    Some(Finding {
        category: m.phrase.category?,
        severity: m.phrase.severity,
        language: m.phrase.language,
        start: m.start,
        end: m.end,
        person: context(lists, folded, text, m).person(m.phrase.whom_before),
    })
}

/// How many words of the sentence near the match are typical of its language.
fn marks(lists: &Lists, folded: &Folded, text: &str, m: &Match<'_>) -> usize {
    let near = folded.words.get(m.first.saturating_sub(12)..(m.last + 13).min(folded.words.len())).unwrap_or_default();
    let sentence = folded.words.get(m.first).map(|word| word.sentence);
    near.iter().filter(|word| Some(word.sentence) == sentence && lists.grammar.marks(text, **word, m.phrase.language)).count()
}
