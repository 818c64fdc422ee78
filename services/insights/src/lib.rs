//! Insights: figures from the events of intake, routing and scheduling, practice left out.
//!
//! `events/` counts, `store/` holds the SQL, `app/` says how far a caller sees and puts a report together, `domain/`
//! computes and leaves out small cells, `api/` answers.

mod api;
mod app;
pub mod domain;
mod events;
mod store;

pub use store::TABLES;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use kernel::Result;
use proto::insights::insights_service_server::InsightsServiceServer;
use runtime::{Built, MAX_REQUEST, MAX_RESPONSE, Platform, RoutesBuilder};

/// Opens insights' database, adds its service to `routes` and starts consuming.
pub async fn build(platform: &Platform, routes: &mut RoutesBuilder) -> Result<Built> {
    let node = platform.node("insights", &store::TABLES, |_| Vec::new()).await?;
    routes.add_service(
        InsightsServiceServer::new(api::Api { node: node.clone() })
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_RESPONSE),
    );
    let handlers: Vec<Arc<dyn log::Handler>> =
        vec![Arc::new(events::intake::Intake), Arc::new(events::routing::Routing), Arc::new(events::scheduling::Scheduling)];
    for handler in &handlers {
        node.consume(handler.clone())?;
    }
    Ok(Built { node, handlers, standing: None })
}
