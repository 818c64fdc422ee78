//! The gRPC service, one file per RPC.

mod get_triage;
mod next_question;
mod set_severity;

use proto::triage::triage_service_server::TriageService;
use proto::triage::{
    GetTriageRequest, GetTriageResponse, NextQuestionRequest, NextQuestionResponse, SetSeverityRequest, SetSeverityResponse,
};
use rpc::{Answer, status};
use runtime::Node;
use tonic::Request;

pub struct Api {
    pub node: Node,
}

#[tonic::async_trait]
impl TriageService for Api {
    async fn next_question(&self, request: Request<NextQuestionRequest>) -> Answer<NextQuestionResponse> {
        next_question::answer(&self.node.region.get(), &request.into_inner()).map(Into::into).map_err(status)
    }

    async fn get_triage(&self, request: Request<GetTriageRequest>) -> Answer<GetTriageResponse> {
        get_triage::answer(&self.node, request).await.map_err(status)
    }

    async fn set_severity(&self, request: Request<SetSeverityRequest>) -> Answer<SetSeverityResponse> {
        set_severity::answer(&self.node, request).await.map_err(status)
    }
}
