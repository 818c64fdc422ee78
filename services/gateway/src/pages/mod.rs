//! The pages, a folder per audience. Each module has `routes()`, which is merged here.

mod case;
mod design;
mod door;
pub mod file;
pub mod leader;
pub mod practice;
mod probes;
mod region;
pub mod staff;
pub mod visitor;

use axum::Router;

use crate::Gateway;

pub fn routes() -> Router<Gateway> {
    Router::new()
        .merge(door::routes())
        .merge(probes::routes())
        .merge(design::routes())
        .merge(visitor::routes())
        .merge(staff::routes())
        .merge(leader::routes())
        .merge(region::routes())
        .merge(practice::routes())
}
