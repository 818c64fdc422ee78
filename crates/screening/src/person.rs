//! Whom a phrase is about: the nearest word in or before it that names a person.

use crate::Person;
use crate::grammar::Role;
use crate::negation::Context;

/// How many words before a phrase are looked at.
const REACH: usize = 12;

impl Context<'_> {
    pub fn person(&self) -> Person {
        for index in (self.first.saturating_sub(REACH)..=self.last).rev() {
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
            // "My chest hurts": the relatives of "my brother" have been met on the way here.
            if roles.has(Role::First) || roles.has(Role::Possessive) {
                return Person::First;
            }
        }
        Person::Unknown
    }
}
