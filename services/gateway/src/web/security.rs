//! Headers that every answer carries, and the names under which these pages answer at all.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::Gateway;
use crate::web::Problem;

/// Nothing runs, shows or connects but what these pages bring themselves.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors ";
/// Pages below here may be framed by the sites that the settings name.
pub const WIDGET: &str = "/w/";
/// The one page of staff's that frames others of ours, and those: conversations side by side.
const SIDE: &str = "/staff/side";
const BESIDE: &str = "/staff/c/";

/// `same-origin` and not `no-referrer`: with that one a browser posts forms with `Origin: null`.
const FIXED: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

pub async fn layer(State(gateway): State<Gateway>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let probe = matches!(path.as_str(), "/healthz" | "/readyz");
    let mut response = if probe || is_ours(&gateway, &request) { next.run(request).await } else { Problem::misdirected().into_response() };
    let headers = response.headers_mut();
    let framers = &gateway.settings().frame_ancestors;
    let outside = if path.starts_with(WIDGET) { framers.join(" ") } else { String::new() };
    let ancestors = match (path.as_str(), outside.as_str()) {
        (path, "") if path.starts_with(BESIDE) || of_conversation(path) == Some(true) => "'self'".to_owned(),
        (path, outside) if of_conversation(path) == Some(true) => format!("{outside} 'self'"),
        (path, outside) => {
            let outside = if outside.is_empty() { "'none'" } else { outside };
            let frames = path == SIDE || of_conversation(path) == Some(false);
            format!("{outside}{}", if frames { "; frame-src 'self'" } else { "" })
        }
    };
    // The settings were checked: without it nothing would be shown, rather than too much.
    let policy = HeaderValue::try_from(format!("{POLICY}{ancestors}")).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    // What somebody sent along has a stricter one of its own.
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    for (name, value) in FIXED {
        // Which other sites may read an answer, its own handler says.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if gateway.jar(&path).https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether a path of a visitor's conversation is that of the frame in its page with what is new; None: it is no such path.
fn of_conversation(path: &str) -> Option<bool> {
    let rest = path.strip_prefix("/w").unwrap_or(path).strip_prefix("/c/")?;
    Some(rest.ends_with("/news"))
}

/// Without a public address the pages are on loopback and answer to its names only: another site whose name leads here
/// (DNS rebinding) must not press the demo's buttons.
fn is_ours(gateway: &Gateway, request: &Request) -> bool {
    if !gateway.settings().public_url.is_empty() {
        return true;
    }
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit())).map_or(host, |(name, _)| name);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}
