//! The mail itself.

use std::time::{Duration, UNIX_EPOCH};

use kernel::{Error, Id, Result, Time};
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use region::Mail;

use crate::domain::texts::Text;

/// The sender of an organisation that names none.
const DEFAULT_FROM: &str = "Samtal <noreply@localhost>";

/// A mail with this text. All that is known of the organisation here is its neutral sender.
pub fn message(id: Id, mail: &Mail, email: &str, text: Text, now: Time) -> Result<Message> {
    let wrong = |error: &dyn std::fmt::Display| Error::internal(format!("a mail cannot be written: {error}"));
    // What was applied before senders were checked must not stop a mail.
    let from: Mailbox = mail.from.parse().or_else(|_| DEFAULT_FROM.parse()).map_err(|error| wrong(&error))?;
    let to = email.parse().map_err(|error| wrong(&error))?;
    Message::builder()
        // The same on every try, so that a repetition can be recognised.
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        .date(UNIX_EPOCH + Duration::from_micros(now.micros().max(0) as u64))
        .from(from)
        .to(Mailbox::new(None, to))
        .subject(text.subject)
        // Holiday replies and the like stay away.
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .singlepart(SinglePart::plain(text.body))
        .map_err(|error| wrong(&error))
}
