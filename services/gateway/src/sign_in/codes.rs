//! Codes by e-mail. Whoever asks for one is told the same whether the address is known or not; a code works in the browser that asked for
//! it, by a cookie, and nowhere else. Every step is a form and a page, so that it needs no script and survives a reload.

use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use proto::access::{GetWaysInRequest, RequestCodeRequest, SignInWithCodeRequest};
use serde::Deserialize;

use crate::Gateway;
use crate::sign_in::oidc::provider::encode;
use crate::sign_in::{self, Choose, Session, device};
use crate::web::cookies::Cookie;
use crate::web::session::set;
use crate::web::{Form, Page, Problem};

/// Codes that one address of the net may ask for, and tries at codes, in ten minutes: a small organisation behind one has room.
const ASKS: u32 = 20;
const TRIES: u32 = 60;
const WINDOW: Duration = Duration::from_secs(600);
/// Seconds of the cookie: as long as a code.
const LIFE: i64 = 600;

pub fn routes() -> Router<Gateway> {
    Router::new()
        .route("/sign-in/code", get(show).post(ask))
        .route("/sign-in/enter", get(|| async { Redirect::to("/sign-in/code") }).merge(post(enter)))
}

/// Whether anybody's staff come in so. While nobody can say, nobody can come in either.
pub async fn offered(gateway: &Gateway) -> bool {
    match gateway.services().ways_in() {
        Ok(mut intake) => intake.get_ways_in(GetWaysInRequest {}).await.is_ok_and(|answer| answer.into_inner().codes),
        Err(_) => false,
    }
}

/// The key of what was wrong, from an address of ours: codes only, so that no address can put words into our mouth.
pub fn wrong(code: &str) -> &'static str {
    match code {
        "address" => "code-wrong-address",
        "over" => "code-wrong-over",
        "wait" => "code-wrong-wait",
        _ => "",
    }
}

/// Back to where one asks for a code.
fn again(wrong: &str, to: &str) -> Response {
    Redirect::to(&format!("/sign-in?code={wrong}&to={}", encode(to))).into_response()
}

#[derive(Deserialize)]
struct Asked {
    email: String,
    #[serde(default)]
    to: String,
}

async fn ask(State(gateway): State<Gateway>, page: Page, Form(asked): Form<Asked>) -> Result<Response, Problem> {
    if gateway.ephemeral().allow(&format!("code-ask:{}", page.whence().key()), ASKS, WINDOW).await.is_err() {
        return Ok(again("wait", &asked.to));
    }
    let request = RequestCodeRequest { email: asked.email, language: page.language().code().to_owned() };
    let sent = match gateway.services().ways_in()?.request_code(request).await {
        Ok(sent) => sent.into_inner(),
        Err(status) if status.code() == tonic::Code::InvalidArgument => return Ok(again("address", &asked.to)),
        Err(status) => return Err(status.into()),
    };
    let mut response = Redirect::to(&format!("/sign-in/code?to={}", encode(&asked.to))).into_response();
    set(&mut response, gateway.jar("").write(Cookie::Code, &sent.code_token, LIFE));
    Ok(response)
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    to: String,
    /// There if the last try was wrong.
    #[serde(default)]
    wrong: String,
}

#[derive(Template)]
#[template(path = "sign_in/code.html")]
struct Enter {
    page: Page,
    to: String,
    again: String,
    wrong: bool,
}

async fn show(State(gateway): State<Gateway>, page: Page, headers: HeaderMap, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    if gateway.jar("").read(&headers, Cookie::Code).is_none() {
        return Ok(Redirect::to(&format!("/sign-in?to={}", encode(&wanted.to))).into_response());
    }
    let again = format!("/sign-in?to={}", encode(&wanted.to));
    page.show(&Enter { page: page.clone(), again, to: wanted.to, wrong: !wanted.wrong.is_empty() })
}

#[derive(Deserialize)]
struct Typed {
    code: String,
    #[serde(default)]
    to: String,
    /// Of several whom the person may be, the one that they chose.
    #[serde(default)]
    organisation: String,
    #[serde(default)]
    worker: String,
}

async fn enter(State(gateway): State<Gateway>, page: Page, headers: HeaderMap, Form(typed): Form<Typed>) -> Result<Response, Problem> {
    let Some(code_token) = gateway.jar("").read(&headers, Cookie::Code) else { return Ok(again("over", &typed.to)) };
    if gateway.ephemeral().allow(&format!("code-try:{}", page.whence().key()), TRIES, WINDOW).await.is_err() {
        return Ok(again("wait", &typed.to));
    }
    let wrong = || Redirect::to(&format!("/sign-in/code?wrong=1&to={}", encode(&typed.to))).into_response();
    let request = SignInWithCodeRequest {
        code_token,
        code: typed.code.clone(),
        organisation_id: typed.organisation.clone(),
        worker_id: typed.worker.clone(),
        device: device::name(&headers),
    };
    let answer = match gateway.services().ways_in()?.sign_in_with_code(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => {
            return match rpc::status::reason(&status).as_deref() {
                Some("CODE_WRONG") => Ok(wrong()),
                Some("CODE_OVER") => Ok(again("over", &typed.to)),
                // Far too long, or nothing at all.
                _ if status.code() == tonic::Code::InvalidArgument => Ok(wrong()),
                _ => Err(status.into()),
            };
        }
    };
    let Some(session) = answer.session else {
        let kept = ("code", typed.code);
        return page.show(&Choose { page: page.clone(), choices: answer.choices, action: "/sign-in/enter", kept, to: typed.to });
    };
    let session = Session { kind: session.kind(), token: session.token };
    let mut response = sign_in::enter(&gateway, &session, &typed.to);
    set(&mut response, gateway.jar("").write(Cookie::Code, "", 0));
    Ok(response)
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_address_puts_no_words_into_our_mouth() {
        assert_eq!(super::wrong("<script>"), "");
        assert_eq!(super::wrong("over"), "code-wrong-over");
    }
}
