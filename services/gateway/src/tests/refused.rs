//! What was refused or not understood, as pages that lead on.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};

use super::shared::{demo, form, get, send};

#[tokio::test]
async fn an_address_that_cannot_be_read_is_a_page_in_the_readers_language() {
    let gateway = demo();
    for path in ["/c/not-an-id", "/w/c/1/news", "/c/1?from=x", "/c/1/file/2/picture"] {
        for (language, said) in [("sv", "Sidan finns inte"), ("en", "There is no such page")] {
            let request = get(path).header(header::ACCEPT_LANGUAGE, language).body(Body::empty()).unwrap();
            let (answer, html) = send(&gateway, request).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
            assert!(html.contains(said) && html.contains("<h1>"), "{path}: {html}");
        }
    }
}

/// A form is posted where nothing can be read: to try again, one goes back to the page that it stands on.
#[tokio::test]
async fn a_refused_form_leads_back_to_its_page() {
    let gateway = demo();
    let (cookie, token) = form(&gateway).await;
    let case = "01890000-0000-7000-8000-000000000001";
    let post = async |referer: &str| {
        let request = Request::post(format!("/c/{case}/close"))
            .header(header::HOST, "localhost:8080")
            .header(header::ORIGIN, "http://localhost:8080")
            .header(header::REFERER, referer)
            .header(header::COOKIE, format!("{cookie}; samtal-visitor={case}~token"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        send(&gateway, request.body(Body::from(format!("form_token={token}"))).unwrap()).await
    };
    // Nobody answers in these tests, so that it is worth another try.
    let (answer, html) = post(&format!("http://localhost:8080/c/{case}?from=3")).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(html.contains(&format!("href=\"/c/{case}?from=3\"")), "{html}");
    let (_, html) = post("https://evil.example/c/1").await;
    assert!(!html.contains("evil.example") && !html.contains("/close\""), "{html}");
    assert!(html.contains("href=\"/\""), "{html}");
}
