//! `/staff`: the worklist. Alerts, offers, one's own cases, what waits, what was closed; and whether one is there.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use futures::future::{join_all, try_join_all};
use kernel::Id;
use proto::intake::{Case, CaseState, Severity};
use proto::routing::{
    AcceptOfferRequest, ClaimCaseRequest, DeclineOfferRequest, ListOffersRequest, ListPresenceRequest, ListQueueRequest, Offer, Presence,
    QueuedCase, SetPresenceRequest,
};
use serde::Deserialize;

use super::names::Names;
use super::said::{Notice, Said};
use super::view::{self, Row};
use super::{acts, cases};
use crate::pages::case;
use crate::web::{Form, Page, Problem, Staff};

/// Closed cases that the worklist shows.
const CLOSED: i32 = 10;

/// An offer that runs out.
struct OfferCard {
    id: String,
    /// Unix milliseconds, for the countdown.
    until: i64,
    until_said: String,
    severity: String,
    tone: &'static str,
    queue: String,
    /// Absent for volunteers: they see a case once it is theirs.
    row: Option<Row>,
}

/// A case that shows signs of danger.
struct AlertCard {
    case: String,
    raised: String,
    severity: String,
    row: Option<Row>,
    /// It is the worker's own.
    mine: bool,
    /// It is offered to them right now.
    offer: Option<String>,
    /// They may take it from the list.
    claimable: bool,
}

/// A case that waits.
struct Waiting {
    case: String,
    row: Option<Row>,
    severity: String,
    tone: &'static str,
    grave: Severity,
    since: i64,
    wait: String,
    queue: String,
    position: u32,
    offered: bool,
    claimable: bool,
}

#[derive(Template)]
#[template(path = "staff/desk.html")]
struct Desk {
    page: Page,
    staff: Staff,
    notice: Option<Notice>,
    presence: Presence,
    alerts: Vec<AlertCard>,
    offers: Vec<OfferCard>,
    mine: Vec<Row>,
    waiting: Vec<Waiting>,
    undocumented: Vec<Row>,
    closed: Vec<Row>,
}

impl Desk {
    /// Own cases with the last number that is known of each, for the stream of news.
    fn followed(&self) -> String {
        followed(&self.mine)
    }

    /// One's own by whose turn it is: who sits at a screen, whom we owe an answer, who owes us one.
    fn groups(&self) -> Vec<(String, Vec<&Row>)> {
        let of = |key: &str, state: CaseState| {
            let rows: Vec<&Row> = self.mine.iter().filter(|row| row.state == state).collect();
            (self.page.say(key).to_string(), rows)
        };
        let groups =
            [of("mine-live", CaseState::Active), of("mine-us", CaseState::WaitingForUs), of("mine-visitor", CaseState::WaitingForVisitor)];
        groups.into_iter().filter(|(_, rows)| !rows.is_empty()).collect()
    }
}

/// `ID:SEQ,ID:SEQ`.
pub fn followed(mine: &[Row]) -> String {
    let each: Vec<String> = mine.iter().map(|row| format!("{}:{}", row.id, row.last_seq)).collect();
    each.join(",")
}

/// What waits in the queues that the caller may look at, each case with its queue.
async fn queued(staff: &Staff, names: &Names) -> Result<Vec<(String, QueuedCase)>, Problem> {
    if staff.is_volunteer() {
        return Ok(Vec::new());
    }
    let each = names.queues_of(staff).into_iter().map(|queue| async move {
        let request = ListQueueRequest { queue_id: queue.queue_id.clone() };
        let cases = staff.calls.routing().list_queue(request).await?.into_inner().cases;
        Ok::<_, Problem>(cases.into_iter().map(|case| (queue.queue_id.clone(), case)).collect::<Vec<_>>())
    });
    Ok(try_join_all(each).await?.concat())
}

async fn waiting_cases(staff: &Staff) -> Result<HashMap<String, Case>, Problem> {
    if staff.is_volunteer() {
        return Ok(HashMap::new());
    }
    let found = cases::list(staff, &[CaseState::Open, CaseState::Waiting, CaseState::Offered], "", 200).await?;
    Ok(found.into_iter().map(|case| (case.case_id.clone(), case)).collect())
}

/// What a colleague wants to hand over waits in no queue: it is asked for by its id. Out of reach, the offer stands for itself.
async fn with_offered(staff: &Staff, mut known: HashMap<String, Case>, offers: &[Offer]) -> HashMap<String, Case> {
    let missing = offers.iter().filter(|offer| !staff.is_volunteer() && !known.contains_key(&offer.case_id));
    let found = join_all(missing.map(|offer| case::load(&staff.calls, &offer.case_id))).await;
    known.extend(found.into_iter().flatten().map(|case| (case.case_id.clone(), case)));
    known
}

pub async fn presence_of(staff: &Staff) -> Result<Presence, Problem> {
    let known = staff.calls.routing().list_presence(ListPresenceRequest::default()).await?.into_inner().presences;
    Ok(known.into_iter().find(|one| one.worker_id == staff.id).unwrap_or_default())
}

pub async fn show(page: Page, staff: Staff, Query(said): Query<Said>) -> Result<Response, Problem> {
    let now = staff.calls.now();
    let names = Names::load(&page, &staff).await?;
    let mut routing = staff.calls.routing();
    let offers = async { Ok(routing.list_offers(ListOffersRequest {}).await?.into_inner()) };
    let (presence, offers, queued, known, mine, undocumented, closed) = tokio::try_join!(
        presence_of(&staff),
        offers,
        queued(&staff, &names),
        waiting_cases(&staff),
        cases::mine(&page, &staff, &names, now),
        cases::undocumented(&page, &staff, &names, now),
        cases::list(&staff, &[CaseState::Closed], &staff.id, CLOSED),
    )?;
    let known = with_offered(&staff, known, &offers.offers).await;
    let mut offers = offers;
    // The gravest first, then whichever ends first: that is also what the key for the first one takes.
    offers.offers.sort_by_key(|offer| (std::cmp::Reverse(offer.severity()), offer.expires_at.as_ref().map(|at| (at.seconds, at.nanos))));
    let row = |case: &str| known.get(case).map(|case| Row::new(&page, &names, case, now));
    let claimable = |queue: &str| staff.is_leader() || names.queue_of(queue).is_some_and(|queue| queue.pull);
    // Whoever was alerted to an emergency may take it, also while a colleague is being asked.
    let alerted = |case: &QueuedCase| {
        case.severity() == Severity::Emergency
            && offers.alerts.iter().any(|alert| alert.case_id == case.case_id)
            && !offers.offers.iter().any(|offer| offer.case_id == case.case_id)
    };
    let mut waiting: Vec<Waiting> = queued
        .iter()
        .map(|(queue, case)| Waiting {
            case: case.case_id.clone(),
            row: row(&case.case_id),
            severity: view::severity(&page, case.severity()).to_string(),
            tone: view::tone(case.severity()),
            grave: case.severity(),
            since: case.waiting_since.as_ref().map_or(0, |at| at.seconds),
            wait: view::ago(&page, case.waiting_since.as_ref(), now).to_string(),
            queue: names.queue(&page, queue),
            position: case.position,
            offered: case.offered,
            claimable: claimable(queue) && !case.offered || alerted(case),
        })
        .collect();
    waiting.sort_by_key(|one| (std::cmp::Reverse(one.grave), one.since));
    let alerts = offers.alerts.iter().map(|alert| {
        let own = mine.iter().find(|one| one.id == alert.case_id);
        AlertCard {
            case: alert.case_id.clone(),
            raised: view::ago(&page, alert.raised_at.as_ref(), now).to_string(),
            severity: view::severity(&page, alert.severity()).to_string(),
            mine: own.is_some(),
            row: own.cloned().or_else(|| row(&alert.case_id)),
            offer: offers.offers.iter().find(|one| one.case_id == alert.case_id).map(|one| one.offer_id.clone()),
            claimable: waiting.iter().any(|one| one.case == alert.case_id && one.claimable),
        }
    });
    let desk = Desk {
        alerts: alerts.collect(),
        offers: offers
            .offers
            .iter()
            .map(|offer| OfferCard {
                id: offer.offer_id.clone(),
                until: offer.expires_at.as_ref().map_or(0, |at| at.seconds * 1000 + i64::from(at.nanos / 1_000_000)),
                until_said: page.time(offer.expires_at.as_ref()),
                severity: view::severity(&page, offer.severity()).to_string(),
                tone: view::tone(offer.severity()),
                queue: names.queue(&page, &offer.queue_id),
                row: row(&offer.case_id),
            })
            .collect(),
        closed: closed.iter().map(|case| Row::new(&page, &names, case, now)).collect(),
        notice: said.notice(&page),
        page: page.clone(),
        staff,
        presence,
        mine,
        waiting,
        undocumented,
    };
    page.show(&desk)
}

#[derive(Deserialize)]
pub struct Presenting {
    present: u8,
    /// Points of work; 0: all that one has.
    #[serde(default)]
    capacity: u32,
    /// `1`: it is for practice.
    #[serde(default)]
    practising: u8,
    /// Seconds for which it holds; a page with a script renews it while it is open.
    #[serde(default)]
    hold: u32,
}

pub async fn presence(page: Page, staff: Staff, Form(said): Form<Presenting>) -> Result<Response, Problem> {
    let request = SetPresenceRequest {
        request_id: String::new(),
        present: said.present == 1,
        capacity: said.capacity,
        hold_seconds: said.hold,
        practising: said.practising == 1,
    };
    staff.calls.routing().set_presence(request).await?;
    Ok(page.then("/staff", &staff.calls))
}

/// A page of this worker's is open: who is there stays there. Nothing for somebody who is not.
pub async fn renew(staff: Staff) -> Result<(), Problem> {
    // Whoever runs the region is never anybody's to answer.
    if staff.is_operator() {
        return Ok(());
    }
    let presence = presence_of(&staff).await?;
    if presence.present {
        let (capacity, practising) = (presence.capacity, presence.practising);
        let request = SetPresenceRequest { present: true, capacity, practising, ..SetPresenceRequest::default() };
        staff.calls.routing().set_presence(request).await?;
    }
    Ok(())
}

pub async fn accept(page: Page, staff: Staff, Path(offer): Path<Id>) -> Result<Response, Problem> {
    let request = AcceptOfferRequest { request_id: String::new(), offer_id: offer.to_string() };
    match staff.calls.routing().accept_offer(request).await {
        Ok(answer) => Ok(page.then(&acts::address(&answer.into_inner().case_id), &staff.calls)),
        Err(status) => too_late(&page, &staff, status),
    }
}

pub async fn decline(page: Page, staff: Staff, Path(offer): Path<Id>) -> Result<Response, Problem> {
    let request = DeclineOfferRequest { request_id: String::new(), offer_id: offer.to_string() };
    match staff.calls.routing().decline_offer(request).await {
        Ok(_) => Ok(page.then("/staff", &staff.calls)),
        Err(status) => too_late(&page, &staff, status),
    }
}

pub async fn claim(page: Page, staff: Staff, Path(case): Path<Id>) -> Result<Response, Problem> {
    let request = ClaimCaseRequest { case_id: case.to_string(), ..ClaimCaseRequest::default() };
    match staff.calls.routing().claim_case(request).await {
        Ok(_) => Ok(page.then(&acts::address(&case.to_string()), &staff.calls)),
        Err(status) => too_late(&page, &staff, status),
    }
}

/// Somebody else was faster, or the offer ran out: an everyday thing, said on the worklist.
fn too_late(page: &Page, staff: &Staff, status: tonic::Status) -> Result<Response, Problem> {
    match status.code() {
        tonic::Code::FailedPrecondition | tonic::Code::AlreadyExists | tonic::Code::NotFound => {
            Ok(page.then("/staff?said=too-late", &staff.calls))
        }
        _ => Err(status.into()),
    }
}
