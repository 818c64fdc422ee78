//! Scheduling: calendars, holidays, slots, bookings.
//!
//! `api/` holds one file per RPC or small group, `app/` loads, decides and commits, `domain/` decides, `store/` holds the
//! SQL, `events/` takes over what intake and routing say of a case.

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
use proto::scheduling::scheduling_service_server::SchedulingServiceServer;
use runtime::{Built, MAX_REQUEST, MAX_RESPONSE, Platform, RoutesBuilder};

/// The service's name: of its database, its log, its subjects.
const SERVICE: &str = "scheduling";

/// Opens scheduling's database, starts its consumers and timers, and adds its RPCs to `routes`.
pub async fn build(platform: &Platform, routes: &mut RoutesBuilder) -> Result<Built> {
    let node = platform.node(SERVICE, &store::TABLES, app::check::check).await?;
    routes.add_service(
        SchedulingServiceServer::new(api::Api { node: node.clone() })
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_RESPONSE),
    );
    let handlers: Vec<Arc<dyn log::Handler>> = vec![Arc::new(events::Intake), Arc::new(events::Routing)];
    for handler in &handlers {
        node.consume(handler.clone())?;
    }
    let standing = node.timers(Arc::new(app::timers::Holds));
    Ok(Built { node, handlers, standing: Some(standing) })
}
