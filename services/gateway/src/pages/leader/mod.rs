//! Pages of those who lead clinics, below `/leader`.

mod board;
pub mod explain;
mod report;

use axum::Router;
use axum::routing::get;

use crate::Gateway;
use crate::web::{Problem, Staff};

pub fn routes() -> Router<Gateway> {
    Router::new()
        .route("/leader", get(board::show))
        .route("/leader/report", get(report::show))
        .route("/leader/c/{case}", get(explain::show))
}

fn only_leaders(staff: &Staff) -> Result<(), Problem> {
    if staff.is_leader() { Ok(()) } else { Err(Problem::forbidden()) }
}
