//! Pages of those who lead clinics, below `/leader`.

mod access;
mod board;
mod change;
mod closings;
mod draft;
mod edit;
pub mod explain;
mod fields;
mod items;
mod report;
mod rescue;
pub mod rollout;

use axum::Router;
use axum::routing::{get, post};

use crate::Gateway;
use crate::web::{Problem, Staff};

pub fn routes() -> Router<Gateway> {
    Router::new()
        .route("/leader", get(board::show))
        .route("/leader/report", get(report::show))
        .route("/leader/c/{case}", get(explain::show))
        .route("/leader/c/{case}/rescue", post(rescue::rescue))
        .route("/leader/change", get(change::show))
        .route("/leader/change/closings", get(closings::show).post(closings::set))
        .route("/leader/change/closings/preview", post(closings::preview))
        .route("/leader/change/closings/again", post(closings::again))
        .route("/leader/change/closings/revert", post(closings::revert))
        .route("/leader/change/{kind}", get(items::show))
        .route("/leader/change/{kind}/new", get(edit::new).post(edit::add))
        .route("/leader/change/{kind}/item/{id}", get(edit::form).post(edit::save))
        .route("/leader/change/{kind}/item/{id}/away", post(edit::away))
        .route("/leader/change/{kind}/item/{id}/revert", post(edit::revert))
        .route("/leader/access", get(access::show))
        .route("/leader/access/invite", post(access::invite))
        .route("/leader/access/withdraw", post(access::withdraw))
        .route("/leader/access/remove", post(access::remove))
        .route("/leader/rollout", get(rollout::show).post(rollout::set))
}

pub fn only_leaders(staff: &Staff) -> Result<(), Problem> {
    if staff.is_leader() { Ok(()) } else { Err(Problem::forbidden()) }
}
