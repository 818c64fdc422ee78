//! How staff get a session: with a sign-in service, by an invitation and codes by e-mail or passkeys, or, in a demo, with one click.

mod codes;
pub mod demo;
pub mod device;
mod invitation;
pub mod oidc;
mod passkeys;
mod sessions;
pub mod settings;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use proto::access::{DemoLogin, PrincipalKind, SessionChoice};
use serde::Deserialize;

use crate::Gateway;
use crate::web::session::set_staff;
use crate::web::{Form, Page, Problem, Staff};

pub fn routes() -> Router<Gateway> {
    Router::new()
        .route("/sign-in", get(choose).post(sign_in))
        .route("/sign-out", post(sign_out))
        .merge(oidc::routes())
        .merge(codes::routes())
        .merge(invitation::routes())
        .merge(passkeys::routes())
        .merge(sessions::routes())
}

/// A session that has just begun.
pub struct Session {
    pub token: String,
    pub kind: PrincipalKind,
}

#[derive(Deserialize)]
struct Wanted {
    /// A path of ours to go on to.
    #[serde(default)]
    to: String,
    /// There if somebody has just signed out.
    #[serde(default)]
    out: String,
    /// What is wrong with a code, or with the address for one.
    #[serde(default)]
    code: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    page: Page,
    /// Sign-in services: address and name.
    services: Vec<(String, String)>,
    logins: Vec<DemoLogin>,
    /// Whether there are codes by e-mail.
    codes: bool,
    /// The key of what was wrong with the last one; empty: nothing.
    wrong: &'static str,
    /// Asks the browser for a passkey.
    asked: passkeys::Challenge,
    /// Whether the last passkey was none of ours.
    passkey_wrong: bool,
    to: String,
    out: bool,
}

async fn choose(State(gateway): State<Gateway>, page: Page, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    let logins = if page.demo() { demo::logins(&gateway).await? } else { Vec::new() };
    let services = oidc::offered(&gateway, &wanted.to);
    let codes = codes::offered(&gateway).await;
    let wrong = codes::wrong(&wanted.code);
    let shown = SignIn {
        services,
        logins,
        codes,
        wrong,
        asked: passkeys::challenge(&gateway, &page)?,
        passkey_wrong: wanted.code == "passkey",
        to: wanted.to,
        out: !wanted.out.is_empty(),
        page: page.clone(),
    };
    page.show(&shown)
}

#[derive(Template)]
#[template(path = "sign_in/choose.html")]
struct Choose {
    page: Page,
    choices: Vec<SessionChoice>,
    /// Where the choice goes, with what was proved so far: a field's name and its value.
    action: &'static str,
    kept: (&'static str, String),
    to: String,
}

#[derive(Deserialize)]
struct Chosen {
    organisation: String,
    worker: String,
    #[serde(default)]
    to: String,
}

async fn sign_in(State(gateway): State<Gateway>, headers: HeaderMap, Form(chosen): Form<Chosen>) -> Result<Response, Problem> {
    let session = demo::sign_in(&gateway, &chosen.organisation, &chosen.worker, device::name(&headers)).await?;
    Ok(enter(&gateway, &session, &chosen.to))
}

/// Gives a browser that has just posted here its session, and leads on.
fn enter(gateway: &Gateway, session: &Session, to: &str) -> Response {
    let mut response = Redirect::to(destination(session, to)).into_response();
    set_staff(gateway, &mut response, &session.token);
    // By which service somebody came in here before says nothing of this session.
    oidc::forget(gateway, &mut response);
    response
}

/// Where a session begins: where they wanted to, if that is ours.
fn destination<'a>(session: &Session, to: &'a str) -> &'a str {
    if is_ours(to) {
        return to;
    }
    match session.kind {
        PrincipalKind::Leader => "/leader",
        PrincipalKind::Operator => "/region",
        _ => "/staff",
    }
}

#[derive(Template)]
#[template(path = "sign_in/welcome.html")]
struct Welcome {
    page: Page,
    to: String,
}

/// Gives the browser its session and leads on by a page of ours: to somebody who comes from another site, browsers do not give the
/// session's cookie in the same breath.
pub fn welcome(gateway: &Gateway, page: &Page, session: &Session, to: &str) -> Result<Response, Problem> {
    let mut response = page.show(&Welcome { page: page.clone(), to: destination(session, to).to_owned() })?;
    set_staff(gateway, &mut response, &session.token);
    Ok(response)
}

#[derive(Template)]
#[template(path = "sign_in/out.html")]
struct Out {
    page: Page,
    label: String,
    address: String,
}

/// Ends the session, here and everywhere. Who has none is signed out already. Whether also at their sign-in service, they say themselves:
/// other programs may live by that.
async fn sign_out(
    State(gateway): State<Gateway>,
    page: Page,
    headers: HeaderMap,
    staff: Result<Staff, Problem>,
) -> Result<Response, Problem> {
    match staff {
        Ok(staff) => staff.end().await?,
        Err(problem) if problem == Problem::signed_out() => {}
        Err(problem) => return Err(problem),
    }
    let mut response = match oidc::leave(&gateway, &headers).await {
        Some((label, address)) => page.show(&Out { page: page.clone(), label, address })?,
        None => Redirect::to("/sign-in?out=1").into_response(),
    };
    set_staff(&gateway, &mut response, "");
    oidc::forget(&gateway, &mut response);
    Ok(response)
}

/// Where browsers find these pages, for addresses that lead back here. Without a public one we are on loopback, under the name that the
/// browser used and the gate has checked.
pub fn origin(gateway: &Gateway, headers: &HeaderMap) -> String {
    let public = gateway.settings().public_url.trim_end_matches('/');
    if public.is_empty() {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        format!("http://{host}")
    } else {
        public.to_owned()
    }
}

/// A path on this site, not another site's address that looks like one.
fn is_ours(to: &str) -> bool {
    to.starts_with('/') && !to.starts_with("//") && to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_is_led_on_within_this_site_only() {
        assert!(super::is_ours("/staff/case?x=1"));
        for elsewhere in ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb"] {
            assert!(!super::is_ours(elsewhere), "{elsewhere}");
        }
    }
}
