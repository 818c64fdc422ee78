//! Headers, forms, assets and languages.

use std::collections::BTreeMap;

use auth::Secret;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use ephemeral::Ephemeral;
use kernel::Clock;
use runtime::Peers;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::services::SERVICES;
use crate::{Gateway, Parts, Settings};

fn gateway(settings: Settings) -> Gateway {
    let secret = Secret::new(&[7; 32]).unwrap();
    let clock = Clock::system();
    // Nobody answers there.
    let peers: BTreeMap<String, String> = SERVICES.iter().map(|name| ((*name).to_owned(), "http://127.0.0.1:1".to_owned())).collect();
    let peers = Peers::new(&peers, secret.clone(), clock.clone()).unwrap();
    Gateway::build(Parts { settings, peers, ephemeral: Ephemeral::memory(clock), secret, shutdown: CancellationToken::new() }).unwrap()
}

pub fn demo() -> Gateway {
    gateway(Settings { demo: true, ..Settings::default() })
}

pub fn get(path: &str) -> axum::http::request::Builder {
    Request::get(path).header(header::HOST, "localhost:8080")
}

pub async fn send(gateway: &Gateway, request: Request<Body>) -> (Response<()>, String) {
    let (parts, body) = gateway.router().oneshot(request).await.unwrap().into_parts();
    let text = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    (Response::from_parts(parts, ()), text)
}

pub async fn page(gateway: &Gateway, path: &str) -> (Response<()>, String) {
    send(gateway, get(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let gateway = demo();
    let style = gateway.assets().address("app.css").to_owned();
    for path in ["/", "/design", "/healthz", "/readyz", "/status", "/sign-in", "/staff", "/leader", "/nothing", "/assets/x.css", &style] {
        let (answer, _) = page(&gateway, path).await;
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{path}: {policy}");
        assert!(!policy.contains("unsafe") && policy.ends_with("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(header("cache-control").contains("immutable"), path == style, "{path}");
    }
}

#[tokio::test]
async fn only_the_named_sites_frame_only_the_widget() {
    let framer = "https://www.example.org".to_owned();
    let gateway =
        gateway(Settings { public_url: "https://chat.example.org".into(), frame_ancestors: vec![framer.clone()], ..Settings::default() });
    let policy = async |path: &str| page(&gateway, path).await.0.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy("/w/door").await.ends_with(&format!("frame-ancestors {framer}")));
    assert!(policy("/").await.ends_with("frame-ancestors 'none'"));
    // A conversation's page frames what is new in it, there as here.
    assert!(policy("/c/1/news").await.ends_with("frame-ancestors 'self'"));
    assert!(policy("/w/c/1/news").await.ends_with(&format!("frame-ancestors {framer} 'self'")));
    assert!(policy("/c/1").await.ends_with("frame-ancestors 'none'; frame-src 'self'"));
    assert!(policy("/w/c/1").await.ends_with(&format!("frame-ancestors {framer}; frame-src 'self'")));
}

#[tokio::test]
async fn the_widget_has_no_button_where_it_may_not_open() {
    let settings = Settings {
        public_url: "https://chat.example.org".into(),
        frame_ancestors: vec!["https://www.example.org".into()],
        ..Settings::default()
    };
    let gateway = gateway(settings);
    let asked = async |site: &str| {
        let request = Request::get("/w/e/door/state").header(header::HOST, "chat.example.org").header(header::ORIGIN, site);
        send(&gateway, request.body(Body::empty()).unwrap()).await.0
    };
    let other = asked("https://www.example.net").await;
    assert_eq!((other.status(), &other.headers()["access-control-allow-origin"]), (StatusCode::FORBIDDEN, &"*".parse().unwrap()));
    // Nobody answers in these tests.
    assert_eq!(asked("https://www.example.org").await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

/// A page's form token and the cookie that it was made for.
pub async fn form(gateway: &Gateway) -> (String, String) {
    let (answer, html) = page(gateway, "/design").await;
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let token = html.split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    (cookie, token)
}

#[tokio::test]
async fn forms_are_taken_from_these_pages_only() {
    let gateway = demo();
    let (cookie, token) = form(&gateway).await;
    let (other, _) = form(&gateway).await;
    let post = async |origin: &str, site: &str, cookie: &str, body: String, kind: &str| {
        let mut request = Request::builder().method(Method::POST).uri("/sign-out").header(header::HOST, "localhost:8080");
        for (name, value) in [("origin", origin), ("sec-fetch-site", site), ("cookie", cookie), ("content-type", kind)] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        send(&gateway, request.body(Body::from(body)).unwrap()).await.0.status()
    };
    let (here, kind) = ("http://localhost:8080", "application/x-www-form-urlencoded");
    let good = format!("form_token={token}");
    assert_eq!(post(here, "same-origin", &cookie, good.clone(), kind).await, StatusCode::SEE_OTHER);
    assert_eq!(post(here, "", &cookie, good.clone(), kind).await, StatusCode::SEE_OTHER);
    for (origin, site) in [("https://evil.example", ""), ("null", ""), ("", ""), (here, "cross-site"), (here, "same-site")] {
        assert_eq!(post(origin, site, &cookie, good.clone(), kind).await, StatusCode::FORBIDDEN, "{origin} {site}");
    }
    assert_eq!(post(here, "", &other, good.clone(), kind).await, StatusCode::FORBIDDEN, "another browser's token");
    assert_eq!(post(here, "", "", good.clone(), kind).await, StatusCode::FORBIDDEN, "no cookie");
    assert_eq!(post(here, "", &cookie, String::new(), kind).await, StatusCode::FORBIDDEN, "no token");
    assert_eq!(post(here, "", &cookie, good.clone(), "text/plain").await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(post(here, "", &cookie, format!("{good}&x={}", "x".repeat(70_000)), kind).await, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_name_that_leads_here_from_elsewhere_is_refused() {
    let request = Request::get("/design").header(header::HOST, "rebound.example:8080").body(Body::empty()).unwrap();
    assert_eq!(send(&demo(), request).await.0.status(), StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn the_language_is_chosen_and_kept() {
    let gateway = demo();
    let language = async |path: &str, name: &str, value: &str| {
        let (answer, html) = send(&gateway, get(path).header(name, value).body(Body::empty()).unwrap()).await;
        let cookies: Vec<String> =
            answer.headers().get_all(header::SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap().to_owned()).collect();
        let kept = cookies.iter().any(|cookie| cookie.starts_with("samtal-language="));
        (html.split("<html lang=\"").nth(1).unwrap()[..2].to_owned(), kept)
    };
    assert_eq!(language("/design?lang=nn", "accept-language", "en").await, ("nn".to_owned(), true));
    assert_eq!(language("/design", "cookie", "samtal-language=nb").await, ("nb".to_owned(), false));
    assert_eq!(language("/design", "accept-language", "de, en;q=0.5").await, ("en".to_owned(), false));
    assert_eq!(language("/design?lang=xx", "accept-language", "de").await, ("sv".to_owned(), false));
}

#[tokio::test]
async fn another_language_keeps_the_rest_of_the_address() {
    let (_, html) = page(&demo(), "/design?s=abc&lang=nb&q=1").await;
    assert!(html.contains("href=\"?s=abc&#38;q=1&#38;lang=en\""), "{html}");
}

#[tokio::test]
async fn what_others_write_is_never_markup() {
    let (_, html) = page(&demo(), "/%3Cscript%3Ealert(1)%3C/script%3E%22%3E").await;
    assert!(!html.contains("<script>alert"), "{html}");
    assert!(!html.contains("style=\"") && !html.contains(" onclick="), "{html}");
}

#[tokio::test]
async fn the_first_page_is_small_and_asks_no_third_party() {
    let gateway = demo();
    let (_, html) = page(&gateway, "/design").await;
    // A visitor's style, and with it staff's, which is kept for the whole day.
    for (style, most) in [("visit.css", 50), ("app.css", 60)] {
        let mut bytes = html.len();
        for name in [style, "mark.svg", "live.js"] {
            bytes += page(&gateway, gateway.assets().address(name)).await.1.len();
        }
        assert!(bytes < most * 1024, "{style}: {bytes} bytes before compression");
    }
    assert!(!html.contains("src=\"http") && !html.contains("href=\"http"), "{html}");
}
