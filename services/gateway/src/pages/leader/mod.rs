//! Pages of those who lead clinics, below `/leader`.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;

use crate::Gateway;
use crate::web::{Page, Problem, Staff};

pub fn routes() -> Router<Gateway> {
    Router::new().route("/leader", get(home))
}

#[derive(Template)]
#[template(path = "leader/home.html")]
struct Home {
    page: Page,
    staff: Staff,
}

async fn home(page: Page, staff: Staff) -> Result<Response, Problem> {
    if !staff.is_leader() {
        return Err(Problem::forbidden());
    }
    page.show(&Home { page: page.clone(), staff })
}
