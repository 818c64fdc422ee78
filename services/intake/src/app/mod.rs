//! Intake at work: load, decide, commit, tell.

pub mod alerts;
pub mod change;
pub mod doors;
pub mod hub;
pub mod live;
pub mod open;
pub mod openings;
pub mod post;
pub mod retention;
pub mod safety;
pub mod tokens;

use std::sync::Arc;

use kernel::Result;
use rpc::Authenticator;
use runtime::Node;

/// What intake's handlers share. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub node: Node,
    pub authenticator: Authenticator,
    pub openings: Arc<openings::Openings>,
    pub hub: hub::Hub,
    pub alerts: alerts::Alerts,
}

impl App {
    pub fn new(node: Node) -> Result<Self> {
        let authenticator = node.platform.peers.authenticator();
        let openings = Arc::new(openings::Openings::new(&node)?);
        let hub = hub::Hub::start(&node);
        let alerts = alerts::Alerts::new(&node)?;
        Ok(Self { node, authenticator, openings, hub, alerts })
    }
}
