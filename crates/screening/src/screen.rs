//! The screening itself.

use std::cmp::Reverse;

use crate::fold::{Folded, fold};
use crate::grammar::Read;
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
    let words = &lists.grammar.read(text, &folded.words);
    // "Dying [to meet you]": an idiom takes away the phrases that end in it.
    let mut idiom = vec![false; words.len()];
    for m in matches.iter().filter(|m| m.phrase.category.is_none() && !m.crosses) {
        idiom.get_mut(m.first..=m.last).unwrap_or_default().fill(true);
    }
    matches.retain(|m| m.phrase.category.is_some() && idiom.get(m.last) == Some(&false));
    likely_languages(words, &mut matches);
    matches.retain(|m| m.pattern.always || !m.context(words).is_denied());
    merge(words, matches)
}

/// Checks that the match ending before letter `end` lies well among the words, and finds its place in the text.
fn placed<'a>(lists: &'a Lists, folded: &Folded, pattern: &'a Pattern, end: usize) -> Option<Match<'a>> {
    let span = folded.at.get(end.checked_sub(pattern.letters)?..end)?;
    let (opening, closing) = (span.first()?, span.last()?);
    let anywhere = pattern.letters >= LONG;
    let first = if anywhere { opening.opens().unwrap_or(opening.word()) } else { opening.opens()? };
    let last = closing.word().max(first);
    if !closing.closes && !pattern.open && !anywhere {
        return None;
    }
    let words = span.iter().filter(|letter| letter.opens().is_some()).count();
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

impl Match<'_> {
    fn context<'a>(&self, words: &'a [Read]) -> Context<'a> {
        Context { words, first: self.first, last: self.last, language: self.phrase.language }
    }

    fn finding(&self, words: &[Read]) -> Option<Finding> {
        Some(Finding {
            category: self.phrase.category?,
            severity: self.phrase.severity,
            language: self.phrase.language,
            start: self.start,
            end: self.end,
            person: self.context(words).person(self.phrase.whom_before),
        })
    }

    /// How many words of the sentence near the match are typical of its language.
    fn marks(&self, words: &[Read]) -> usize {
        let sentence = words.get(self.first).map(|read| read.word.sentence);
        let near = words.get(self.first.saturating_sub(12)..(self.last + 13).min(words.len())).unwrap_or_default();
        near.iter().filter(|read| Some(read.word.sentence) == sentence && read.marks(self.phrase.language)).count()
    }
}

/// Of matches that differ only in language, keeps those of the language that the sentence is written in, because each
/// language has its own negators: "no" denies in English and means "now" in Nynorsk.
fn likely_languages(words: &[Read], matches: &mut Vec<Match<'_>>) {
    let mut ranked: Vec<_> = std::mem::take(matches).into_iter().map(|m| (m.marks(words), m)).collect();
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

/// Keeps one finding where matches of one category overlap. `matches` come in order of category, start, longest first,
/// likeliest language, from `likely_languages`.
fn merge(words: &[Read], matches: Vec<Match<'_>>) -> Vec<Finding> {
    let mut kept: Vec<Finding> = Vec::new();
    let (mut crossing, whole): (Vec<_>, Vec<_>) = matches.into_iter().partition(|m| m.crosses);
    for m in &whole {
        match kept.last_mut() {
            Some(before) if Some(before.category) == m.phrase.category && m.start < before.end => {
                before.severity = before.severity.max(m.phrase.severity);
            }
            _ => kept.extend(m.finding(words)),
        }
    }
    // By their end, so that a match that reaches into later text comes after all that lie before it.
    crossing.sort_by_key(|m| (m.phrase.category, m.end, m.start, m.phrase.language));
    let mut free_from: Option<(Category, usize)> = None;
    let whole = kept.len();
    for m in &crossing {
        let Some(category) = m.phrase.category else { continue };
        let taken = free_from.is_some_and(|(of, end)| of == category && m.start < end);
        // The first `whole` are ordered by category and start, and their spans of one category do not overlap.
        let next = kept.get(..whole).map_or(0, |kept| kept.partition_point(|k| (k.category, k.end) <= (category, m.start)));
        let overlaps = next < whole && kept.get(next).is_some_and(|k| k.category == category && k.start < m.end);
        if !taken && !overlaps {
            kept.extend(m.finding(words));
            free_from = Some((category, m.end));
        }
    }
    kept.sort_by_key(|finding| (finding.start, finding.category, finding.end));
    kept
}
