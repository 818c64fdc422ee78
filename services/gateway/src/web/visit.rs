//! What is known of a request before any page looks at it: language, the browser's form key, the last change's position.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use kernel::Language;

use crate::Gateway;
use crate::web::Problem;
use crate::web::cookies::Cookie;
use crate::web::language;

/// A year, in seconds.
const LANGUAGE_LIFE: i64 = 31_536_000;

#[derive(Clone, Debug)]
pub struct Visit {
    pub language: Language,
    pub path: String,
    /// What stands after the path's `?`.
    pub query: String,
    /// What this browser's form tokens are made for.
    pub form_key: String,
    /// Whether the browser brought that key along, so that it keeps what it is given.
    pub returning: bool,
    /// The position of a change made moments ago.
    pub after: Option<String>,
    /// The door at which this browser plays the visitor, and the key to it.
    pub practice: Option<(String, String)>,
    /// Where the browser is, for the services' limits; None: nobody can say.
    pub address: Option<IpAddr>,
}

/// Puts the [`Visit`] into the request, and the cookies that follow from it into the answer.
pub async fn layer(State(gateway): State<Gateway>, mut request: Request, next: Next) -> Response {
    let jar = gateway.jar(request.uri().path());
    let headers = request.headers();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let asked = language::asked(request.uri()).filter(|_| request.method() == Method::GET);
    let kept = jar.read(headers, Cookie::Language).and_then(|code| Language::from_code(&code));
    let known = jar.read(headers, Cookie::Form);
    let form_key = match &known {
        Some(key) => key.clone(),
        None => match auth::Secret::generate() {
            Ok(key) => key,
            Err(error) => return axum::response::IntoResponse::into_response(Problem::from(error)),
        },
    };
    let visit = Visit {
        language: asked.or(kept).or_else(|| language::accepted(headers)).unwrap_or(Language::Swedish),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        form_key: form_key.clone(),
        returning: known.is_some(),
        after: jar.read(headers, Cookie::After),
        practice: jar.read(headers, Cookie::Practice).and_then(|kept| {
            let (door, key) = kept.split_once('~')?;
            Some((door.to_owned(), key.to_owned()))
        }),
        address: address(gateway.settings().proxies, headers, peer),
    };
    let written = asked.and_then(|language| jar.write(Cookie::Language, language.code(), LANGUAGE_LIFE));
    request.extensions_mut().insert(visit);
    let mut response = next.run(request).await;
    if let Some(cookie) = written {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    let is_page = response.headers().get(header::CONTENT_TYPE) == Some(&HeaderValue::from_static("text/html; charset=utf-8"));
    if let (true, None, Some(cookie)) = (is_page, known, jar.write(Cookie::Form, &form_key, 12 * 3600)) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Each proxy of ours appends to `X-Forwarded-For` whom it speaks with; what stands before that, the browser wrote itself.
fn address(proxies: usize, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<IpAddr> {
    let Some(before) = proxies.checked_sub(1) else { return peer };
    let lines = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
    let said: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    said.into_iter().rev().nth(before)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_our_own_proxies_append_is_believed() {
        let headers =
            HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), HeaderValue::from_static("192.0.2.1, 192.0.2.2, 2001:db8::3"))]);
        let peer: Option<IpAddr> = "127.0.0.1".parse().ok();
        let of = |proxies| address(proxies, &headers, peer).map(|address: IpAddr| address.to_string());
        assert_eq!(of(0).as_deref(), Some("127.0.0.1"));
        assert_eq!(of(1).as_deref(), Some("2001:db8::3"));
        assert_eq!(of(2).as_deref(), Some("192.0.2.2"));
        assert_eq!(of(4), None);
    }
}
