//! `POST /staff/keep`: somebody is at the screen though they ask for no page, so the session goes on.

use axum::Json;
use serde::Serialize;

use crate::web::Staff;

/// Unix seconds.
#[derive(Serialize)]
pub struct Kept {
    idle_at: Option<i64>,
    expires_at: Option<i64>,
}

pub async fn keep(staff: Staff) -> Json<Kept> {
    Json(Kept { idle_at: staff.idle_at.map(|time| time.secs()), expires_at: staff.expires_at.map(|time| time.secs()) })
}
