//! What went wrong, as a page that says what to do. Handlers return a [`Problem`]; the layer here shows it in the reader's language.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use kernel::error::Code;

use crate::Gateway;
use crate::web::{Page, Visit};

/// A refusal or failure. Its texts are `problem-<key>-title` and `problem-<key>-text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    key: &'static str,
}

impl Problem {
    const fn new(status: StatusCode, key: &'static str) -> Self {
        Self { status, key }
    }

    pub const fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found")
    }

    /// Nobody is signed in, or not any more.
    pub const fn signed_out() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "signed-out")
    }

    /// A sign-in that began too long ago, was used before, or began in another browser.
    pub const fn sign_in_over() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "sign-in-over")
    }

    pub const fn sign_in_cancelled() -> Self {
        Self::new(StatusCode::FORBIDDEN, "sign-in-cancelled")
    }

    /// The sign-in service does not do what it should.
    pub const fn sign_in_provider() -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "sign-in-provider")
    }

    /// The sign-in service knows them, and the region's description does not.
    pub const fn sign_in_unknown() -> Self {
        Self::new(StatusCode::FORBIDDEN, "sign-in-unknown")
    }

    pub const fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden")
    }

    /// The form does not come from a page of ours, or from one that is too old.
    pub const fn forged() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forged")
    }

    pub const fn invalid() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid")
    }

    /// The key by which somebody played the visitor is over.
    pub const fn practice_over() -> Self {
        Self::new(StatusCode::FORBIDDEN, "practice-over")
    }

    pub const fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large")
    }

    pub const fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "invalid")
    }

    pub const fn kind() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid")
    }

    pub const fn misdirected() -> Self {
        Self::new(StatusCode::MISDIRECTED_REQUEST, "misdirected")
    }

    pub const fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal")
    }

    const fn of(code: Code) -> Self {
        match code {
            Code::InvalidArgument => Self::invalid(),
            Code::NotFound => Self::not_found(),
            Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted => Self::new(StatusCode::CONFLICT, "changed"),
            Code::PermissionDenied => Self::forbidden(),
            Code::Unauthenticated => Self::signed_out(),
            Code::ResourceExhausted => Self::new(StatusCode::TOO_MANY_REQUESTS, "busy"),
            Code::Unavailable | Code::DeadlineExceeded => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Code::Unimplemented | Code::Internal => Self::internal(),
        }
    }
}

impl From<tonic::Status> for Problem {
    fn from(status: tonic::Status) -> Self {
        let problem = Self::of(rpc::status::error(&status).code);
        // Codes only: a message may quote what somebody wrote.
        tracing::debug!(code = ?status.code(), "a service refused");
        problem
    }
}

impl From<kernel::Error> for Problem {
    fn from(error: kernel::Error) -> Self {
        if error.code == Code::Internal {
            tracing::error!(reason = error.reason, "internal error");
        }
        Self::of(error.code)
    }
}

impl From<askama::Error> for Problem {
    fn from(error: askama::Error) -> Self {
        tracing::error!(%error, "a page cannot be made");
        Self::internal()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What axum itself could not make out of a request, and answers in plain English: an address that is none of ours, or a form that no
/// page of ours sends.
fn unread(response: &Response, reads: bool) -> Option<Problem> {
    let plain = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    match response.status() {
        _ if !plain => None,
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND if reads => Some(Problem::not_found()),
        StatusCode::PAYLOAD_TOO_LARGE => Some(Problem::too_large()),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Some(Problem::kind()),
        status if status.is_client_error() => Some(Problem::invalid()),
        _ => None,
    }
}

/// The page of ours on which a form stood: its path and query.
fn came_from(headers: &HeaderMap) -> Option<String> {
    let from: Uri = headers.get(header::REFERER)?.to_str().ok()?.parse().ok()?;
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let path = from.path_and_query().filter(|_| from.authority().is_some_and(|one| one.as_str() == host))?.as_str();
    // Two slashes would lead to another site.
    (path.starts_with('/') && !path.starts_with("//")).then(|| path.to_owned())
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    page: Page,
    title: String,
    text: String,
    /// Where one tries again; empty: what is not there will not be there the next time.
    again: String,
}

/// Shows problems. Staff who are signed out are led to where one signs in.
pub async fn layer(State(gateway): State<Gateway>, request: Request, next: Next) -> Response {
    let visit = request.extensions().get::<Visit>().cloned();
    let reads = request.method() == axum::http::Method::GET;
    let from = came_from(request.headers());
    let response = next.run(request).await;
    let (Some(problem), Some(visit)) = (response.extensions().get::<Problem>().cloned().or_else(|| unread(&response, reads)), visit) else {
        return response;
    };
    let staffs = ["/staff", "/leader", "/region", "/sessions"].iter().any(|path| visit.path.starts_with(path));
    if problem == Problem::signed_out() && reads && staffs {
        // A path is made of characters that are safe in a query, but for these.
        let to = visit.path.replace('&', "%26").replace('+', "%2B");
        return Redirect::to(&format!("/sign-in?to={to}")).into_response();
    }
    // A sign-in begins anew; its middle cannot be had twice.
    let again = match visit.path.as_str() {
        _ if problem.status == StatusCode::NOT_FOUND => String::new(),
        path if path.starts_with("/sign-in") => "/sign-in".to_owned(),
        path if reads => path.to_owned(),
        // Where a form leads, nobody can go by a link: back to the page that it stood on.
        _ => from.unwrap_or_default(),
    };
    let page = Page::new(&gateway, visit);
    let title = page.say(&format!("problem-{}-title", problem.key)).to_string();
    let text = page.say(&format!("problem-{}-text", problem.key)).to_string();
    let status = problem.status;
    match page.show(&ProblemPage { page: page.clone(), title, text, again }) {
        Ok(shown) => (status, shown).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn one_goes_back_to_pages_of_ours_only() {
        let from = |referer: &'static str| {
            let headers = [(header::HOST, "chat.example.org"), (header::REFERER, referer)];
            came_from(&headers.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect())
        };
        assert_eq!(from("https://chat.example.org/e/door/start?s=a-b_c").as_deref(), Some("/e/door/start?s=a-b_c"));
        for other in ["https://evil.example/e/door", "https://chat.example.org//evil.example", "chat.example.org/x", "/x", ""] {
            assert_eq!(from(other), None, "{other}");
        }
    }
}
