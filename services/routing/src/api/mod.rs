//! The RPCs.

mod act;
mod alert;
mod claim;
mod directory;
mod explain;
mod handovers;
mod offers;
mod position;
mod presence;
mod queue;
mod release;
mod transfer;
mod wait;
mod watch;

use proto::routing as wire;
use proto::routing::routing_service_server::RoutingService;
use rpc::{Answer, status};
use tonic::Request;

use crate::app::App;

/// Most bytes of a short name, such as a queue's or a worker's.
const MAX_NAME: usize = 64;
/// Longest reason that somebody gives for what they do with a case.
const MAX_REASON: usize = 500;

/// Answers routing's RPCs. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    app: App,
}

impl Api {
    pub fn new(app: App) -> Self {
        Self { app }
    }
}

macro_rules! unary {
    ($($name:ident: $request:ident => $response:ident;)*) => {
        #[tonic::async_trait]
        impl RoutingService for Api {
            type WatchOffersStream = watch::Stream;

            async fn watch_offers(&self, request: Request<wire::WatchOffersRequest>) -> Answer<watch::Stream> {
                self.do_watch_offers(request).await.map_err(status)
            }

            $(async fn $name(&self, request: Request<wire::$request>) -> Answer<wire::$response> {
                self.$name(request).await.map_err(status)
            })*
        }
    };
}

unary! {
    set_presence: SetPresenceRequest => SetPresenceResponse;
    list_presence: ListPresenceRequest => ListPresenceResponse;
    list_offers: ListOffersRequest => ListOffersResponse;
    accept_offer: AcceptOfferRequest => AcceptOfferResponse;
    decline_offer: DeclineOfferRequest => DeclineOfferResponse;
    list_queue: ListQueueRequest => ListQueueResponse;
    claim_case: ClaimCaseRequest => ClaimCaseResponse;
    release_case: ReleaseCaseRequest => ReleaseCaseResponse;
    transfer_case: TransferCaseRequest => TransferCaseResponse;
    list_handovers: ListHandoversRequest => ListHandoversResponse;
    hand_over: HandOverRequest => HandOverResponse;
    get_expected_wait: GetExpectedWaitRequest => GetExpectedWaitResponse;
    get_position: GetPositionRequest => GetPositionResponse;
    get_directory: GetDirectoryRequest => GetDirectoryResponse;
    explain: ExplainRequest => ExplainResponse;
    alert_case: AlertCaseRequest => AlertCaseResponse;
}
