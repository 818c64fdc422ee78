//! The services, as one browser's request sees them: with the caller's own token, a deadline on each call, and the position
//! of the last change carried along, so that who has just written reads what they wrote. For somebody without a token the pages say
//! at which address they are, since limits count by it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use auth::Principal;
use futures::future::BoxFuture;
use http::HeaderValue;
use http_body_util::{BodyExt, Collected, Full};
use kernel::{Result, Time};
use proto::access::access_service_client::AccessServiceClient;
use proto::access::invitation_service_client::InvitationServiceClient;
use proto::access::passkey_service_client::PasskeyServiceClient;
use proto::access::sign_in_service_client::SignInServiceClient;
use proto::config::config_service_client::ConfigServiceClient;
use proto::insights::insights_service_client::InsightsServiceClient;
use proto::intake::case_service_client::CaseServiceClient;
use proto::intake::clinic_service_client::ClinicServiceClient;
use proto::intake::conversation_service_client::ConversationServiceClient;
use proto::intake::file_service_client::FileServiceClient;
use proto::intake::referral_service_client::ReferralServiceClient;
use proto::intake::transfer_service_client::TransferServiceClient;
use proto::log::event_log_service_client::EventLogServiceClient;
use proto::notifications::notification_service_client::NotificationServiceClient;
use proto::routing::routing_service_client::RoutingServiceClient;
use proto::scheduling::scheduling_service_client::SchedulingServiceClient;
use proto::triage::triage_service_client::TriageServiceClient;
use runtime::{Peer, Peers};
use tonic::body::Body;
use tonic::transport::Channel;
use tower::{Service, ServiceExt};

/// How long a page waits for one call; of a stream, for its beginning.
const DEADLINE: HeaderValue = HeaderValue::from_static("8S");
/// How long a file may take on a slow phone: the most that the services allow.
const TRANSFER: HeaderValue = HeaderValue::from_static("120S");
/// What the pages call, with the logs that `/status` and `/readyz` ask about.
pub const SERVICES: [&str; 6] = ["intake", "triage", "routing", "scheduling", "notifications", "insights"];

/// Connections to all services. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    peers: Peers,
    intake: Channel,
    triage: Channel,
    routing: Channel,
    scheduling: Channel,
    notifications: Channel,
    insights: Channel,
}

impl Services {
    /// Nothing is connected yet. Errors: a service that is not among the peers.
    pub fn new(peers: &Peers) -> Result<Self> {
        Ok(Self {
            intake: peers.plain("intake")?,
            triage: peers.plain("triage")?,
            routing: peers.plain("routing")?,
            scheduling: peers.plain("scheduling")?,
            notifications: peers.plain("notifications")?,
            insights: peers.plain("insights")?,
            peers: peers.clone(),
        })
    }

    /// Calls as whoever bears `token`. `after`: the position of a change made by an earlier request.
    pub fn with(&self, token: &str, after: Option<&str>) -> Calls {
        self.calls(Some(token), None, after)
    }

    /// Calls as somebody without a token at this address; None: nobody knows where they are.
    pub fn nobody(&self, address: Option<IpAddr>, after: Option<&str>) -> Calls {
        // The address is believed from the pages themselves only.
        self.calls(address.map(|_| self.peers.token("gateway")).as_deref(), address, after)
    }

    fn calls(&self, token: Option<&str>, address: Option<IpAddr>, after: Option<&str>) -> Calls {
        // What is no header value is no token, and is refused as such by the services.
        let bearer = token.map(|token| HeaderValue::try_from(format!("Bearer {token}")).unwrap_or(HeaderValue::from_static("Bearer -")));
        let address = address.and_then(|address| HeaderValue::try_from(address.to_string()).ok());
        let after = after.and_then(|after| HeaderValue::try_from(after).ok());
        Calls { services: self.clone(), carried: Carried { bearer, address, after: Arc::new(Mutex::new(after)), deadline: DEADLINE } }
    }

    pub fn clock(&self) -> &kernel::Clock {
        self.peers.clock()
    }

    /// Who bears a token, without a word to them or their session.
    pub async fn bearer(&self, token: &str) -> Result<Principal> {
        self.peers.authenticator().holder(auth::token_hash(token)).await
    }

    /// Calls as the pages themselves: for signing somebody in, and for nothing that concerns a case.
    pub fn access(&self) -> Result<AccessServiceClient<Peer>> {
        Ok(AccessServiceClient::new(self.peers.channel("gateway", "intake")?))
    }

    /// The same, for whom a sign-in service or a code has named.
    pub fn sign_in(&self) -> Result<SignInServiceClient<Peer>> {
        Ok(SignInServiceClient::new(self.peers.channel("gateway", "intake")?))
    }

    /// The same, for whoever has an invitation's link or a code.
    pub fn ways_in(&self) -> Result<InvitationServiceClient<Peer>> {
        Ok(InvitationServiceClient::new(self.peers.channel("gateway", "intake")?))
    }

    /// The same, for whoever has a passkey.
    pub fn passkeys(&self) -> Result<PasskeyServiceClient<Peer>> {
        Ok(PasskeyServiceClient::new(self.peers.channel("gateway", "intake")?))
    }

    /// A service's log, as the pages themselves: whether it answers.
    pub fn log(&self, service: &'static str) -> Result<EventLogServiceClient<Peer>> {
        Ok(EventLogServiceClient::new(self.peers.channel("gateway", service)?))
    }
}

/// The calls of one request of a browser, on behalf of one person.
#[derive(Clone)]
pub struct Calls {
    services: Services,
    carried: Carried,
}

impl Calls {
    /// The same request's calls, for somebody whose token was found on the way.
    pub fn as_bearer(&self, token: &str) -> Self {
        self.services.with(token, self.position().as_deref())
    }

    pub fn cases(&self) -> CaseServiceClient<Call> {
        CaseServiceClient::new(self.to(&self.services.intake)).max_decoding_message_size(runtime::MAX_RESPONSE)
    }

    pub fn conversations(&self) -> ConversationServiceClient<Call> {
        ConversationServiceClient::new(self.to(&self.services.intake)).max_decoding_message_size(runtime::MAX_RESPONSE)
    }

    pub fn clinics(&self) -> ClinicServiceClient<Call> {
        ClinicServiceClient::new(self.to(&self.services.intake)).max_decoding_message_size(runtime::MAX_RESPONSE)
    }

    /// What one of [`SERVICES`] knows of the region; what is no service's name is intake's.
    pub fn config(&self, service: &str) -> ConfigServiceClient<Call> {
        let channel = match service {
            "triage" => &self.services.triage,
            "routing" => &self.services.routing,
            "scheduling" => &self.services.scheduling,
            "notifications" => &self.services.notifications,
            "insights" => &self.services.insights,
            _ => &self.services.intake,
        };
        ConfigServiceClient::new(self.to(channel))
            .max_encoding_message_size(runtime::MAX_CONFIG_REQUEST)
            .max_decoding_message_size(runtime::MAX_CONFIG_REQUEST)
    }

    pub fn files(&self) -> FileServiceClient<Call> {
        let mut call = self.to(&self.services.intake);
        call.carried.deadline = TRANSFER;
        FileServiceClient::new(call)
    }

    pub fn referrals(&self) -> ReferralServiceClient<Call> {
        ReferralServiceClient::new(self.to(&self.services.intake))
    }

    pub fn transfers(&self) -> TransferServiceClient<Call> {
        TransferServiceClient::new(self.to(&self.services.intake))
    }

    pub fn access(&self) -> AccessServiceClient<Call> {
        AccessServiceClient::new(self.to(&self.services.intake))
    }

    pub fn sign_in(&self) -> SignInServiceClient<Call> {
        SignInServiceClient::new(self.to(&self.services.intake)).max_decoding_message_size(runtime::MAX_RESPONSE)
    }

    pub fn invitations(&self) -> InvitationServiceClient<Call> {
        InvitationServiceClient::new(self.to(&self.services.intake)).max_decoding_message_size(runtime::MAX_RESPONSE)
    }

    pub fn passkeys(&self) -> PasskeyServiceClient<Call> {
        PasskeyServiceClient::new(self.to(&self.services.intake))
    }

    pub fn triage(&self) -> TriageServiceClient<Call> {
        TriageServiceClient::new(self.to(&self.services.triage))
    }

    pub fn routing(&self) -> RoutingServiceClient<Call> {
        RoutingServiceClient::new(self.to(&self.services.routing))
    }

    pub fn scheduling(&self) -> SchedulingServiceClient<Call> {
        SchedulingServiceClient::new(self.to(&self.services.scheduling))
    }

    pub fn notifications(&self) -> NotificationServiceClient<Call> {
        NotificationServiceClient::new(self.to(&self.services.notifications))
    }

    pub fn insights(&self) -> InsightsServiceClient<Call> {
        InsightsServiceClient::new(self.to(&self.services.insights))
    }

    /// What the time is, for waits and due times on a page.
    pub fn now(&self) -> Time {
        self.services.peers.clock().now()
    }

    /// How far the last change had come, for the browser's next request.
    pub fn position(&self) -> Option<String> {
        let after = self.carried.after.lock().unwrap_or_else(PoisonError::into_inner);
        after.as_ref().and_then(|value| value.to_str().ok()).map(str::to_owned)
    }

    fn to(&self, channel: &Channel) -> Call {
        Call { channel: channel.clone(), carried: self.carried.clone() }
    }
}

/// What goes with every call of one request.
#[derive(Clone)]
struct Carried {
    bearer: Option<HeaderValue>,
    /// Whose limits count, if nobody's token goes along.
    address: Option<HeaderValue>,
    after: Arc<Mutex<Option<HeaderValue>>>,
    deadline: HeaderValue,
}

/// A connection that adds token, deadline and position, and remembers the position it is answered.
#[derive(Clone)]
pub struct Call {
    channel: Channel,
    carried: Carried,
}

impl Service<http::Request<Body>> for Call {
    type Response = http::Response<Body>;
    type Error = tonic::transport::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let headers = request.headers_mut();
        if let Some(bearer) = &self.carried.bearer {
            headers.insert("authorization", bearer.clone());
        }
        if let Some(address) = &self.carried.address {
            headers.insert(rpc::whence::VISITOR_ADDRESS, address.clone());
        }
        telemetry::carry(headers);
        headers.insert("grpc-timeout", self.carried.deadline.clone());
        let after = self.carried.after.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let remember = self.carried.after.clone();
        if let Some(after) = &after {
            headers.insert(rpc::position::ASK, after.clone());
        }
        // What was polled ready is used; the clone is ready when it is polled again.
        let fresh = self.channel.clone();
        let channel = std::mem::replace(&mut self.channel, fresh);
        let reads = after.is_some() && reads(request.uri().path());
        Box::pin(async move {
            let response = if reads { patient(channel, request, &remember).await? } else { call(channel, request).await? };
            if let Some(position) = response.headers().get(rpc::position::ANSWER) {
                *remember.lock().unwrap_or_else(PoisonError::into_inner) = Some(position.clone());
            }
            Ok(response)
        })
    }
}

async fn call(mut channel: Channel, request: http::Request<Body>) -> Result<http::Response<Body>, tonic::transport::Error> {
    channel.call(request).await
}

/// Whether a call only asks, so that it can be asked again. Streams that go on are none of these.
fn reads(path: &str) -> bool {
    let method = path.rsplit('/').next().unwrap_or_default();
    ["Get", "List", "Next"].iter().any(|start| method.starts_with(start))
}

/// Asks once more if the service has not seen the caller's last change yet, and takes what there is: whoever reads is shown a moment
/// ago rather than an error, and the other calls of this page wait no longer either.
async fn patient(
    mut channel: Channel,
    request: http::Request<Body>,
    after: &Mutex<Option<HeaderValue>>,
) -> Result<http::Response<Body>, tonic::transport::Error> {
    let (head, body) = request.into_parts();
    // Small, and encoded already: nothing to wait for. What cannot be read is refused as what it is, no message.
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let with = |head: &http::request::Parts| http::Request::from_parts(head.clone(), Body::new(Full::new(body.clone())));
    let response = channel.call(with(&head)).await?;
    let behind = tonic::Status::from_header_map(response.headers())
        .is_some_and(|status| rpc::status::reason(&status).as_deref() == Some("PROJECTION_BEHIND"));
    if !behind {
        return Ok(response);
    }
    tracing::debug!(path = head.uri.path(), "a service is behind; showing what it has");
    after.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut head = head;
    head.headers.remove(rpc::position::ASK);
    channel.ready().await?.call(with(&head)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_asks_may_be_asked_again() {
        for read in ["/samtal.routing.v1.RoutingService/GetPosition", "/samtal.triage.v1.TriageService/NextQuestion", "/x/ListBookings"] {
            assert!(reads(read), "{read}");
        }
        for other in ["/samtal.intake.v1.CaseService/OpenCase", "/samtal.intake.v1.ConversationService/Subscribe", "/x/MarkSeen", ""] {
            assert!(!reads(other), "{other}");
        }
    }
}
