//! Live text and signs for open screens. Never stored, never the only copy.

use std::time::Duration;

use kernel::Id;
use log::Unit;
use prost::Message as _;
use proto::intake::subscribe_response::Event;
use proto::intake::{Case, Message, SubscribeResponse};
use runtime::Node;

/// How long an open screen counts as open without a new sign.
pub const SCREEN: Duration = Duration::from_secs(30);

/// Presence key of a visitor's open screens.
pub fn visitor_screen(case: Id) -> String {
    format!("screen:visitor:{case}")
}

/// Presence key of workers' open screens on a case.
pub fn worker_screen(case: Id) -> String {
    format!("screen:worker:{case}")
}

/// Tells open screens of a message once it is committed.
pub fn message(unit: &mut Unit<'_>, node: &Node, message: &Message) {
    let event = SubscribeResponse { event: Some(Event::Message(message.clone())) };
    publish_after(unit, node, &message.case_id, event);
}

/// Tells open screens of a case's new state once it is committed.
pub fn case(unit: &mut Unit<'_>, node: &Node, case: Case) {
    let id = case.case_id.clone();
    publish_after(unit, node, &id, SubscribeResponse { event: Some(Event::Case(case)) });
}

fn publish_after(unit: &mut Unit<'_>, node: &Node, case: &str, event: SubscribeResponse) {
    let (bus, subject) = (node.bus().clone(), bus::live_subject(case));
    unit.after_commit(move || {
        let bytes = event.encode_to_vec().into();
        match &bus {
            // In the process itself nothing waits, and messages keep their order.
            bus::Bus::Local(local) => local.publish_live(&subject, bytes),
            bus::Bus::Nats(_) => {
                tokio::spawn(async move { bus.publish_live(&subject, bytes).await });
            }
        }
    });
}
