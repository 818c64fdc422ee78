//! Pages of whoever runs the region's installation, below `/region`. They see doors, configuration and roll-out, and no case.

mod configuration;
mod doors;
mod rollout;

use axum::Router;
use axum::routing::{get, post};

use crate::Gateway;
use crate::web::{Problem, Staff};

pub fn routes() -> Router<Gateway> {
    Router::new()
        .route("/region", get(doors::show))
        .route("/region/configuration", get(configuration::show).post(configuration::check))
        .route("/region/configuration/apply", post(configuration::apply))
        .route("/region/configuration/region.yaml", get(configuration::export))
        .route("/region/rollout", get(rollout::show).post(rollout::set))
}

fn only_operators(staff: &Staff) -> Result<(), Problem> {
    if staff.is_operator() { Ok(()) } else { Err(Problem::forbidden()) }
}
