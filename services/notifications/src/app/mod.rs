//! Load, decide, commit; and the one place that talks to a mail server.

pub mod away;
pub mod check;
pub mod deliver;
pub mod mail;
pub mod sender;
