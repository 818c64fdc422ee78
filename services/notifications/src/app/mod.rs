//! Load, decide, commit; and the places that talk to a mail server and to a provider of text messages.

pub mod away;
pub mod check;
pub mod deliver;
pub mod mail;
pub mod sender;
pub mod sms;
pub mod way_in;
