//! What a browser and an authenticator say about a passkey (WebAuthn, level 2): whether it was said here, now, and with its owner there.

use serde::Deserialize;

/// What was asked of the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    ToMake,
    ToSignIn,
}

#[derive(Deserialize)]
struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(default, rename = "crossOrigin")]
    cross_origin: bool,
}

/// Whether the browser was asked this, with this challenge (as browsers write it), by a page of ours and not inside another site's.
pub fn said_here(client_data_json: &[u8], asked: Asked, challenge: &str, origin: &str) -> bool {
    let Ok(said) = serde_json::from_slice::<ClientData>(client_data_json) else { return false };
    let kind = match asked {
        Asked::ToMake => "webauthn.create",
        Asked::ToSignIn => "webauthn.get",
    };
    said.r#type == kind && said.challenge == challenge && said.origin == origin && !said.cross_origin
}

/// The name that passkeys of pages at this origin belong to: its host.
pub fn host(origin: &str) -> &str {
    let rest = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    rest.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit())).map_or(rest, |(host, _)| host)
}

/// What an authenticator says of itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Authenticator {
    /// How often it has signed; 0 if it does not count.
    pub count: u32,
    /// The id of the passkey that it has just made; empty if it has not.
    pub credential: Vec<u8>,
}

/// Somebody was there, and the authenticator made sure that it was its owner: by a finger, a face or a number.
const PRESENT_AND_VERIFIED: u8 = 0x01 | 0x04;
/// It says which passkey it has made.
const MADE: u8 = 0x40;
/// Bytes before a passkey's id: of the authenticator's kind, and of the id's length.
const KIND: usize = 16;

/// Reads what an authenticator says; None: it is unreadable, about another name than the one hashed, or its owner was not there.
pub fn authenticator(data: &[u8], name_hash: &[u8]) -> Option<Authenticator> {
    let (hash, rest) = data.split_at_checked(32)?;
    let (flags, rest) = rest.split_first()?;
    let (count, rest) = rest.split_first_chunk::<4>()?;
    if hash != name_hash || flags & PRESENT_AND_VERIFIED != PRESENT_AND_VERIFIED {
        return None;
    }
    let credential = if flags & MADE == 0 {
        Vec::new()
    } else {
        let (length, rest) = rest.get(KIND..)?.split_first_chunk::<2>()?;
        let id = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
        if id.is_empty() {
            return None;
        }
        id.to_vec()
    };
    Some(Authenticator { count: u32::from_be_bytes(*count), credential })
}

/// Whether a passkey that had signed `before` times may have signed `now` times: one that counts and does not go on was copied.
pub const fn goes_on(before: i64, now: u32) -> bool {
    (now == 0 && before == 0) || now as i64 > before
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn data(flags: u8, more: &[u8]) -> Vec<u8> {
        [&[7; 32][..], &[flags], &[0, 0, 0, 9], more].concat()
    }

    #[test]
    fn an_authenticator_counts_only_with_its_owner_there_and_for_our_name() {
        let made = [&[0; 16][..], &[0, 3], b"key", b"and what follows"].concat();
        assert_eq!(authenticator(&data(0x45, &made), &[7; 32]), Some(Authenticator { count: 9, credential: b"key".to_vec() }));
        assert_eq!(authenticator(&data(0x05, &[]), &[7; 32]), Some(Authenticator { count: 9, credential: Vec::new() }));
        for flags in [0x00, 0x01, 0x04, 0x40, 0x41] {
            assert_eq!(authenticator(&data(flags, &made), &[7; 32]), None, "{flags:x}");
        }
        assert_eq!(authenticator(&data(0x45, &made), &[8; 32]), None);
        assert_eq!(authenticator(&data(0x45, &[&[0; 16][..], &[0, 0]].concat()), &[7; 32]), None);
    }

    #[test]
    fn what_was_said_elsewhere_otherwise_or_in_a_frame_is_not_said_here() {
        let said = |json: &str| said_here(json.as_bytes(), Asked::ToSignIn, "abc", "https://chat.example");
        assert!(said(r#"{"type":"webauthn.get","challenge":"abc","origin":"https://chat.example","crossOrigin":false,"more":1}"#));
        for other in [
            r#"{"type":"webauthn.create","challenge":"abc","origin":"https://chat.example"}"#,
            r#"{"type":"webauthn.get","challenge":"abd","origin":"https://chat.example"}"#,
            r#"{"type":"webauthn.get","challenge":"abc","origin":"https://evil.example"}"#,
            r#"{"type":"webauthn.get","challenge":"abc","origin":"https://chat.example","crossOrigin":true}"#,
            "nonsense",
        ] {
            assert!(!said(other), "{other}");
        }
    }

    #[test]
    fn a_name_is_the_host_and_a_copy_shows() {
        for (origin, name) in [("https://chat.example", "chat.example"), ("http://localhost:8080", "localhost"), ("https://a.b:443", "a.b")]
        {
            assert_eq!(host(origin), name);
        }
        assert!(goes_on(0, 0) && goes_on(0, 1) && goes_on(4, 9));
        assert!(!goes_on(4, 4) && !goes_on(4, 3) && !goes_on(4, 0));
    }

    proptest! {
        #[test]
        fn nothing_that_an_authenticator_says_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = authenticator(&bytes, bytes.get(..32).unwrap_or_default());
            let _ = said_here(&bytes, Asked::ToMake, "", "");
        }
    }
}
