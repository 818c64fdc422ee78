//! Passkeys: what each call checks, before `app::passkeys` does it.

use kernel::Result;
use kernel::error::Violations;
use proto::access::passkey_service_server::PasskeyService;
use proto::access::{
    AddPasskeyRequest, AddPasskeyResponse, ListPasskeysRequest, ListPasskeysResponse, RemovePasskeyRequest, RemovePasskeyResponse,
    SignInWithPasskeyRequest, SignInWithPasskeyResponse,
};
use rpc::{Answer, Caller, caller, status};
use runtime::Node;
use tonic::{Request, Response};

use crate::app::passkeys;
use crate::app::sessions::{MAX_DEVICE, pages_only};

const MAX_ORIGIN: usize = 255;
const MAX_CHALLENGE: usize = 128;
/// Bytes of each other part of what a browser makes.
const MAX_PART: usize = 8 * 1024;

pub struct Passkeys {
    pub node: Node,
}

fn part(violations: &mut Violations, field: &str, bytes: &[u8], max: usize) {
    violations.check(!bytes.is_empty() && bytes.len() <= max, field, "must be there, and no longer than a browser makes it");
}

impl Passkeys {
    async fn add(&self, caller: Caller, request: AddPasskeyRequest) -> Result<Response<AddPasskeyResponse>> {
        let mut violations = Violations::default();
        violations.text("origin", &request.origin, MAX_ORIGIN);
        violations.optional_text("device", &request.device, MAX_DEVICE);
        part(&mut violations, "challenge", &request.challenge, MAX_CHALLENGE);
        part(&mut violations, "client_data_json", &request.client_data_json, MAX_PART);
        part(&mut violations, "authenticator_data", &request.authenticator_data, MAX_PART);
        part(&mut violations, "public_key", &request.public_key, MAX_PART);
        violations.done()?;
        passkeys::add(&self.node, caller, request).await
    }

    async fn remove(&self, caller: Caller, request: RemovePasskeyRequest) -> Result<Response<RemovePasskeyResponse>> {
        let mut violations = Violations::default();
        let id = violations.id("passkey_id", &request.passkey_id);
        violations.done()?;
        let once = caller.once(&request.request_id, &request)?;
        passkeys::remove(&self.node, caller, once, id).await
    }

    async fn sign_in(&self, caller: &Caller, request: SignInWithPasskeyRequest) -> Result<Response<SignInWithPasskeyResponse>> {
        let mut violations = Violations::default();
        violations.text("origin", &request.origin, MAX_ORIGIN);
        violations.optional_text("device", &request.device, MAX_DEVICE);
        part(&mut violations, "challenge", &request.challenge, MAX_CHALLENGE);
        part(&mut violations, "credential_id", &request.credential_id, MAX_PART);
        part(&mut violations, "client_data_json", &request.client_data_json, MAX_PART);
        part(&mut violations, "authenticator_data", &request.authenticator_data, MAX_PART);
        part(&mut violations, "signature", &request.signature, MAX_PART);
        violations.done()?;
        pages_only(caller)?;
        passkeys::sign_in(&self.node, caller, request).await
    }
}

#[tonic::async_trait]
impl PasskeyService for Passkeys {
    async fn add_passkey(&self, request: Request<AddPasskeyRequest>) -> Answer<AddPasskeyResponse> {
        let caller = caller(&request).map_err(status)?;
        self.add(caller, request.into_inner()).await.map_err(status)
    }

    async fn list_passkeys(&self, request: Request<ListPasskeysRequest>) -> Answer<ListPasskeysResponse> {
        let caller = caller(&request).map_err(status)?;
        passkeys::list(&self.node, &caller).await.map(Response::new).map_err(status)
    }

    async fn remove_passkey(&self, request: Request<RemovePasskeyRequest>) -> Answer<RemovePasskeyResponse> {
        let caller = caller(&request).map_err(status)?;
        self.remove(caller, request.into_inner()).await.map_err(status)
    }

    async fn sign_in_with_passkey(&self, request: Request<SignInWithPasskeyRequest>) -> Answer<SignInWithPasskeyResponse> {
        let caller = caller(&request).map_err(status)?;
        self.sign_in(&caller, request.into_inner()).await.map_err(status)
    }
}
