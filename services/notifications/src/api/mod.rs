//! The RPCs of `samtal.notifications.v1.NotificationService`.

mod contact;
mod inbox;

use proto::notifications as wire;
use proto::notifications::notification_service_server::NotificationService;
use rpc::{Answer, status};
use runtime::Node;
use tonic::Request;

use crate::app::sender::Open;

/// Answers notifications' RPCs.
pub struct Api {
    pub node: Node,
    /// By which ways messages can leave.
    pub open: Open,
}

#[tonic::async_trait]
impl NotificationService for Api {
    async fn set_contact(&self, request: Request<wire::SetContactRequest>) -> Answer<wire::SetContactResponse> {
        contact::set(&self.node, self.open, request).await.map_err(status)
    }

    async fn list_notifications(&self, request: Request<wire::ListNotificationsRequest>) -> Answer<wire::ListNotificationsResponse> {
        inbox::list(&self.node, request).await.map(tonic::Response::new).map_err(status)
    }

    async fn mark_seen(&self, request: Request<wire::MarkSeenRequest>) -> Answer<wire::MarkSeenResponse> {
        inbox::mark_seen(&self.node, request).await.map_err(status)
    }
}
