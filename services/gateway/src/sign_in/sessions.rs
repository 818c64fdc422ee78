//! Where one is signed in, and signing out of it.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use proto::access::{EndSessionsRequest, ListPasskeysRequest, ListPasskeysResponse, ListSessionsRequest, RevokeTokenRequest, Session};
use serde::Deserialize;

use crate::Gateway;
use crate::sign_in::oidc;
use crate::sign_in::passkeys::{self, Challenge};
use crate::web::session::set_staff;
use crate::web::{Form, Page, Problem, Staff, clock};

pub fn routes() -> Router<Gateway> {
    Router::new()
        .route("/sessions", get(show))
        .route("/sessions/end", post(end))
        .route("/sessions/end-others", post(end_others))
        .route("/sessions/end-all", post(end_all))
}

/// A session as its owner reads it.
struct Row {
    session: Session,
    way: String,
    begun: String,
    seen: String,
}

#[derive(Template)]
#[template(path = "sign_in/sessions.html")]
struct Sessions {
    page: Page,
    staff: Staff,
    rows: Vec<Row>,
    passkeys: Vec<passkeys::Row>,
    /// Whether the description allows passkeys.
    allowed: bool,
    asked: Challenge,
    /// What a passkey of theirs is made under.
    user: String,
    failed: bool,
}

#[derive(Deserialize)]
struct Wanted {
    /// There if a passkey could not be kept.
    #[serde(default)]
    passkey: String,
}

async fn show(State(gateway): State<Gateway>, page: Page, staff: Staff, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    let sessions = staff.calls.sign_in().list_sessions(ListSessionsRequest {}).await?.into_inner().sessions;
    let day = |stamp: Option<&prost_types::Timestamp>| {
        stamp.and_then(clock::zoned).map(|time| time.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default()
    };
    let rows = sessions.into_iter().map(|session| Row {
        way: way(&gateway, &page, &session.way),
        begun: day(session.begun_at.as_ref()),
        seen: day(session.seen_at.as_ref()),
        session,
    });
    // Who runs the region is not in its description.
    let kept = match staff.is_operator() {
        true => ListPasskeysResponse::default(),
        false => staff.calls.passkeys().list_passkeys(ListPasskeysRequest {}).await?.into_inner(),
    };
    let passkeys = kept.passkeys.into_iter().map(|passkey| passkeys::Row {
        added: day(passkey.added_at.as_ref()),
        used: day(passkey.used_at.as_ref()),
        passkey,
    });
    let shown = Sessions {
        rows: rows.collect(),
        passkeys: passkeys.collect(),
        allowed: kept.allowed,
        asked: passkeys::challenge(&gateway, &page)?,
        user: passkeys::user(&gateway, &staff),
        failed: !wanted.passkey.is_empty(),
        page: page.clone(),
        staff,
    };
    page.show(&shown)
}

/// How it began, in words: a sign-in service has a name of its own.
fn way(gateway: &Gateway, page: &Page, way: &str) -> String {
    match way {
        "demo" => page.say("way-demo").to_string(),
        "passkey" => page.say("way-passkey").to_string(),
        "code" => page.say("way-code").to_string(),
        "invitation" => page.say("way-invitation").to_string(),
        name => gateway.provider(name).map_or_else(|| name.to_owned(), |provider| provider.settings.label.clone()),
    }
}

#[derive(Deserialize)]
struct Ended {
    session: String,
}

async fn end(page: Page, staff: Staff, Form(ended): Form<Ended>) -> Result<Response, Problem> {
    staff.calls.access().revoke_token(RevokeTokenRequest { request_id: String::new(), token_id: ended.session }).await?;
    Ok(page.then("/sessions", &staff.calls))
}

async fn end_others(page: Page, staff: Staff) -> Result<Response, Problem> {
    staff.calls.sign_in().end_sessions(EndSessionsRequest { keep_current: true }).await?;
    Ok(page.then("/sessions", &staff.calls))
}

async fn end_all(State(gateway): State<Gateway>, staff: Staff) -> Result<Response, Problem> {
    staff.calls.sign_in().end_sessions(EndSessionsRequest { keep_current: false }).await?;
    let mut response = Redirect::to("/sign-in?out=1").into_response();
    set_staff(&gateway, &mut response, "");
    oidc::forget(&gateway, &mut response);
    Ok(response)
}
