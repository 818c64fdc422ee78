//! Passkeys. A page gives a challenge, sealed for its browser and for minutes; the browser's script has the passkey made or used, and the
//! form is posted like any other. That a challenge counts once, the store of what may be forgotten says.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use proto::access::{AddPasskeyRequest, Passkey, RemovePasskeyRequest, SignInWithPasskeyRequest};
use serde::Deserialize;

use crate::Gateway;
use crate::sign_in::oidc::provider::encode;
use crate::sign_in::{self, Session, device};
use crate::web::{Form, Page, Problem, Staff};

/// How long a page with a challenge may lie open.
const LIFE: Duration = Duration::from_secs(1800);
const PURPOSE: &str = "passkey challenge";
/// Tries from one address of the net in ten minutes.
const TRIES: u32 = 60;
const WINDOW: Duration = Duration::from_secs(600);

pub fn routes() -> Router<Gateway> {
    Router::new()
        .route("/sign-in/passkey", post(enter))
        .route("/sessions/passkeys", post(add))
        .route("/sessions/passkeys/remove", post(remove))
}

/// What a form needs to ask a browser for a passkey.
pub struct Challenge {
    pub challenge: String,
    pub sealed: String,
}

pub fn challenge(gateway: &Gateway, page: &Page) -> Result<Challenge, Problem> {
    let challenge = auth::Secret::generate()?;
    let until = gateway.services().clock().now() + LIFE;
    let sealed = gateway.secret().seal(PURPOSE, format!("{challenge} {} {}", until.secs(), page.browser()).as_bytes())?;
    Ok(Challenge { challenge, sealed })
}

/// The challenge, if this browser got it from us, not too long ago, and has not used it.
async fn redeem(gateway: &Gateway, page: &Page, sealed: &str) -> Option<Vec<u8>> {
    let content = String::from_utf8(gateway.secret().open(PURPOSE, sealed)?).ok()?;
    let mut parts = content.splitn(3, ' ');
    let (challenge, until, browser) = (parts.next()?, parts.next()?.parse::<i64>().ok()?, parts.next()?);
    let holds = browser == page.browser() && gateway.services().clock().now().secs() <= until;
    let fresh = holds && gateway.ephemeral().allow(&format!("passkey:{challenge}"), 1, LIFE * 2).await.is_ok();
    fresh.then(|| challenge.as_bytes().to_vec())
}

/// What a passkey of this person is made under: the same for all of theirs, and readable by nobody.
pub fn user(gateway: &Gateway, staff: &Staff) -> String {
    gateway.secret().token("passkey user", &[&staff.organisation, &staff.id])
}

fn bytes(text: &str) -> Vec<u8> {
    auth::from_base64_url(text).unwrap_or_default()
}

#[derive(Deserialize)]
struct Used {
    sealed: String,
    credential: String,
    client_data: String,
    authenticator_data: String,
    signature: String,
    #[serde(default)]
    to: String,
}

async fn enter(State(gateway): State<Gateway>, page: Page, headers: HeaderMap, Form(used): Form<Used>) -> Result<Response, Problem> {
    let again = |wrong: &str| Redirect::to(&format!("/sign-in?code={wrong}&to={}", encode(&used.to))).into_response();
    if gateway.ephemeral().allow(&format!("passkey-try:{}", page.whence().key()), TRIES, WINDOW).await.is_err() {
        return Ok(again("wait"));
    }
    let challenge = redeem(&gateway, &page, &used.sealed).await.ok_or_else(Problem::sign_in_over)?;
    let request = SignInWithPasskeyRequest {
        challenge,
        origin: sign_in::origin(&gateway, &headers),
        credential_id: bytes(&used.credential),
        client_data_json: bytes(&used.client_data),
        authenticator_data: bytes(&used.authenticator_data),
        signature: bytes(&used.signature),
        device: device::name(&headers),
    };
    match gateway.services().passkeys()?.sign_in_with_passkey(request).await {
        Ok(answer) => {
            let session = answer.into_inner().session.ok_or_else(Problem::internal)?;
            Ok(sign_in::enter(&gateway, &Session { kind: session.kind(), token: session.token }, &used.to))
        }
        Err(status) if matches!(status.code(), tonic::Code::PermissionDenied | tonic::Code::InvalidArgument) => Ok(again("passkey")),
        Err(status) => Err(status.into()),
    }
}

#[derive(Deserialize)]
struct Made {
    sealed: String,
    client_data: String,
    authenticator_data: String,
    public_key: String,
}

async fn add(
    State(gateway): State<Gateway>,
    page: Page,
    staff: Staff,
    headers: HeaderMap,
    Form(made): Form<Made>,
) -> Result<Response, Problem> {
    let failed = || Redirect::to("/sessions?passkey=failed").into_response();
    let Some(challenge) = redeem(&gateway, &page, &made.sealed).await else { return Ok(failed()) };
    let request = AddPasskeyRequest {
        challenge,
        origin: sign_in::origin(&gateway, &headers),
        client_data_json: bytes(&made.client_data),
        authenticator_data: bytes(&made.authenticator_data),
        public_key: bytes(&made.public_key),
        device: device::name(&headers),
    };
    match staff.calls.passkeys().add_passkey(request).await {
        Ok(_) => Ok(page.then("/sessions", &staff.calls)),
        Err(status) => match status.code() {
            tonic::Code::InvalidArgument
            | tonic::Code::AlreadyExists
            | tonic::Code::FailedPrecondition
            | tonic::Code::ResourceExhausted => Ok(failed()),
            _ => Err(status.into()),
        },
    }
}

#[derive(Deserialize)]
struct Removed {
    passkey: String,
}

async fn remove(page: Page, staff: Staff, Form(removed): Form<Removed>) -> Result<Response, Problem> {
    let request = RemovePasskeyRequest { request_id: String::new(), passkey_id: removed.passkey };
    match staff.calls.passkeys().remove_passkey(request).await {
        // What has gone meanwhile is as gone as it should be.
        Err(status) if status.code() != tonic::Code::NotFound => Err(status.into()),
        _ => Ok(page.then("/sessions", &staff.calls)),
    }
}

/// One of somebody's passkeys, as they read it.
pub struct Row {
    pub passkey: Passkey,
    pub added: String,
    pub used: String,
}
