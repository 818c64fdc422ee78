//! Tells a clear denial ("no suicidal thoughts") from everything else. Anything not clear is no denial: the program
//! may only raise an alarm, never talk itself out of one.

use kernel::Language;

use crate::grammar::{Read, Role, Roles};

/// How many words around a phrase are looked at.
const REACH: usize = 8;

/// The sentence around a phrase.
pub(crate) struct Context<'a> {
    pub words: &'a [Read],
    /// First and last word of the phrase.
    pub first: usize,
    pub last: usize,
    pub language: Language,
}

impl Context<'_> {
    /// The roles of the word at `index`, if it lies in the phrase's sentence.
    pub fn roles(&self, index: usize) -> Option<Roles> {
        let read = self.words.get(index)?;
        (read.word.sentence == self.words.get(self.first)?.word.sentence).then(|| read.roles(self.language))
    }

    fn clause(&self, index: usize) -> Option<usize> {
        self.words.get(index).map(|read| read.word.clause)
    }

    /// Whether the phrase is clearly denied.
    pub fn is_denied(&self) -> bool {
        if self.is_taken_back() {
            return false;
        }
        match self.negator_before() {
            Some(negator) => !self.is_doubtful(negator),
            None => self.is_negated_after() && !self.is_doubtful(self.first),
        }
    }

    /// "Not suicidal, but ...", "not yet": what follows takes the denial back.
    fn is_taken_back(&self) -> bool {
        (self.last + 1..=self.last + REACH + REACH).map_while(|index| self.roles(index)).any(|roles| roles.has(Role::Later))
    }

    /// The negator in front, if only words stand between that do not change its meaning:
    /// "have not [been thinking about] suicide", but "cannot [stop] thinking about suicide".
    fn negator_before(&self) -> Option<usize> {
        let clause = self.clause(self.first);
        let mut only_nouns = true;
        for index in (0..self.first).rev().take(REACH) {
            let roles = self.roles(index)?;
            if self.clause(index) != clause {
                return None;
            }
            if roles.has(Role::Negator) || (roles.has(Role::None) && only_nouns) {
                return Some(index);
            }
            only_nouns &= roles.has(Role::Noun);
            if !roles.has(Role::Bridge) && !roles.has(Role::Noun) {
                return None;
            }
        }
        None
    }

    /// "Jag skadar mig själv inte.": Scandinavian main clauses may end in their negator.
    fn is_negated_after(&self) -> bool {
        let clause = self.clause(self.last);
        self.language != Language::English
            && self.roles(self.last + 1).is_some_and(|roles| roles.has(Role::Negator))
            && self.clause(self.last + 1) == clause
            && self.clause(self.last + 2) != clause
    }

    /// Words of doubt or a second negator in the clause before `index`: "don't know why I don't", "can't promise not to".
    fn is_doubtful(&self, index: usize) -> bool {
        let clause = self.clause(index);
        (0..index)
            .rev()
            .take(REACH)
            .map_while(|index| self.roles(index).filter(|_| self.clause(index) == clause))
            .any(|roles| roles.has(Role::Doubt) || ((roles.has(Role::Negator) || roles.has(Role::None)) && !roles.has(Role::Answer)))
    }
}
