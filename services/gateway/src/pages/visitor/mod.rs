//! Pages of visitors.

use axum::Router;

use crate::Gateway;

pub fn routes() -> Router<Gateway> {
    Router::new()
}
