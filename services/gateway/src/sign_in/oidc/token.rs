//! Whether an ID token says what it must: signed by the service, for us, for this very sign-in, now.

use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use super::claims::Claims;
use crate::sign_in::settings::{self, Provider};

/// What a token must say.
pub struct Expected<'a> {
    pub settings: &'a Provider,
    pub nonce: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Signed with a key that is not among those we know.
    UnknownKey,
    /// Anything else; the text holds nothing of the token.
    Wrong(&'static str),
}

impl Fault {
    pub const fn text(self) -> &'static str {
        match self {
            Self::UnknownKey => "its token is signed with a key that it does not show",
            Self::Wrong(text) => text,
        }
    }
}

/// The claims of a token that holds in every respect (OpenID Connect Core, 3.1.3.7).
pub fn check(token: &str, keys: &JwkSet, expected: &Expected<'_>) -> Result<Claims, Fault> {
    super::ring::install();
    let settings = expected.settings;
    let header = jsonwebtoken::decode_header(token).map_err(|_| Fault::Wrong("its token cannot be read"))?;
    if !settings.algorithms.iter().any(|one| algorithm(*one) == header.alg) {
        return Err(Fault::Wrong("its token is signed in a way that the settings do not allow"));
    }
    let fits = |key: &&Jwk| header.kid.is_none() || key.common.key_id == header.kid;
    let signs = |key: &&Jwk| key.common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let mut candidates = keys.keys.iter().filter(signs).filter(fits).peekable();
    if candidates.peek().is_none() {
        return Err(Fault::UnknownKey);
    }
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[&settings.client_id]);
    validation.set_issuer(&[&settings.issuer]);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    // By business time, below.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let decoded = candidates.find_map(|key| {
        let key = DecodingKey::from_jwk(key).ok()?;
        match jsonwebtoken::decode::<Claims>(token, &key, &validation) {
            // Without a key's name, another key may be the right one.
            Err(error) if matches!(error.kind(), jsonwebtoken::errors::ErrorKind::InvalidSignature) => None,
            other => Some(other),
        }
    });
    let claims = match decoded {
        None => return Err(Fault::UnknownKey),
        Some(Err(error)) => return Err(Fault::Wrong(why(error.kind()))),
        Some(Ok(decoded)) => decoded.claims,
    };
    let skew = i64::from(settings.clock_skew_seconds);
    let number = |name: &str| claims.get(name).and_then(Value::as_f64).map(|seconds| seconds as i64);
    if number("exp").is_none_or(|until| until.saturating_add(skew) <= expected.now) {
        return Err(Fault::Wrong("its token is over"));
    }
    if ["nbf", "iat"].iter().filter_map(|name| number(name)).any(|from| from.saturating_sub(skew) > expected.now) {
        return Err(Fault::Wrong("its token holds from later on; the clocks differ"));
    }
    if claims.get("nonce").and_then(Value::as_str) != Some(expected.nonce) {
        return Err(Fault::Wrong("its token is for another sign-in"));
    }
    // For several parties at once, it must say that it was made for us.
    let several = claims.get("aud").and_then(Value::as_array).is_some_and(|all| all.len() > 1);
    let party = claims.get("azp").and_then(Value::as_str);
    if party.is_some_and(|party| party != settings.client_id) || (several && party.is_none()) {
        return Err(Fault::Wrong("its token was made for somebody else"));
    }
    Ok(claims)
}

const fn algorithm(allowed: settings::Algorithm) -> Algorithm {
    match allowed {
        settings::Algorithm::RS256 => Algorithm::RS256,
        settings::Algorithm::RS384 => Algorithm::RS384,
        settings::Algorithm::RS512 => Algorithm::RS512,
        settings::Algorithm::PS256 => Algorithm::PS256,
        settings::Algorithm::PS384 => Algorithm::PS384,
        settings::Algorithm::PS512 => Algorithm::PS512,
        settings::Algorithm::ES256 => Algorithm::ES256,
        settings::Algorithm::ES384 => Algorithm::ES384,
        settings::Algorithm::EdDSA => Algorithm::EdDSA,
    }
}

const fn why(kind: &jsonwebtoken::errors::ErrorKind) -> &'static str {
    use jsonwebtoken::errors::ErrorKind;
    match kind {
        ErrorKind::InvalidIssuer => "its token is another issuer's",
        ErrorKind::InvalidAudience => "its token is for somebody else",
        ErrorKind::MissingRequiredClaim(_) => "its token lacks a claim",
        ErrorKind::InvalidAlgorithm => "its key is for another kind of signature",
        _ => "its token cannot be read",
    }
}
