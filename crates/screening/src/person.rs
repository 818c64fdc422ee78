//! Whom a phrase is about: the nearest word in or before it that names a person.

use crate::Person;
use crate::grammar::Role;
use crate::negation::Context;

/// How many words before a phrase are looked at.
const REACH: usize = 12;

impl Context<'_> {
    /// `before`: the phrase's own words name somebody else.
    pub fn person(&self, before: bool) -> Person {
        let end = if before { self.first } else { self.last + 1 };
        // "My chest hurts" is about the writer only if no "husband" turns up: "mannen min".
        let mut otherwise = Person::Unknown;
        for index in (self.first.saturating_sub(REACH)..end).rev() {
            let Some(roles) = self.roles(index) else { break };
            if roles.has(Role::Third) {
                return Person::Third;
            }
            if roles.has(Role::Relative) {
                let owned = index.checked_sub(1).and_then(|before| self.roles(before));
                if owned.is_some_and(|roles| roles.has(Role::Possessive)) {
                    return Person::Third;
                }
            }
            if roles.has(Role::First) {
                return Person::First;
            }
            if roles.has(Role::Possessive) {
                otherwise = Person::First;
            }
        }
        otherwise
    }
}
