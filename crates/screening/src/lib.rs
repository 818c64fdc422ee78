//! Red-flag screening: finds phrases that mean danger to somebody in whatever a visitor writes, and knows which
//! telephone numbers to show for them.
//!
//! Pure and fast, because it runs before OK on every message. It only ever raises an alarm: it is an extra pair of
//! eyes beside people, and where it is in doubt it reports a finding. The word lists in `words/` are examples that a
//! region replaces by its own, reviewed by clinicians.
//!
//! How it works: a text is folded into plain letters without spaces (`fold`), one automaton finds all phrases of all
//! languages in it (`lists`), clear denials are put aside (`negation`), and each finding is marked with whom it is
//! about (`person`).

mod category;
mod finding;
mod fold;
mod grammar;
mod lists;
mod negation;
mod numbers;
mod parse;
mod person;
mod screen;

pub use category::Category;
pub use finding::{Finding, Person};
pub use numbers::{HelpNumber, numbers};
pub use screen::screen;
