//! What went wrong, as a page that says what to do. Handlers return a [`Problem`]; the layer here shows it in the reader's language.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
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
    let response = next.run(request).await;
    let (Some(problem), Some(visit)) = (response.extensions().get::<Problem>().cloned(), visit) else { return response };
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
        path => path.to_owned(),
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
