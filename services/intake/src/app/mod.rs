//! Intake at work: load, decide, commit, tell.

pub mod alerts;
mod arrive;
pub mod attachments;
pub mod change;
pub mod codes;
mod document;
pub mod doors;
pub mod hub;
pub mod identity;
pub mod invitations;
pub mod lines;
pub mod live;
pub mod objects;
pub mod open;
pub mod openings;
pub mod passkeys;
pub mod post;
pub mod practice;
pub mod rate;
pub mod refer;
pub mod register;
pub mod retention;
pub mod safety;
pub mod sessions;
pub mod sign_in;
pub mod summary;
pub mod ticket;
pub mod tokens;
pub mod transfer;
pub mod video;
pub mod waits;

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
    pub waits: Arc<waits::Waits>,
    pub register: Arc<dyn register::Register>,
    pub files: attachments::Files,
    pub hub: hub::Hub,
    pub alerts: alerts::Alerts,
}

impl App {
    pub fn new(node: Node) -> Result<Self> {
        let authenticator = node.platform.peers.authenticator();
        let openings = Arc::new(openings::Openings::new(&node)?);
        let waits = Arc::new(waits::Waits::new(&node)?);
        let register = register::start(&node)?;
        let files = attachments::Files::start(&node)?;
        let hub = hub::Hub::start(&node);
        let alerts = alerts::Alerts::new(&node)?;
        Ok(Self { node, authenticator, openings, waits, register, files, hub, alerts })
    }
}
