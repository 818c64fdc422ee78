//! Passkeys' signatures (WebAuthn): ECDSA over P-256 with SHA-256, the one kind that nearly every authenticator makes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

/// How the public key of a passkey of ours begins: an uncompressed point of P-256 follows.
const SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01,
    0x07, 0x03, 0x42, 0x00,
];
const POINT: usize = 65;

/// The point of a public key as browsers give it (SubjectPublicKeyInfo); None: it is of another kind.
pub fn passkey_point(public_key: &[u8]) -> Option<Vec<u8>> {
    let point = public_key.strip_prefix(SPKI.as_slice())?;
    (point.len() == POINT && point.first() == Some(&4)).then(|| point.to_vec())
}

/// Whether the holder of the key behind `point` signed what the authenticator and the browser said.
pub fn passkey_signed(point: &[u8], authenticator_data: &[u8], client_data_json: &[u8], signature: &[u8]) -> bool {
    let signed = [authenticator_data, &crate::hash(client_data_json)].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(&signed, signature).is_ok()
}

/// Bytes as browsers write a challenge.
pub fn base64_url(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// What [`base64_url`] wrote, or a browser.
pub fn from_base64_url(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

    use super::*;

    #[test]
    fn only_the_holder_of_the_key_signs_and_only_what_was_said() {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let point = passkey_point(&[&SPKI, key.public_key().as_ref()].concat()).unwrap();
        let said = [b"authenticator".as_slice(), &crate::hash(b"client")].concat();
        let signature = key.sign(&random, &said).unwrap();
        assert!(passkey_signed(&point, b"authenticator", b"client", signature.as_ref()));
        assert!(!passkey_signed(&point, b"authenticator", b"other", signature.as_ref()));
        assert!(!passkey_signed(&point, b"other", b"client", signature.as_ref()));
        assert!(!passkey_signed(&point, b"authenticator", b"client", b"nonsense"));
        assert!(!passkey_signed(&[4; 65], b"authenticator", b"client", signature.as_ref()));
    }

    #[test]
    fn a_key_of_another_kind_is_none() {
        for strange in [&[][..], &SPKI, &[SPKI.as_slice(), &[4; 64]].concat(), &[SPKI.as_slice(), &[2; 65]].concat(), &[0x30; 91]] {
            assert_eq!(passkey_point(strange), None);
        }
    }
}
