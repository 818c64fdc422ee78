//! The gRPC service.

use kernel::Result;
use proto::insights::insights_service_server::InsightsService;
use proto::insights::{GetReportRequest, GetReportResponse};
use rpc::{Answer, status};
use runtime::Node;
use tonic::Request;

use crate::app::{report, scope};

pub struct Api {
    pub node: Node,
}

#[tonic::async_trait]
impl InsightsService for Api {
    async fn get_report(&self, request: Request<GetReportRequest>) -> Answer<GetReportResponse> {
        get_report(&self.node, &request).await.map(Into::into).map_err(status)
    }
}

async fn get_report(node: &Node, request: &Request<GetReportRequest>) -> Result<GetReportResponse> {
    let caller = rpc::caller(request)?;
    let region = node.region.get();
    let filter = scope::filter(&caller, &region, request.get_ref())?;
    report::make(&node.of(&caller), &region, filter).await
}
