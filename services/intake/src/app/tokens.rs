//! Tokens as intake keeps them.

use std::time::Duration;

use auth::{Principal, Role, Secret, token_hash};
use kernel::{Id, Time};

/// How long a visitor's token holds; the return phrase gives a new one.
pub const VISITOR_LIFE: Duration = Duration::from_secs(30 * 86_400);

/// A visitor's token and its row. It follows from the case and a nonce, so that a repeated call gives it again.
pub struct VisitorToken {
    pub token: String,
    pub hash: Vec<u8>,
    pub id: Id,
    pub principal: Principal,
    pub expires_at: Time,
}

pub fn visitor_token(secret: &Secret, organisation: &str, visitor: Id, nonce: &str, now: Time) -> VisitorToken {
    let visitor = visitor.to_string();
    let token = secret.token("visitor token", &[&visitor, nonce]);
    VisitorToken {
        hash: token_hash(&token),
        id: Id::derived(&[b"visitor token", token.as_bytes()]),
        token,
        principal: Principal { role: Role::Visitor, id: visitor, organisation: organisation.to_owned(), clinics: Vec::new() },
        expires_at: now + VISITOR_LIFE,
    }
}

/// The words by which the visitor of `case` finds back, and what is stored of them.
pub fn phrase(secret: &Secret, case: Id) -> (String, Vec<u8>) {
    let phrase = auth::phrase_from(&secret.derive("return phrase", &[&case.to_string()]));
    let hash = phrase_hash(secret, &phrase);
    (phrase, hash)
}

/// Keyed, so that a stolen database gives no phrase away.
pub fn phrase_hash(secret: &Secret, phrase: &str) -> Vec<u8> {
    secret.derive("return phrase hash", &[&auth::normalise_phrase(phrase)]).to_vec()
}
