//! The installation's secret, and what is derived from it: tokens that can be given again without being stored, the
//! services' own tokens, sealed tokens, and keyed hashes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use kernel::{Error, Result, Time};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::SecureRandom;
use ring::{digest, hmac};

/// Shared by all services of an installation, at least 32 bytes. Never printed.
#[derive(Clone)]
pub struct Secret {
    key: hmac::Key,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    pub fn new(bytes: &[u8]) -> Result<Self> {
        if bytes.len() < 32 {
            return Err(Error::invalid("secret", "must have at least 32 bytes; make one with `openssl rand -hex 32`"));
        }
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, bytes) })
    }

    /// 64 hexadecimal digits of fresh randomness, for a new installation.
    pub fn generate() -> Result<String> {
        let mut bytes = [0_u8; 32];
        ring::rand::SystemRandom::new().fill(&mut bytes).map_err(|_| Error::unavailable("the machine gives no randomness"))?;
        Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// 256 bits that follow from `purpose` and `parts` for those who know the secret, and from nothing for others.
    pub fn derive(&self, purpose: &str, parts: &[&str]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in std::iter::once(&purpose).chain(parts) {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part.as_bytes());
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }

    /// An opaque token of 256 bits that can be derived again from the same parts.
    pub fn token(&self, purpose: &str, parts: &[&str]) -> String {
        BASE64.encode(self.derive(purpose, parts))
    }

    /// A service's own token, valid until `until`.
    pub fn service_token(&self, service: &str, until: Time) -> String {
        let until = until.secs().to_string();
        format!("service.{service}.{until}.{}", self.token("service", &[service, &until]))
    }

    /// The service that a token of `service_token` names, if it is genuine and not over.
    pub fn check_service_token(&self, token: &str, now: Time) -> Option<String> {
        let mut parts = token.strip_prefix("service.")?.splitn(3, '.');
        let (service, until, given) = (parts.next()?, parts.next()?, parts.next()?);
        let given = BASE64.decode(given).ok()?;
        let mut context = hmac::Context::with_key(&self.key);
        for part in ["service", service, until] {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part.as_bytes());
        }
        let same = same(context.sign().as_ref(), &given);
        (same && until.parse::<i64>().ok()? >= now.secs()).then(|| service.to_owned())
    }

    fn sealing_key(&self, purpose: &str) -> Result<LessSafeKey> {
        let key = self.derive("seal", &[purpose]);
        Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).map_err(|_| Error::internal("no sealing key"))?))
    }

    /// A token that only this installation can read, for `purpose` and nothing else. Its length tells next to nothing of the content's.
    pub fn seal(&self, purpose: &str, content: &[u8]) -> Result<String> {
        let mut nonce = [0_u8; NONCE_LEN];
        ring::rand::SystemRandom::new().fill(&mut nonce).map_err(|_| Error::unavailable("the machine gives no randomness"))?;
        let mut sealed = padded(content);
        self.sealing_key(purpose)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
            .map_err(|_| Error::internal("sealing failed"))?;
        Ok(BASE64.encode([&nonce[..], &sealed].concat()))
    }

    /// What `seal` was given; None if the token is not one of ours for this purpose.
    pub fn open(&self, purpose: &str, token: &str) -> Option<Vec<u8>> {
        let bytes = BASE64.decode(token).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let opened = self.sealing_key(purpose).ok()?.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?;
        let (length, content) = opened.split_first_chunk::<4>()?;
        content.get(..u32::from_le_bytes(*length) as usize).map(<[u8]>::to_vec)
    }
}

/// What is sealed is padded to a multiple of this.
const BLOCK: usize = 128;

/// The content's length, the content, and zeros: a position with one digit more must not make a longer token.
fn padded(content: &[u8]) -> Vec<u8> {
    let mut padded = (content.len() as u32).to_le_bytes().to_vec();
    padded.extend_from_slice(content);
    padded.resize(padded.len().next_multiple_of(BLOCK), 0);
    padded
}

/// Whether two texts are the same, in a time that tells only whether they are equally long.
#[allow(deprecated, reason = "the successor is not public; the comparison must take the same time whatever is compared")]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    ring::constant_time::verify_slices_are_equal(one, other).is_ok()
}

/// SHA-256.
pub fn hash(content: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, content).as_ref().to_vec()
}

/// What is stored of a token instead of the token.
pub fn token_hash(token: &str) -> Vec<u8> {
    hash(token.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_tokens_end_and_cannot_be_forged() {
        let secret = Secret::new(&[7; 32]).unwrap();
        let token = secret.service_token("intake", Time::from_secs(100));
        assert_eq!(secret.check_service_token(&token, Time::from_secs(100)).as_deref(), Some("intake"));
        assert_eq!(secret.check_service_token(&token, Time::from_secs(101)), None);
        assert_eq!(secret.check_service_token(&token.replace("intake", "triage"), Time::ZERO), None);
        assert_eq!(Secret::new(&[8; 32]).unwrap().check_service_token(&token, Time::ZERO), None);
    }

    #[test]
    fn sealed_tokens_open_only_for_their_purpose() {
        let secret = Secret::new(&[7; 32]).unwrap();
        let token = secret.seal("watch", b"content").unwrap();
        assert_eq!(secret.open("watch", &token).as_deref(), Some(&b"content"[..]));
        assert_eq!(secret.open("position", &token), None);
        let mut broken = token.clone();
        broken.replace_range(20..21, if &token[20..21] == "A" { "B" } else { "A" });
        assert_eq!(secret.open("watch", &broken), None);
        assert_eq!(secret.open("watch", "x"), None);
        assert_eq!(secret.seal("watch", b"9").unwrap().len(), secret.seal("watch", b"1000000").unwrap().len());
        for length in [0, 123, 124, 125, 1000] {
            let content = vec![7; length];
            assert_eq!(secret.open("watch", &secret.seal("watch", &content).unwrap()), Some(content));
        }
    }
}
