//! `/design`, in a demo: every component in every state, for people, screen readers and machines that look at them.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use proto::intake::HelpNumber;

use crate::Gateway;
use crate::web::{Page, Problem};

pub fn routes() -> Router<Gateway> {
    Router::new().route("/design", get(design))
}

#[derive(Template)]
#[template(path = "design.html")]
struct Design {
    page: Page,
    numbers: Vec<HelpNumber>,
}

async fn design(page: Page) -> Result<Response, Problem> {
    if !page.demo() {
        return Err(Problem::not_found());
    }
    let number = |number: &str, label: &str| HelpNumber { number: number.to_owned(), label: label.to_owned(), checked_on: String::new() };
    page.show(&Design { page: page.clone(), numbers: vec![number("112", "SOS Alarm"), number("1177", "1177")] })
}
