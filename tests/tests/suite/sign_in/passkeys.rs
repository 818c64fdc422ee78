//! Passkeys, with an authenticator of the tests' own: made by somebody who is in, a way in after it, and everything that may be wrong with
//! what a browser says of one.

use super::invitations::Browser;
use proto::access::{
    AcceptInvitationRequest, AddPasskeyRequest, InviteWorkerRequest, KeepSessionRequest, ListPasskeysRequest, ListStaffAccessRequest,
    NewSession, RemoveAccessRequest, RemovePasskeyRequest, SignInWithPasskeyRequest,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use samtal_tests::suite::{Person, Setup, Stack, TestSuite, eventually, refused, region_yaml};
use tonic::Code;

on_both_stacks!(a_passkey_lets_its_owner_in_and_nobody_else);

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const MADE: u8 = 0x40;

/// A device with one passkey.
struct Device {
    key: EcdsaKeyPair,
    credential: Vec<u8>,
    random: SystemRandom,
}

/// What a browser hands over.
struct Said {
    client_data_json: Vec<u8>,
    authenticator_data: Vec<u8>,
    signature: Vec<u8>,
}

impl Device {
    fn new(credential: &[u8]) -> Device {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap();
        Device { key, credential: credential.to_vec(), random }
    }

    fn public_key(&self) -> Vec<u8> {
        let head = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03,
            0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        [&head[..], self.key.public_key().as_ref()].concat()
    }

    fn says(&self, kind: &str, challenge: &[u8], origin: &str, flags: u8, count: u8) -> Said {
        let host = origin.split("://").nth(1).unwrap().split(':').next().unwrap();
        let mut authenticator_data = [auth::hash(host.as_bytes()).as_slice(), &[flags], &[0, 0, 0, count]].concat();
        if flags & MADE != 0 {
            let length = u16::try_from(self.credential.len()).unwrap().to_be_bytes();
            authenticator_data.extend([&[0; 16][..], &length, &self.credential, b"the key, as nobody reads it"].concat());
        }
        let challenge = auth::base64_url(challenge);
        let client_data_json = format!(r#"{{"type":"webauthn.{kind}","challenge":"{challenge}","origin":"{origin}"}}"#).into_bytes();
        let signed = [authenticator_data.as_slice(), &auth::hash(&client_data_json)].concat();
        let signature = self.key.sign(&self.random, &signed).unwrap().as_ref().to_vec();
        Said { client_data_json, authenticator_data, signature }
    }

    fn made(&self, challenge: &[u8], origin: &str) -> AddPasskeyRequest {
        let said = self.says("create", challenge, origin, PRESENT | VERIFIED | MADE, 0);
        AddPasskeyRequest {
            challenge: challenge.to_vec(),
            origin: origin.to_owned(),
            client_data_json: said.client_data_json,
            authenticator_data: said.authenticator_data,
            public_key: self.public_key(),
            device: "Firefox, Linux".into(),
        }
    }

    fn used(&self, challenge: &[u8], origin: &str, flags: u8, count: u8) -> SignInWithPasskeyRequest {
        let said = self.says("get", challenge, origin, flags, count);
        SignInWithPasskeyRequest {
            challenge: challenge.to_vec(),
            origin: origin.to_owned(),
            credential_id: self.credential.clone(),
            client_data_json: said.client_data_json,
            authenticator_data: said.authenticator_data,
            signature: said.signature,
            device: String::new(),
        }
    }
}

/// Somebody who has just taken an invitation up.
async fn invited(suite: &TestSuite, worker: &str) -> Person {
    let invite = InviteWorkerRequest { worker_id: worker.into(), email: "v@example.org".into(), without_mail: true, ..Default::default() };
    let link = suite.operator().invitations().invite_worker(invite).await.unwrap().into_inner().link;
    let request = AcceptInvitationRequest { invitation_token: link.rsplit('/').next().unwrap().into(), device: String::new() };
    let answer = suite.service("gateway").invitations().accept_invitation(request).await.unwrap().into_inner();
    suite.with_token(&answer.session.unwrap().token)
}

/// The value of a hidden field, or of a datum, in a page.
fn field<'p>(page: &'p str, mark: &str) -> &'p str {
    page.split(&format!("{mark}\"")).nth(1).expect(mark).split('"').next().unwrap()
}

async fn a_passkey_lets_its_owner_in_and_nobody_else(stack: Stack) {
    let suite = Setup::new(stack).pages(gateway::Settings::default()).start().await;
    let origin = format!("http://{}", suite.suite().http.unwrap());
    let (vera, device) = (invited(&suite, "alfa.vera").await, Device::new(b"vera's phone"));
    // What was made elsewhere, otherwise, without its owner, or of another kind is kept as no passkey.
    let good = device.made(b"challenge", &origin);
    let other = |change: &dyn Fn(&mut AddPasskeyRequest)| {
        let mut request = good.clone();
        change(&mut request);
        request
    };
    for (field, wrong) in [
        ("client_data_json", other(&|one| one.challenge = b"another".to_vec())),
        ("client_data_json", other(&|one| one.origin = "https://evil.example".into())),
        (
            "client_data_json",
            other(&|one| one.client_data_json = device.used(b"challenge", &origin, PRESENT | VERIFIED, 0).client_data_json),
        ),
        ("authenticator_data", other(&|one| one.authenticator_data[32] = PRESENT | MADE)),
        ("authenticator_data", other(&|one| one.authenticator_data.truncate(40))),
        ("public_key", other(&|one| one.public_key.truncate(80))),
    ] {
        let status = refused(vera.passkeys().add_passkey(wrong).await, Code::InvalidArgument, "INVALID_FIELD");
        assert!(status.message().contains(field), "{field}: {status:?}");
    }
    let passkey_id = vera.passkeys().add_passkey(good.clone()).await.unwrap().into_inner().passkey_id;
    refused(vera.passkeys().add_passkey(good).await, Code::AlreadyExists, "PASSKEY_KNOWN");
    let listed = vera.passkeys().list_passkeys(ListPasskeysRequest {}).await.unwrap().into_inner();
    assert!(listed.allowed && listed.passkeys.len() == 1 && listed.passkeys[0].device == "Firefox, Linux", "{listed:?}");

    let pages = suite.service("gateway");
    let sign_in = async |request: SignInWithPasskeyRequest| pages.passkeys().sign_in_with_passkey(request).await;
    let there = PRESENT | VERIFIED;
    let stranger = Device { credential: device.credential.clone(), ..Device::new(b"") };
    let mut tampered = device.used(b"c", &origin, there, 0);
    tampered.authenticator_data[36] = 9;
    let mut moved = device.used(b"c", &origin, there, 0);
    moved.origin = "https://evil.example".into();
    for wrong in [
        stranger.used(b"c", &origin, there, 0),
        Device::new(b"nobody's").used(b"c", &origin, there, 0),
        device.used(b"c", &origin, PRESENT, 0),
        device.used(b"c", &origin, VERIFIED, 0),
        SignInWithPasskeyRequest { challenge: b"d".to_vec(), ..device.used(b"c", &origin, there, 0) },
        SignInWithPasskeyRequest { origin: origin.clone(), ..device.used(b"c", "https://evil.example", there, 0) },
        tampered,
        moved,
    ] {
        refused(sign_in(wrong).await, Code::PermissionDenied, "PASSKEY_UNKNOWN");
    }
    refused(
        suite.service("triage").passkeys().sign_in_with_passkey(device.used(b"c", &origin, there, 1)).await,
        Code::PermissionDenied,
        "NOT_ALLOWED",
    );
    let session: NewSession = sign_in(device.used(b"c", &origin, there, 5)).await.unwrap().into_inner().session.unwrap();
    let by_key = suite.with_token(&session.token);
    assert_eq!(by_key.access().keep_session(KeepSessionRequest {}).await.unwrap().into_inner().principal.unwrap().id, "alfa.vera");
    // One that counts and does not go on was copied.
    refused(sign_in(device.used(b"c", &origin, there, 5)).await, Code::PermissionDenied, "PASSKEY_UNKNOWN");

    // By the pages: a challenge is this browser's, and counts once.
    let mut browser = Browser::new(&suite);
    let (_, page) = browser.get("/sign-in").await;
    let challenge = field(&page, "data-challenge=").to_owned();
    let used = device.used(challenge.as_bytes(), &origin, there, 6);
    let form = [
        ("form_token", crate::pages::form_token(&page).to_owned()),
        ("sealed", field(&page, "name=\"sealed\" value=").to_owned()),
        ("credential", auth::base64_url(&used.credential_id)),
        ("client_data", auth::base64_url(&used.client_data_json)),
        ("authenticator_data", auth::base64_url(&used.authenticator_data)),
        ("signature", auth::base64_url(&used.signature)),
    ];
    let form = |token: &str| {
        form.iter()
            .map(|(name, value)| format!("{name}={}", if *name == "form_token" { token } else { value }))
            .collect::<Vec<_>>()
            .join("&")
    };
    let mut thief = Browser::new(&suite);
    let (_, his) = thief.get("/sign-in").await;
    let (head, _) = thief.request("POST", "/sign-in/passkey", &form(crate::pages::form_token(&his))).await;
    assert!(head.starts_with("HTTP/1.1 400"), "another browser's: {head}");
    let token = crate::pages::form_token(&page).to_owned();
    let (head, _) = browser.request("POST", "/sign-in/passkey", &form(&token)).await;
    assert!(head.contains("location: /staff"), "{head}");
    assert!(browser.get("/sessions").await.1.contains("Signed in with: passkey"));
    let (head, _) = browser.request("POST", "/sign-in/passkey", &form(&token)).await;
    assert!(head.starts_with("HTTP/1.1 400"), "a second time: {head}");

    // Nobody else removes it; its owner does, and the leader takes everything of hers away.
    let remove = RemovePasskeyRequest { request_id: String::new(), passkey_id };
    refused(invited(&suite, "alfa.bo").await.passkeys().remove_passkey(remove.clone()).await, Code::NotFound, "NOT_FOUND");
    vera.passkeys().remove_passkey(remove).await.unwrap();
    refused(sign_in(device.used(b"c", &origin, there, 7)).await, Code::PermissionDenied, "PASSKEY_UNKNOWN");
    let second = Device::new(b"vera's second");
    vera.passkeys().add_passkey(second.made(b"x", &origin)).await.unwrap();
    let lea = suite.leader("alfa.lea").await;
    let staff = lea.invitations().list_staff_access(ListStaffAccessRequest::default()).await.unwrap().into_inner().staff;
    assert_eq!(staff.iter().find(|one| one.worker_id == "alfa.vera").unwrap().passkeys, 1);
    lea.invitations().remove_access(RemoveAccessRequest { request_id: String::new(), worker_id: "alfa.vera".into() }).await.unwrap();
    refused(sign_in(second.used(b"c", &origin, there, 0)).await, Code::PermissionDenied, "PASSKEY_UNKNOWN");
    let ended =
        async || by_key.access().keep_session(KeepSessionRequest {}).await.err().filter(|status| status.code() == Code::Unauthenticated);
    eventually("her sessions are over", ended).await;

    // Where the description does not allow it, a passkey is neither made nor used.
    let bo = invited(&suite, "alfa.bo").await;
    let third = Device::new(b"bo's");
    bo.passkeys().add_passkey(third.made(b"x", &origin)).await.unwrap();
    suite.apply(&region_yaml().replace("  invitations: code\n", "")).await;
    refused(sign_in(third.used(b"c", &origin, there, 0)).await, Code::PermissionDenied, "PASSKEY_UNKNOWN");
    refused(bo.passkeys().add_passkey(Device::new(b"more").made(b"x", &origin)).await, Code::FailedPrecondition, "NO_INVITATIONS");
}
