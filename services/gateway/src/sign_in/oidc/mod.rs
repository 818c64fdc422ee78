//! Signing in with a sign-in service (OpenID Connect): authorization code with PKCE, state and nonce.
//!
//! What we remember while somebody is away there lies sealed in their own browser, so that any replica takes them back; that they come
//! back once only, a ticket says.

pub mod claims;
mod http;
pub mod provider;
mod ring;
mod token;

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use proto::access::BeginSessionRequest;
use serde::{Deserialize, Serialize};

use crate::Gateway;
use crate::sign_in::oidc::claims::Named;
use crate::sign_in::oidc::provider::{Begun, Code, Provider, encode};
use crate::sign_in::{self, Choose, Session, device};
use crate::web::cookies::Cookie;
use crate::web::session::set;
use crate::web::{Form, Page, Problem};

/// How long somebody may be away at the service, and how long the choice of whom to be may take.
const AWAY: Duration = Duration::from_secs(600);
/// What a sign-in that has begun, and a person who was named, are sealed for.
const BEGUN: &str = "sign-in begun";
const NAMED: &str = "sign-in named";
/// Seconds of the cookie that lets the service sign somebody out: as long as a session.
const PROVIDER_LIFE: i64 = 12 * 3600;
/// Bytes of an ID token that are kept for that; a longer one does not fit into a cookie.
const MAX_KEPT: usize = 2_400;
/// Where the service sends people back to.
const BACK: &str = "/sign-in/back";

pub fn routes() -> Router<Gateway> {
    Router::new().route("/sign-in/with/{provider}", get(begin)).route(BACK, get(back)).route("/sign-in/choose", post(choose))
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    to: String,
}

/// Off to the service.
async fn begin(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
    page: Page,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let provider = gateway.provider(&name).ok_or_else(Problem::not_found)?;
    let metadata = provider.metadata().await.map_err(|failed| trouble(provider, failed))?;
    let begun = Begun {
        provider: name,
        state: auth::Secret::generate()?,
        nonce: auth::Secret::generate()?,
        verifier: auth::Secret::generate()?,
        to: wanted.to.chars().take(500).collect(),
    };
    gateway.ephemeral().put_ticket(&ticket(&begun), "", AWAY).await;
    let address = provider.address(&metadata, &begun, &here(&gateway, &headers), page.language().code());
    let sealed = gateway.secret().seal(BEGUN, &serde_json::to_vec(&begun).map_err(|_| Problem::internal())?)?;
    let mut response = Redirect::to(&address).into_response();
    set(&mut response, gateway.jar("").write(Cookie::SignIn, &sealed, AWAY.as_secs() as i64));
    Ok(response)
}

fn ticket(begun: &Begun) -> String {
    format!("sign-in/{}", begun.state)
}

/// The address to come back to. Without a public one we are on loopback, under the name that the browser uses; it was checked.
fn here(gateway: &Gateway, headers: &HeaderMap) -> String {
    format!("{}{BACK}", sign_in::origin(gateway, headers))
}

#[derive(Deserialize)]
struct Returned {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    iss: Option<String>,
}

/// Back from the service.
async fn back(
    State(gateway): State<Gateway>,
    page: Page,
    Query(returned): Query<Returned>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let kept = gateway.jar("").read(&headers, Cookie::SignIn).and_then(|sealed| gateway.secret().open(BEGUN, &sealed));
    let begun: Begun = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(Problem::sign_in_over)?;
    if returned.state != begun.state || gateway.ephemeral().take_ticket(&ticket(&begun)).await.is_none() {
        return Err(Problem::sign_in_over());
    }
    let provider = gateway.provider(&begun.provider).ok_or_else(Problem::sign_in_over)?;
    if returned.iss.is_some_and(|issuer| issuer != provider.issuer()) {
        return Err(trouble(provider, "the answer is another service's"));
    }
    match returned.error.as_str() {
        "" if !returned.code.is_empty() => {}
        "access_denied" | "login_required" | "interaction_required" => return Err(Problem::sign_in_cancelled()),
        _ => return Err(trouble(provider, "it sent somebody back with an error")),
    }
    let redirect_uri = here(&gateway, &headers);
    let code = Code { code: &returned.code, verifier: &begun.verifier, nonce: &begun.nonce, redirect_uri: &redirect_uri };
    let proved = provider.prove(&code).await.map_err(|failed| trouble(provider, failed))?;
    let named = claims::named(&provider.settings, &proved.claims).ok_or_else(Problem::sign_in_unknown)?;
    let whom = Whom {
        provider: begun.provider.clone(),
        named,
        id_token: if proved.id_token.len() <= MAX_KEPT { proved.id_token } else { String::new() },
        to: begun.to,
        until: gateway.services().clock().now().secs() + AWAY.as_secs() as i64,
    };
    let mut response = enter(&gateway, &page, &whom, "", "", &headers).await?;
    set(&mut response, gateway.jar("").write(Cookie::SignIn, "", 0));
    Ok(response)
}

/// Somebody who was named, while they choose whom to be.
#[derive(Serialize, Deserialize)]
struct Whom {
    provider: String,
    #[serde(flatten)]
    named: Named,
    id_token: String,
    to: String,
    /// Seconds since 1970.
    until: i64,
}

#[derive(Deserialize)]
struct Chosen {
    whom: String,
    organisation: String,
    worker: String,
}

async fn choose(State(gateway): State<Gateway>, page: Page, headers: HeaderMap, Form(chosen): Form<Chosen>) -> Result<Response, Problem> {
    let whom = gateway.secret().open(NAMED, &chosen.whom).and_then(|bytes| serde_json::from_slice::<Whom>(&bytes).ok());
    let whom = whom.filter(|whom| gateway.services().clock().now().secs() <= whom.until).ok_or_else(Problem::sign_in_over)?;
    enter(&gateway, &page, &whom, &chosen.organisation, &chosen.worker, &headers).await
}

/// In, if the description knows them; if it knows several, they choose.
async fn enter(
    gateway: &Gateway,
    page: &Page,
    whom: &Whom,
    organisation: &str,
    worker: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let request = BeginSessionRequest {
        provider: whom.provider.clone(),
        subject: whom.named.subject.clone(),
        verified_email: whom.named.verified_email.clone(),
        within_organisation_ids: whom.named.within.clone(),
        organisation_id: organisation.to_owned(),
        worker_id: worker.to_owned(),
        may_lead: whom.named.may_lead,
        operator: whom.named.operator,
        device: device::name(headers),
    };
    let answer = gateway.services().sign_in()?.begin_session(request).await.map_err(|status| {
        let unknown = rpc::status::reason(&status).as_deref() == Some("NOT_DESCRIBED");
        if unknown { Problem::sign_in_unknown() } else { Problem::from(status) }
    })?;
    let answer = answer.into_inner();
    let Some(session) = answer.session else {
        let whom = gateway.secret().seal(NAMED, &serde_json::to_vec(whom).map_err(|_| Problem::internal())?)?;
        let kept = ("whom", whom);
        return page.show(&Choose { page: page.clone(), choices: answer.choices, action: "/sign-in/choose", kept, to: String::new() });
    };
    let mut response = sign_in::welcome(gateway, page, &Session { kind: session.kind(), token: session.token }, &whom.to)?;
    let kept = gateway.secret().seal(LEAVE, format!("{} {}", whom.provider, whom.id_token).as_bytes())?;
    set(&mut response, gateway.jar("").write(Cookie::Provider, &kept, PROVIDER_LIFE));
    Ok(response)
}

/// What lets somebody be signed out at the service too is sealed for this.
const LEAVE: &str = "sign-in leave";

/// Where somebody who signs out here can do so at their service, with its name; None: they came another way, or it offers no such thing.
pub async fn leave(gateway: &Gateway, headers: &HeaderMap) -> Option<(String, String)> {
    let kept = gateway.jar("").read(headers, Cookie::Provider).and_then(|sealed| gateway.secret().open(LEAVE, &sealed))?;
    let kept = String::from_utf8(kept).ok()?;
    let (name, id_token) = kept.split_once(' ')?;
    let provider = gateway.provider(name)?;
    // A service that does not answer keeps nobody signed in here.
    let metadata = provider.metadata().await.ok()?;
    let address = provider.leave(&metadata, id_token, &format!("{}/sign-in?out=1", sign_in::origin(gateway, headers)))?;
    Some((provider.settings.label.clone(), address))
}

/// The browser forgets by which service they came.
pub fn forget(gateway: &Gateway, response: &mut Response) {
    set(response, gateway.jar("").write(Cookie::Provider, "", 0));
}

/// The sign-in services to choose from: address and name.
pub fn offered(gateway: &Gateway, to: &str) -> Vec<(String, String)> {
    let query = if to.is_empty() { String::new() } else { format!("?to={}", encode(to)) };
    gateway.providers().map(|provider| (format!("/sign-in/with/{}{query}", provider.name), provider.settings.label.clone())).collect()
}

/// Says in the log what went wrong with the service, and to the person that it did.
fn trouble(provider: &Provider, failed: &'static str) -> Problem {
    tracing::warn!(provider = provider.name, failed, "nobody can sign in with this service right now");
    Problem::sign_in_provider()
}
