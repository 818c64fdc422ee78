//! Whether a person who is there was alerted to signs of danger. Only routing knows who is there; it is asked for the alert itself,
//! so that nobody is told of one that was not made. If it does not answer soon, nobody may be there.

use std::time::Duration;

use kernel::{Id, Result};
use log::Receipt;
use proto::routing::AlertCaseRequest;
use proto::routing::routing_service_client::RoutingServiceClient;
use rpc::position::{ASK, Reached};
use runtime::{Node, Peer};
use screening::Category;
use tonic::Request;

use crate::app::live;

/// The visitor waits for the numbers meanwhile.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The way to whoever is there. Cheap to clone.
#[derive(Clone)]
pub struct Alerts {
    node: Node,
    routing: RoutingServiceClient<Peer>,
}

impl Alerts {
    pub fn new(node: &Node) -> Result<Self> {
        Ok(Self { node: node.clone(), routing: RoutingServiceClient::new(node.peer("routing")?) })
    }

    /// Alerts somebody to what was `found` in a case; `receipt` is of the commit that routing must have seen. True if somebody was.
    pub async fn raise(&self, case: Id, holder: &str, found: &[Category], receipt: &Receipt) -> bool {
        let Some(severity) = found.iter().map(|category| category.severity()).max() else { return false };
        let asked = async {
            let severity = proto::intake::Severity::from(severity).into();
            let mut request = Request::new(AlertCaseRequest { case_id: case.to_string(), severity });
            request.set_timeout(PATIENCE);
            if !receipt.positions.is_empty() {
                let reached = Reached { service: "intake", positions: receipt.positions.clone() };
                if let Ok(token) = reached.token(&self.node.platform.secret)?.parse() {
                    request.metadata_mut().insert(ASK, token);
                }
            }
            let answer = self.routing.clone().alert_case(request).await.map_err(|status| rpc::status::error(&status))?;
            Ok::<bool, kernel::Error>(answer.into_inner().person_alerted)
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(true)) => return true,
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::warn!(%case, %error, "routing did not alert anybody to a red flag"),
            Err(_) => tracing::warn!(%case, "routing did not answer in time to alert somebody to a red flag"),
        }
        // The worker who has the conversation open sees it, whatever routing says.
        !holder.is_empty() && self.node.platform.ephemeral.is_present(&live::worker_screen(case)).await
    }
}
