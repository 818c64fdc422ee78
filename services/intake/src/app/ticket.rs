//! The way back before there is a case: a ticket carries the id that the case will have, from which its words follow. Nothing is kept
//! until the case is opened, so the words open nothing before, and one id is one case.

use std::time::Duration;

use auth::Secret;
use kernel::{Error, Id, Result, Time};

/// How long one may write before the words must be offered anew.
pub const LIFE: Duration = Duration::from_secs(2 * 3600);

/// What tickets are sealed for.
const PURPOSE: &str = "return ticket";

/// A ticket for a case `id` at this door.
pub fn issue(secret: &Secret, entry_point: &str, id: Id, until: Time) -> Result<String> {
    secret.seal(PURPOSE, format!("{id} {} {entry_point}", until.secs()).as_bytes())
}

/// The id that the case gets. Errors: what is no ticket for this door, and one that is over.
pub fn redeem(secret: &Secret, entry_point: &str, ticket: &str, now: Time) -> Result<Id> {
    let strange = || Error::invalid("return_ticket", "is none that OfferReturnPhrase gave for this entry point");
    let content = secret.open(PURPOSE, ticket).and_then(|content| String::from_utf8(content).ok()).ok_or_else(strange)?;
    let mut parts = content.splitn(3, ' ');
    let (Some(id), Some(until), Some(door)) = (parts.next(), parts.next(), parts.next()) else { return Err(strange()) };
    let (Ok(id), Ok(until)) = (id.parse(), until.parse::<i64>()) else { return Err(strange()) };
    if door != entry_point {
        return Err(strange());
    }
    if until < now.secs() {
        return Err(Error::precondition("RETURN_TICKET_EXPIRED", "the words were offered too long ago; ask for new ones"));
    }
    Ok(id)
}

/// Words belong to one conversation.
pub fn used() -> Error {
    Error::precondition("RETURN_TICKET_USED", "a case was opened with these words already; ask for new ones")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_for_one_door_and_for_a_while() {
        let secret = Secret::new(&[7; 32]).unwrap();
        let (now, id) = (Time::from_secs(1_000), Id::derived(&[b"case"]));
        let ticket = issue(&secret, "door", id, now + LIFE).unwrap();
        assert_eq!(redeem(&secret, "door", &ticket, now + LIFE).unwrap(), id);
        assert_eq!(redeem(&secret, "door", &ticket, now + LIFE + Duration::from_secs(1)).unwrap_err().reason, "RETURN_TICKET_EXPIRED");
        let field = |door: &str, ticket: &str| redeem(&secret, door, ticket, now).unwrap_err().violations[0].field.clone();
        assert_eq!(field("other door", &ticket), "return_ticket");
        assert_eq!(field("door", "nonsense"), "return_ticket");
        let foreign = issue(&Secret::new(&[8; 32]).unwrap(), "door", id, now + LIFE).unwrap();
        assert_eq!(field("door", &foreign), "return_ticket");
    }
}
