//! Somebody with a token, and everything such a person may call.

use crate::suite::eventually;
use ::suite::{apply, client};
use client::{Client, Clients};
use proto::access::access_service_client::AccessServiceClient;
use proto::access::invitation_service_client::InvitationServiceClient;
use proto::access::passkey_service_client::PasskeyServiceClient;
use proto::access::{IssueTokenRequest, Principal, PrincipalKind};
use proto::config::config_service_client::ConfigServiceClient;
use proto::insights::insights_service_client::InsightsServiceClient;
use proto::intake::case_service_client::CaseServiceClient;
use proto::intake::clinic_service_client::ClinicServiceClient;
use proto::intake::conversation_service_client::ConversationServiceClient;
use proto::intake::file_service_client::FileServiceClient;
use proto::intake::referral_service_client::ReferralServiceClient;
use proto::intake::transfer_service_client::TransferServiceClient;
use proto::intake::{Case, Message, OpenCaseResponse, PostMessageRequest, PostMessageResponse};
use proto::log::event_log_service_client::EventLogServiceClient;
use proto::notifications::notification_service_client::NotificationServiceClient;
use proto::routing::routing_service_client::RoutingServiceClient;
use proto::routing::{AcceptOfferRequest, Offer, SetPresenceRequest};
use proto::scheduling::scheduling_service_client::SchedulingServiceClient;
use proto::triage::triage_service_client::TriageServiceClient;
use std::collections::BTreeMap;
use tonic::Status;
use tonic::transport::Channel;

/// An anonymous visitor with a case.
#[derive(Clone)]
pub struct Visitor {
    pub me: Person,
    pub case_id: String,
    pub opened: OpenCaseResponse,
}

/// Somebody with a token.
#[derive(Clone)]
pub struct Person {
    /// To each service, over one connection or over several.
    pub client: Clients,
    pub token: String,
}

impl Person {
    /// Over a connection that may be to a suite in another process.
    pub fn new(channel: Channel, token: &str) -> Person {
        let all = client::with_token(channel, token).expect("a token");
        Person { client: Clients::from(&all), token: token.to_owned() }
    }

    /// Over a connection to each service.
    pub fn over(channels: &BTreeMap<&'static str, Channel>, token: &str) -> Person {
        let with = |clients: Clients, (service, channel): (&&'static str, &Channel)| {
            clients.with(service, client::with_token(channel.clone(), token).expect("a token"))
        };
        Person { client: channels.iter().fold(Clients::default(), with), token: token.to_owned() }
    }

    /// The connection to a service.
    pub fn at(&self, service: &str) -> Client {
        self.client.of(service).expect("one of the suite's services")
    }

    /// As an operator: applies a region given as YAML.
    pub async fn apply_region(&self, yaml: &str) {
        let document = region::parse("tests.yaml", yaml).unwrap_or_else(|findings| panic!("{}", apply::refused(&findings)));
        apply::apply(&self.client, &document).await.expect("the region is taken");
    }

    /// As an operator: a token for anybody but a visitor.
    pub async fn issue(&self, kind: PrincipalKind, id: &str, organisation: &str) -> String {
        let principal =
            Principal { kind: kind.into(), id: id.to_owned(), organisation_id: organisation.to_owned(), clinic_ids: Vec::new() };
        let request =
            IssueTokenRequest { request_id: format!("token-{organisation}-{id}"), principal: Some(principal), ttl_seconds: 366 * 86_400 };
        self.access().issue_token(request).await.expect("a token").into_inner().token
    }

    pub fn invitations(&self) -> InvitationServiceClient<Client> {
        InvitationServiceClient::new(self.at("intake"))
    }

    pub fn passkeys(&self) -> PasskeyServiceClient<Client> {
        PasskeyServiceClient::new(self.at("intake"))
    }

    pub fn access(&self) -> AccessServiceClient<Client> {
        AccessServiceClient::new(self.at("intake"))
    }

    pub fn config(&self) -> ConfigServiceClient<Client> {
        ConfigServiceClient::new(self.at("intake"))
    }

    pub fn log(&self) -> EventLogServiceClient<Client> {
        self.log_at("intake")
    }

    /// The log as this service's process tells it.
    pub fn log_at(&self, service: &str) -> EventLogServiceClient<Client> {
        EventLogServiceClient::new(self.at(service)).max_decoding_message_size(runtime::MAX_RESPONSE)
    }

    pub fn cases(&self) -> CaseServiceClient<Client> {
        CaseServiceClient::new(self.at("intake"))
    }

    pub fn clinics(&self) -> ClinicServiceClient<Client> {
        ClinicServiceClient::new(self.at("intake"))
    }

    pub fn files(&self) -> FileServiceClient<Client> {
        FileServiceClient::new(self.at("intake"))
    }

    pub fn referrals(&self) -> ReferralServiceClient<Client> {
        ReferralServiceClient::new(self.at("intake"))
    }

    pub fn transfers(&self) -> TransferServiceClient<Client> {
        TransferServiceClient::new(self.at("intake"))
    }

    pub fn conversations(&self) -> ConversationServiceClient<Client> {
        ConversationServiceClient::new(self.at("intake"))
    }

    pub fn triage(&self) -> TriageServiceClient<Client> {
        TriageServiceClient::new(self.at("triage"))
    }

    pub fn routing(&self) -> RoutingServiceClient<Client> {
        RoutingServiceClient::new(self.at("routing"))
    }

    pub fn scheduling(&self) -> SchedulingServiceClient<Client> {
        SchedulingServiceClient::new(self.at("scheduling"))
    }

    pub fn notifications(&self) -> NotificationServiceClient<Client> {
        NotificationServiceClient::new(self.at("notifications"))
    }

    pub fn insights(&self) -> InsightsServiceClient<Client> {
        InsightsServiceClient::new(self.at("insights"))
    }

    pub async fn post(&self, case_id: &str, client_id: &str, text: &str) -> Result<PostMessageResponse, Status> {
        let request = PostMessageRequest {
            case_id: case_id.to_owned(),
            client_id: client_id.to_owned(),
            text: text.to_owned(),
            attachment_ids: Vec::new(),
        };
        self.conversations().post_message(request).await.map(tonic::Response::into_inner)
    }

    pub async fn case(&self, case_id: &str) -> Result<Case, Status> {
        let request = proto::intake::GetCaseRequest { case_id: case_id.to_owned() };
        let answer = self.cases().get_case(request).await?;
        Ok(answer.into_inner().case.expect("a case"))
    }

    /// All messages of a conversation, page by page.
    pub async fn messages(&self, case_id: &str) -> Result<Vec<Message>, Status> {
        let mut all: Vec<Message> = Vec::new();
        loop {
            let request = proto::intake::ListMessagesRequest {
                case_id: case_id.to_owned(),
                after_seq: all.last().map_or(0, |last| last.seq),
                page_size: 500,
            };
            let page = self.conversations().list_messages(request).await?.into_inner();
            let empty = page.messages.is_empty();
            all.extend(page.messages);
            if empty || all.last().is_some_and(|last| last.seq >= page.last_seq) {
                return Ok(all);
            }
        }
    }

    pub async fn present(&self, present: bool) {
        let request = SetPresenceRequest { present, hold_seconds: 43_200, ..SetPresenceRequest::default() };
        self.routing().set_presence(request).await.expect("presence is taken");
    }

    pub async fn offers(&self) -> Vec<Offer> {
        let answer = self.routing().list_offers(proto::routing::ListOffersRequest {}).await;
        answer.expect("offers").into_inner().offers
    }

    /// The offer of this case, once it is made.
    pub async fn offer(&self, case_id: &str) -> Offer {
        eventually("the case is offered", async || self.offers().await.into_iter().find(|offer| offer.case_id == case_id)).await
    }

    /// Takes the offer of this case once it is made, and waits until intake knows.
    pub async fn take(&self, case_id: &str) {
        let request = AcceptOfferRequest { request_id: String::new(), offer_id: self.offer(case_id).await.offer_id };
        self.routing().accept_offer(request).await.expect("the offer is accepted");
        self.holds(case_id).await;
    }

    /// Until every service that asks about it knows that this worker has the case.
    pub async fn holds(&self, case_id: &str) {
        eventually("intake knows who has the case", async || self.messages(case_id).await.ok()).await;
        let request = proto::scheduling::ListBookingsRequest { case_id: case_id.to_owned() };
        eventually("scheduling knows the case", async || self.scheduling().list_bookings(request.clone()).await.ok()).await;
    }
}
