//! Keys by which somebody plays the visitor at a door. A key says which door and how long; nobody can make one, and nothing is
//! kept of it.

use std::time::Duration;

use auth::Secret;
use kernel::{Error, Result, Time};

/// A working day.
const LIFE: Duration = Duration::from_secs(12 * 3600);
const PURPOSE: &str = "practice";

/// A key for this door, and when it ends.
pub fn key(secret: &Secret, door: &str, now: Time) -> Result<(String, Time)> {
    let until = now + LIFE;
    Ok((secret.seal(PURPOSE, format!("{}/{door}", until.secs()).as_bytes())?, until))
}

/// Errors: a key of another door, or one that is over.
pub fn check(secret: &Secret, key: &str, door: &str, now: Time) -> Result<()> {
    let opened = secret.open(PURPOSE, key).and_then(|bytes| String::from_utf8(bytes).ok());
    let fits = opened
        .as_deref()
        .and_then(|content| content.split_once('/'))
        .is_some_and(|(until, for_door)| for_door == door && until.parse::<i64>().is_ok_and(|until| now.secs() < until));
    if fits {
        Ok(())
    } else {
        Err(Error::precondition("PRACTICE_KEY_OVER", "the key is over, or for another door; ask staff of the clinic for one"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_its_own_door_until_it_ends() {
        let secret = Secret::new(&[7; 32]).unwrap();
        let now = Time::from_secs(1000);
        let (key, until) = key(&secret, "door", now).unwrap();
        assert!(check(&secret, &key, "door", now).is_ok());
        assert!(check(&secret, &key, "other", now).is_err());
        assert!(check(&secret, &key, "door", until).is_err());
        assert!(check(&secret, "nonsense", "door", now).is_err());
        assert!(check(&Secret::new(&[8; 32]).unwrap(), &key, "door", now).is_err());
    }
}
