//! Pages of staff, below `/staff`.

mod home;

use axum::Router;
use axum::routing::{get, post};

use crate::Gateway;

pub fn routes() -> Router<Gateway> {
    Router::new().route("/staff", get(home::home)).route("/staff/keep", post(home::keep))
}
