//! `/staff`: who is signed in, and until when.

use askama::Template;
use axum::Json;
use axum::response::Response;
use serde::Serialize;

use crate::web::{Page, Problem, Staff};

#[derive(Template)]
#[template(path = "staff/home.html")]
struct Home {
    page: Page,
    staff: Staff,
}

pub async fn home(page: Page, staff: Staff) -> Result<Response, Problem> {
    page.show(&Home { page: page.clone(), staff })
}

/// Unix seconds.
#[derive(Serialize)]
pub struct Kept {
    idle_at: Option<i64>,
    expires_at: Option<i64>,
}

/// Somebody is at the screen though they ask for no page: the session goes on.
pub async fn keep(staff: Staff) -> Json<Kept> {
    Json(Kept { idle_at: staff.idle_at.map(|time| time.secs()), expires_at: staff.expires_at.map(|time| time.secs()) })
}
