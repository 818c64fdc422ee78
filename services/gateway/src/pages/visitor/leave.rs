//! `/leave`: gone at once. What the browser keeps of these pages is taken away on the way out.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};

use crate::Gateway;
use crate::web::cookies::Cookie;
use crate::web::{Page, Problem};

const CLEAR: HeaderName = HeaderName::from_static("clear-site-data");

pub async fn leave(State(gateway): State<Gateway>, page: Page, headers: HeaderMap) -> Result<Response, Problem> {
    let mut response = Redirect::to(gateway.settings().leave_to()).into_response();
    // Another site that leads here takes nothing away.
    let elsewhere = headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
    if elsewhere {
        return Ok(response);
    }
    let jar = gateway.jar(page.path());
    for cookie in [Cookie::Visitor, Cookie::Form, Cookie::Language, Cookie::After] {
        if let Some(gone) = jar.write(cookie, "", 0) {
            response.headers_mut().append(header::SET_COOKIE, gone);
        }
    }
    // Pages are never cached, and to empty a cache takes browsers seconds.
    response.headers_mut().insert(CLEAR, HeaderValue::from_static("\"cookies\", \"storage\""));
    Ok(response)
}
