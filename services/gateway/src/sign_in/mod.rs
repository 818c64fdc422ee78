//! How staff get a session. One way so far: the demo's logins. Another gives a token in the same way, and this page offers it.

pub mod demo;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use proto::access::{DemoLogin, PrincipalKind};
use serde::Deserialize;

use crate::Gateway;
use crate::web::session::set_staff;
use crate::web::{Form, Page, Problem, Staff};

pub fn routes() -> Router<Gateway> {
    Router::new().route("/sign-in", get(choose).post(sign_in)).route("/sign-out", post(sign_out))
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
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    page: Page,
    logins: Vec<DemoLogin>,
    to: String,
}

async fn choose(State(gateway): State<Gateway>, page: Page, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    let logins = if page.demo() { demo::logins(&gateway).await? } else { Vec::new() };
    page.show(&SignIn { page: page.clone(), logins, to: wanted.to })
}

#[derive(Deserialize)]
struct Chosen {
    organisation: String,
    worker: String,
    #[serde(default)]
    to: String,
}

async fn sign_in(State(gateway): State<Gateway>, Form(chosen): Form<Chosen>) -> Result<Response, Problem> {
    let session = demo::sign_in(&gateway, &chosen.organisation, &chosen.worker).await?;
    let home = if session.kind == PrincipalKind::Leader { "/leader" } else { "/staff" };
    let to = if is_ours(&chosen.to) { chosen.to.as_str() } else { home };
    let mut response = Redirect::to(to).into_response();
    set_staff(&gateway, &mut response, &session.token);
    Ok(response)
}

/// Ends the session, here and everywhere. Who has none is signed out already.
async fn sign_out(State(gateway): State<Gateway>, staff: Result<Staff, Problem>) -> Result<Response, Problem> {
    match staff {
        Ok(staff) => staff.end().await?,
        Err(problem) if problem == Problem::signed_out() => {}
        Err(problem) => return Err(problem),
    }
    let mut response = Redirect::to("/sign-in").into_response();
    set_staff(&gateway, &mut response, "");
    Ok(response)
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
