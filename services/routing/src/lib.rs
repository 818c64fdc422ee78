//! Routing: queues, offers, assignment.
//!
//! - [`domain`]: who waits, who is asked, who holds a case. Pure.
//! - `app`: one change inside one transaction: lock, decide, write, match.
//! - `api`: the RPCs. `events`: what intake and triage say. `store`: the tables.

mod api;
mod app;
pub mod domain;
mod events;
mod gauges;
mod store;

pub use store::TABLES;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use kernel::Result;
use log::Handler;
use proto::routing::routing_service_server::RoutingServiceServer;
use region::Region;
use runtime::{Built, Platform, RoutesBuilder};

/// Builds the service on `platform` and adds it to `routes`.
pub async fn build(platform: &Platform, routes: &mut RoutesBuilder) -> Result<Built> {
    let node = platform.node("routing", &store::TABLES, check).await?;
    let app = app::App::new(node.clone());
    let handlers: Vec<Arc<dyn Handler>> = vec![Arc::new(events::Intake(app.desks.clone())), Arc::new(events::Triage(app.desks.clone()))];
    for handler in &handlers {
        node.consume(handler.clone())?;
    }
    platform.tasks.spawn(gauges::run(node.clone()));
    platform.tasks.spawn(app::retire::run(app.clone()));
    let standing = node.timers(Arc::new(app::timers::Due(app.desks.clone())));
    routes.add_service(
        RoutingServiceServer::new(api::Api::new(app))
            .max_decoding_message_size(runtime::MAX_REQUEST)
            .max_encoding_message_size(runtime::MAX_RESPONSE),
    );
    Ok(Built { node, handlers, standing: Some(standing) })
}

/// Routing asks nothing of a region beyond what makes it valid for all.
fn check(_: &Region) -> Vec<(String, String)> {
    Vec::new()
}
