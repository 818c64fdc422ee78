//! No other site makes a browser post here: the request must come from these pages (Sec-Fetch-Site, Origin), and carry a form token
//! that was made for this browser. Bodies are read here, once, and never more than [`LIMIT`]; only a form with files is read as it
//! comes in, by [`Upload`](super::Upload) or [`Written`](super::Written), which check its token.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::Gateway;
use crate::web::{Problem, Visit, upload};

/// Bytes of a posted form: the longest text of a conversation, percent-encoded, and some more.
const LIMIT: usize = 64 * 1024;
/// What form tokens are sealed for. Each is sealed anew, so that no compressed page gives one away bit by bit.
pub const PURPOSE: &str = "form";

#[derive(Deserialize)]
struct Carried {
    #[serde(default)]
    form_token: String,
}

pub async fn layer(State(gateway): State<Gateway>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    match checked(&gateway, request).await {
        Ok(request) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn checked(gateway: &Gateway, request: Request) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        return Err(Problem::method());
    }
    if !from_here(&gateway.settings().public_url, &parts.headers) {
        return Err(Problem::forged());
    }
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("multipart/form-data") && upload::takes(parts.uri.path()) {
        return Ok(Request::from_parts(parts, body));
    }
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(Problem::kind());
    }
    let body = to_bytes(body, LIMIT).await.map_err(|_| Problem::too_large())?;
    let copy = Request::from_parts(parts.clone(), Body::from(body.clone()));
    let carried = axum::Form::<Carried>::from_request(copy, &()).await.map_err(|_| Problem::invalid())?.0;
    let visit = parts.extensions.get::<Visit>().ok_or_else(Problem::forged)?;
    let made_for = gateway.secret().open(PURPOSE, &carried.form_token).ok_or_else(Problem::forged)?;
    if made_for != visit.form_key.as_bytes() {
        return Err(Problem::forged());
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// Whether a page of ours sends this. Every browser says one of the two; who says neither is refused.
fn from_here(public_url: &str, headers: &HeaderMap) -> bool {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::HeaderName::from_static("sec-fetch-site")).is_some_and(|site| site != "same-origin") {
        return false;
    }
    let Some(origin) = text(header::ORIGIN) else {
        return text(header::HeaderName::from_static("sec-fetch-site")).is_some();
    };
    if public_url.is_empty() {
        origin.split_once("://").is_some_and(|(_, host)| Some(host) == text(header::HOST))
    } else {
        origin == public_url.trim_end_matches('/')
    }
}
