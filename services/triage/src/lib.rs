//! Triage: protocols, questionnaires, severity.
//!
//! `events/` takes over what intake and routing say, `api/` holds one file per RPC, `app/` loads, decides and commits,
//! `domain/` decides, `store/` holds the SQL.

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
use proto::triage::triage_service_server::TriageServiceServer;
use region::Region;
use runtime::{Built, MAX_REQUEST, Platform, RoutesBuilder};

/// Opens triage's database, adds its service to `routes` and starts consuming.
pub async fn build(platform: &Platform, routes: &mut RoutesBuilder) -> Result<Built> {
    let node = platform.node("triage", &store::TABLES, problems).await?;
    routes.add_service(TriageServiceServer::new(api::Api { node: node.clone() }).max_decoding_message_size(MAX_REQUEST));
    let handlers: Vec<Arc<dyn log::Handler>> =
        vec![Arc::new(events::intake::Intake { region: node.region.clone() }), Arc::new(events::routing::Routing)];
    for handler in &handlers {
        node.consume(handler.clone())?;
    }
    Ok(Built { node, handlers, standing: None })
}

/// What keeps a region from being taken over: a door's protocol that its own tests or its approvers do not carry.
fn problems(region: &Region) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    for (i, organisation) in region.organisations.iter().enumerate() {
        for (j, protocol) in organisation.protocols.iter().enumerate() {
            let used = organisation.entry_points.iter().any(|door| door.protocol.as_ref() == Some(&protocol.id));
            if !used {
                continue;
            }
            for found in domain::activation::check(protocol, &organisation.catalogue.reasons) {
                problems.push((format!("organisations[{i}].protocols[{j}].{}", found.field), found.description));
            }
        }
    }
    problems
}
