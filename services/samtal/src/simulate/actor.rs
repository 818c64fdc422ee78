//! The people of the simulation: each call is repeated with the same id until it is answered, and its answer goes into the
//! ledger.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kernel::{Error, Result, Time};
use proto::access::access_service_client::AccessServiceClient;
use proto::access::{IssueTokenRequest, Principal, PrincipalKind};
use proto::intake::case_service_client::CaseServiceClient;
use proto::intake::conversation_service_client::ConversationServiceClient;
use proto::intake::subscribe_response::Event;
use proto::intake::{CloseCaseRequest, OpenCaseRequest, PostMessageRequest, RateCaseRequest, SubscribeRequest, Visitor};
use proto::routing::routing_service_client::RoutingServiceClient;
use proto::routing::{AcceptOfferRequest, DeclineOfferRequest, SetPresenceRequest};
use proto::scheduling::scheduling_service_client::SchedulingServiceClient;
use proto::scheduling::{ConfirmBookingRequest, HoldSlotRequest, Interval, ListSlotsRequest};
use region::Organisation;
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::ledger::{Ledger, time};
use super::plan::{How, Planned};
use crate::client::{self, Client};
use crate::suite::SERVICES;

/// Connections, so that one does not limit what two cores can do.
const CHANNELS: usize = 4;
/// How long one service may take to hear what another has done.
const HEARSAY: Duration = Duration::from_secs(30);
/// How long a call is repeated before the simulation gives up on the suite.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where the services answer: all at one address, or some at addresses of their own.
#[derive(Clone, Debug)]
pub struct Addresses {
    pub all: String,
    pub own: BTreeMap<String, String>,
}

impl Addresses {
    pub fn of(&self, service: &str) -> &str {
        self.own.get(service).unwrap_or(&self.all)
    }
}

/// Who can call what, and where the answers go.
pub struct Actors {
    /// A few to each service.
    channels: BTreeMap<&'static str, Vec<Channel>>,
    workers: HashMap<String, String>,
    /// A nurse of each clinic, who answers its telephone.
    nurses: HashMap<String, String>,
    integrator: String,
    pub ledger: Arc<Ledger>,
    /// What the calls' ids are made from.
    run: String,
}

/// A case under way.
#[derive(Clone, Debug)]
pub struct Opened {
    pub case_id: String,
    /// Empty unless the visitor opened it.
    pub visitor_token: String,
    /// The worker who keeps it, if it was opened so.
    pub kept_by: Option<String>,
}

/// Why a step did not happen, where that is part of the game.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<T> {
    Done(T),
    /// Somebody or something was faster: the stable reason.
    Refused(String),
}

impl Actors {
    /// Gets a token for each worker of `organisation` and for an integrator.
    pub async fn new(addresses: &Addresses, operator: &str, organisation: &Organisation, run: String) -> Result<Self> {
        let mut channels = BTreeMap::new();
        for service in SERVICES {
            let mut few = Vec::new();
            for _ in 0..CHANNELS {
                few.push(client::connect(addresses.of(service)).await?);
            }
            channels.insert(service, few);
        }
        let mut access = AccessServiceClient::new(client::with_token(client::connect(addresses.of("intake")).await?, operator)?);
        let mut workers = HashMap::new();
        let mut issue = async |kind: PrincipalKind, id: &str| -> Result<String> {
            let principal =
                Principal { kind: kind.into(), id: id.to_owned(), organisation_id: organisation.id.clone(), clinic_ids: Vec::new() };
            let request = IssueTokenRequest { request_id: format!("simulate-{id}"), principal: Some(principal), ttl_seconds: 100 * 86_400 };
            Ok(access.issue_token(request).await.map_err(|status| rpc::status::error(&status))?.into_inner().token)
        };
        for worker in &organisation.workers {
            let kind = match worker.role {
                region::Role::Worker => PrincipalKind::Worker,
                region::Role::Leader => PrincipalKind::Leader,
                region::Role::Volunteer => PrincipalKind::Volunteer,
            };
            workers.insert(worker.id.clone(), issue(kind, &worker.id).await?);
        }
        let integrator = issue(PrincipalKind::Integrator, "simulation").await?;
        let nurses = organisation
            .workers
            .iter()
            .filter(|worker| worker.profession == kernel::Profession::Nurse && worker.role == region::Role::Worker)
            .flat_map(|worker| worker.clinics.iter().map(|clinic| (clinic.clone(), worker.id.clone())))
            .collect();
        Ok(Self { channels, workers, nurses, integrator, ledger: Arc::default(), run })
    }

    /// Who answers a clinic's telephone.
    pub fn nurse(&self, clinic: &str) -> Option<String> {
        self.nurses.get(clinic).cloned()
    }

    /// Waits until a visitor's screen has shown every acknowledged message, for at most 10 s: what it lacks then is lost.
    pub async fn until_seen(&self, case: &str) {
        let started = tokio::time::Instant::now();
        while !self.ledger.has_seen_all(case) && started.elapsed() < Duration::from_secs(10) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn client(&self, service: &str, key: usize, token: &str) -> Result<Client> {
        let few = self.channels.get(service).map(Vec::as_slice).unwrap_or_default();
        let channel = few.get(key % few.len().max(1)).cloned().ok_or_else(|| Error::internal(format!("no channel to {service}")))?;
        client::with_token(channel, token)
    }

    pub fn integrator(&self, service: &str, key: usize) -> Result<Client> {
        self.client(service, key, &self.integrator)
    }

    fn worker(&self, service: &str, id: &str, key: usize) -> Result<Client> {
        let token = self.workers.get(id).ok_or_else(|| Error::internal(format!("there is no token for {id}")))?;
        self.client(service, key, token)
    }

    fn id(&self, case: usize, what: &str) -> String {
        kernel::Id::derived(&[b"simulate", self.run.as_bytes(), &case.to_le_bytes(), what.as_bytes()]).to_string()
    }

    /// Calls until there is an answer that a repetition would not change.
    async fn call<T, F>(&self, mut call: impl FnMut() -> F) -> Result<Step<T>>
    where
        F: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let started = tokio::time::Instant::now();
        loop {
            self.ledger.calls.fetch_add(1, Ordering::Relaxed);
            match call().await {
                Ok(answer) => return Ok(Step::Done(answer.into_inner())),
                Err(status) => match status.code() {
                    Code::FailedPrecondition | Code::NotFound | Code::AlreadyExists => {
                        return Ok(Step::Refused(rpc::status::reason(&status).unwrap_or_default()));
                    }
                    Code::Unavailable
                    | Code::Aborted
                    | Code::DeadlineExceeded
                    | Code::Unknown
                    | Code::Cancelled
                    | Code::ResourceExhausted
                        if started.elapsed() < PATIENCE =>
                    {
                        self.ledger.retries.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    _ => return Err(rpc::status::error(&status)),
                },
            }
        }
    }

    /// The call must not be refused.
    fn must<T>(what: &str, step: Step<T>) -> Result<T> {
        match step {
            Step::Done(value) => Ok(value),
            Step::Refused(reason) => Err(Error::internal(format!("{what} was refused: {reason}"))),
        }
    }

    pub async fn present(&self, worker: &str, present: bool, hold: Duration) -> Result<()> {
        let client = self.worker("routing", worker, 0)?;
        let request = SetPresenceRequest { present, hold_seconds: hold.as_secs() as u32, ..SetPresenceRequest::default() };
        let done = self.call(|| {
            let mut routing = RoutingServiceClient::new(client.clone());
            let request = request.clone();
            async move { routing.set_presence(request).await }
        });
        Self::must("presence", done.await?).map(drop)
    }

    /// A visitor comes, or a worker or a journal system opens the case for them.
    pub async fn open(&self, planned: &Planned, phone_worker: Option<&str>) -> Result<Opened> {
        let client = match (planned.how, phone_worker) {
            (How::Phone, Some(worker)) => self.worker("intake", worker, planned.number)?,
            (How::Identified, _) => self.integrator("intake", planned.number)?,
            _ => self.client("intake", planned.number, "")?,
        };
        let identified = planned.how == How::Identified;
        let request = OpenCaseRequest {
            request_id: self.id(planned.number, "open"),
            entry_point_id: planned.entry_point.clone(),
            contact_reason_id: planned.reason.clone(),
            text: planned.text.to_owned(),
            visitor: Some(Visitor {
                birth_year: planned.birth_year,
                identified,
                external_ref: if identified { format!("patient-{}", planned.number) } else { String::new() },
                ..Visitor::default()
            }),
            language: planned.language.to_owned(),
            leave_message: planned.how == How::LeftMessage,
            keep: planned.how == How::Phone && phone_worker.is_some(),
            ..OpenCaseRequest::default()
        };
        let done = self.call(|| {
            let mut cases = CaseServiceClient::new(client.clone());
            let request = request.clone();
            async move { cases.open_case(request).await }
        });
        let answer = Self::must("opening a case", done.await?)?;
        let case = answer.case.ok_or_else(|| Error::internal("no case in the answer"))?;
        let opens_at = answer.next_opening_at.as_ref().map(|at| time(Some(at)));
        self.ledger.opened(&case, planned.birth_year, opens_at, planned.text);
        let kept_by = phone_worker.filter(|_| planned.how == How::Phone).map(ToOwned::to_owned);
        if kept_by.is_some() {
            // Nobody has waited.
            self.ledger.assigned(&case.case_id, time(case.opened_at.as_ref()));
        }
        Ok(Opened { case_id: case.case_id, visitor_token: answer.visitor_token, kept_by })
    }

    /// The visitor's open screen: every message it gets goes into the ledger.
    pub fn watch(self: &Arc<Self>, number: usize, opened: &Opened) -> Option<JoinHandle<()>> {
        if opened.visitor_token.is_empty() {
            return None;
        }
        let (actors, opened) = (self.clone(), opened.clone());
        Some(tokio::spawn(async move {
            let mut after_seq = 0;
            // A stream that breaks is opened again after the last seq, as a browser does.
            while let Ok(client) = actors.client("intake", number, &opened.visitor_token) {
                let mut conversations = ConversationServiceClient::new(client);
                let request = SubscribeRequest { case_id: opened.case_id.clone(), after_seq };
                if let Ok(stream) = conversations.subscribe(request).await {
                    let mut stream = stream.into_inner();
                    while let Ok(Some(response)) = stream.message().await {
                        if let Some(Event::Message(message)) = response.event {
                            after_seq = message.seq;
                            actors.ledger.seen(&opened.case_id, message.seq);
                        }
                    }
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }))
    }

    pub async fn accept(&self, number: usize, worker: &str, offer_id: &str) -> Result<Step<()>> {
        let client = self.worker("routing", worker, number)?;
        let request = AcceptOfferRequest { request_id: self.id(number, &format!("accept {offer_id}")), offer_id: offer_id.to_owned() };
        let done = self.call(|| {
            let mut routing = RoutingServiceClient::new(client.clone());
            let request = request.clone();
            async move { routing.accept_offer(request).await }
        });
        Ok(match done.await? {
            Step::Done(answer) => {
                self.ledger.assigned(&answer.case_id, time(answer.assigned_at.as_ref()));
                Step::Done(())
            }
            Step::Refused(reason) => Step::Refused(reason),
        })
    }

    pub async fn decline(&self, number: usize, worker: &str, offer_id: &str) -> Result<Step<()>> {
        let client = self.worker("routing", worker, number)?;
        let request = DeclineOfferRequest { request_id: self.id(number, &format!("decline {offer_id}")), offer_id: offer_id.to_owned() };
        let done = self.call(|| {
            let mut routing = RoutingServiceClient::new(client.clone());
            let request = request.clone();
            async move { routing.decline_offer(request).await }
        });
        Ok(match done.await? {
            Step::Done(_) => Step::Done(()),
            Step::Refused(reason) => Step::Refused(reason),
        })
    }

    /// A message of the visitor (no worker) or of a worker. A visitor without a token of their own stays silent.
    pub async fn post(&self, number: usize, opened: &Opened, worker: Option<&str>, turn: usize, text: &str) -> Result<()> {
        let client = match worker {
            Some(worker) => self.worker("intake", worker, number)?,
            None if opened.visitor_token.is_empty() => return Ok(()),
            None => self.client("intake", number, &opened.visitor_token)?,
        };
        let client_id = format!("{}-{turn}", if worker.is_some() { "w" } else { "v" });
        self.ledger.tried(&opened.case_id, &client_id);
        let request = PostMessageRequest { case_id: opened.case_id.clone(), client_id, text: text.to_owned(), attachment_ids: Vec::new() };
        let started = tokio::time::Instant::now();
        loop {
            let done = self.call(|| {
                let mut conversations = ConversationServiceClient::new(client.clone());
                let request = request.clone();
                async move { conversations.post_message(request).await }
            });
            match done.await? {
                Step::Done(answer) => {
                    let message = answer.message.ok_or_else(|| Error::internal("no message in the answer"))?;
                    self.ledger.posted(&message);
                    return Ok(());
                }
                // Intake may not have heard of the assignment yet.
                Step::Refused(_) if worker.is_some() && started.elapsed() < HEARSAY => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Step::Refused(reason) => return Err(Error::internal(format!("a message of case {number} was refused: {reason}"))),
            }
        }
    }

    /// A visit on site in the first free slot of the fortnight after `from`; another one if somebody was faster.
    pub async fn book(&self, number: usize, opened: &Opened, worker: &str, clinic: &str, from: Time) -> Result<()> {
        let mut scheduling = SchedulingServiceClient::new(self.worker("scheduling", worker, number)?);
        let window = Interval {
            from: Some(proto::timestamp(from + Duration::from_secs(86_400))),
            to: Some(proto::timestamp(from + Duration::from_secs(15 * 86_400))),
        };
        let request = ListSlotsRequest { clinic_id: clinic.to_owned(), channel: 0, window: Some(window), page_size: 100 };
        let slots = scheduling.list_slots(request).await.map_err(|status| rpc::status::error(&status))?.into_inner().slots;
        for (index, slot) in slots.iter().enumerate() {
            let request = HoldSlotRequest {
                request_id: self.id(number, &format!("hold {index}")),
                case_id: opened.case_id.clone(),
                resource_id: slot.resource_id.clone(),
                starts_at: slot.time.as_ref().and_then(|time| time.from),
                hold_seconds: 0,
            };
            let client = self.worker("scheduling", worker, number)?;
            let held = self.call(|| {
                let mut scheduling = SchedulingServiceClient::new(client.clone());
                let request = request.clone();
                async move { scheduling.hold_slot(request).await }
            });
            let booking = match held.await? {
                Step::Done(answer) => answer.booking.unwrap_or_default(),
                Step::Refused(reason) if reason == "SLOT_TAKEN" => continue,
                Step::Refused(reason) if reason == "NOT_FOUND" => {
                    // Scheduling may not have heard of the assignment yet.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                }
                Step::Refused(reason) => return Err(Error::internal(format!("a slot was refused: {reason}"))),
            };
            let request = ConfirmBookingRequest {
                request_id: self.id(number, "confirm"),
                booking_id: booking.booking_id.clone(),
                external_ref: String::new(),
            };
            let confirmed = self.call(|| {
                let mut scheduling = SchedulingServiceClient::new(client.clone());
                let request = request.clone();
                async move { scheduling.confirm_booking(request).await }
            });
            Self::must("confirming a booking", confirmed.await?)?;
            self.ledger.booked(&opened.case_id, &booking.booking_id);
            return Ok(());
        }
        Ok(())
    }

    /// Closes a case: as the worker, or as the visitor who gives up. Refused if the visitor is too late to give up.
    pub async fn close(&self, number: usize, opened: &Opened, worker: Option<&str>, outcome: i32) -> Result<Step<()>> {
        let client = match worker {
            Some(worker) => self.worker("intake", worker, number)?,
            None => self.client("intake", number, &opened.visitor_token)?,
        };
        let what = if worker.is_some() { "close" } else { "leave" };
        let request = CloseCaseRequest { request_id: self.id(number, what), case_id: opened.case_id.clone(), outcome };
        let done = self.call(|| {
            let mut cases = CaseServiceClient::new(client.clone());
            let request = request.clone();
            async move { cases.close_case(request).await }
        });
        Ok(match done.await? {
            Step::Done(answer) => {
                if let Some(case) = answer.case {
                    self.ledger.closed(&case, worker.is_none());
                }
                Step::Done(())
            }
            Step::Refused(reason) => Step::Refused(reason),
        })
    }

    pub async fn rate(&self, number: usize, opened: &Opened, rating: i32) -> Result<()> {
        if opened.visitor_token.is_empty() {
            return Ok(());
        }
        let client = self.client("intake", number, &opened.visitor_token)?;
        let request = RateCaseRequest { request_id: self.id(number, "rate"), case_id: opened.case_id.clone(), rating, text: String::new() };
        let done = self.call(|| {
            let mut cases = CaseServiceClient::new(client.clone());
            let request = request.clone();
            async move { cases.rate_case(request).await }
        });
        Self::must("rating", done.await?)?;
        self.ledger.rated(&opened.case_id, rating);
        Ok(())
    }
}
