//! Load, decide, commit.

pub mod calendars;
pub mod change;
pub mod check;
pub mod hold;
pub mod timers;
