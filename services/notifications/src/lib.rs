//! Notifications: something waits for you. Never what.
//!
//! `api/` holds the RPCs, `app/` loads, decides and commits, `domain/` decides and words, `store/` holds the SQL,
//! `events/` takes over what intake and routing say. Mail and text messages leave through `app/sender`, outside every transaction.

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
use proto::notifications::notification_service_server::NotificationServiceServer;
use runtime::{Built, MAX_REQUEST, MAX_RESPONSE, Platform, RoutesBuilder};

/// The service's name: of its database, its log, its subjects.
const SERVICE: &str = "notifications";

/// Opens notifications' database, starts its consumers, its timers and its sender, and adds its RPCs to `routes`.
pub async fn build(platform: &Platform, routes: &mut RoutesBuilder) -> Result<Built> {
    let node = platform.node(SERVICE, &store::TABLES, app::check::check).await?;
    let outbox = app::sender::start(&node)?;
    routes.add_service(
        NotificationServiceServer::new(api::Api { node: node.clone(), open: outbox.open() })
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_RESPONSE),
    );
    let first_start = store::first_start(node.db()).await?;
    let intake = events::Intake { region: node.region.clone(), open: outbox.open(), first_start };
    let handlers: Vec<Arc<dyn log::Handler>> = vec![Arc::new(intake), Arc::new(events::Routing { first_start })];
    for handler in &handlers {
        node.consume(handler.clone())?;
    }
    let standing = node.timers(Arc::new(app::deliver::Deliveries { outbox }));
    Ok(Built { node, handlers, standing: Some(standing) })
}
