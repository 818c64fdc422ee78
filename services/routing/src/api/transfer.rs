//! TransferCase and HandOver: a case goes to a colleague, who has to accept, or to a queue of the same organisation.

use std::collections::BTreeSet;
use std::time::Duration;

use auth::Resource;
use kernel::error::Violations;
use kernel::{Error, Id, Profession, Result};
use proto::routing::{HandOverRequest, HandOverResponse, TransferCaseRequest, TransferCaseResponse};
use region::{Organisation, Queue};
use rpc::Caller;
use tonic::{Request, Response};

use super::{Api, MAX_NAME, MAX_REASON};
use crate::app::desk::{Desk, Note};
use crate::app::roster;
use crate::domain::case::{Command, Offer, Target};
use crate::store::cases::{self, CaseRow};

/// How long a colleague has to answer if the case's queue is not known any more.
const OFFER_SECONDS: u32 = 60;

/// Where a case is to go.
#[derive(Clone)]
enum Goal {
    Worker(String),
    Queue(String),
    /// Its own queue.
    Back,
}

impl Api {
    pub(crate) async fn transfer_case(&self, request: Request<TransferCaseRequest>) -> Result<Response<TransferCaseResponse>> {
        let caller = rpc::caller(&request)?;
        let request = request.into_inner();
        let once = caller.once(&request.request_id, &request)?;
        let mut found = Violations::default();
        let case = found.id("case_id", &request.case_id);
        found.optional_text("worker_id", &request.worker_id, MAX_NAME);
        found.optional_text("queue_id", &request.queue_id, MAX_NAME);
        found.optional_text("clinic_id", &request.clinic_id, MAX_NAME);
        let profession = Profession::from_code(&request.profession);
        found.check(profession.is_some() || request.profession.is_empty(), "profession", "is unknown; nurse and physician are two");
        found.optional_text("reason", &request.reason, MAX_REASON);
        found.done()?;
        let acting = caller.clone();
        self.act(&caller, &caller.principal.organisation, once, move |desk| {
            let (caller, request) = (acting.clone(), request.clone());
            Box::pin(async move {
                let seen = cases::peek_row(desk.unit.tx, case).await?.ok_or_else(|| Error::not_found("case"))?;
                caller.check("case", &seen.resource())?;
                let region = desk.region.clone();
                let organisation = region.organisation(&seen.organisation).ok_or_else(|| Error::not_found("case"))?;
                let goal = goal(organisation, &seen, &request, profession)?;
                lock_goals(desk, &goal, std::slice::from_ref(&seen)).await?;
                let mut row = desk.the_case(case).await?;
                caller.check("case", &row.resource())?;
                let own = row.case.holder() == Some(&caller.principal.id);
                let by = if own { String::new() } else { caller.principal.id.clone() };
                let why = if own { "a colleague hands the case over" } else { "a leader sends the case on" };
                send(desk, &mut row, &goal, Note { why: why.to_owned(), by, reason: request.reason, ..Note::default() }).await?;
                desk.unit.audit(case, &row.scope());
                Ok((TransferCaseResponse {}, case.to_string()))
            })
        })
        .await
    }

    pub(crate) async fn hand_over(&self, request: Request<HandOverRequest>) -> Result<Response<HandOverResponse>> {
        let caller = rpc::caller(&request)?;
        let request = request.into_inner();
        let once = caller.once(&request.request_id, &request)?;
        let mut found = Violations::default();
        found.optional_text("worker_id", &request.worker_id, MAX_NAME);
        found.optional_text("to_worker_id", &request.to_worker_id, MAX_NAME);
        found.optional_text("queue_id", &request.queue_id, MAX_NAME);
        found.done()?;
        let acting = caller.clone();
        self.act(&caller, &caller.principal.organisation, once, move |desk| {
            let (caller, request) = (acting.clone(), request.clone());
            Box::pin(async move {
                let answer = hand_over(desk, &caller, &request).await?;
                Ok((answer, String::new()))
            })
        })
        .await
    }
}

async fn hand_over(desk: &mut Desk<'_, '_>, caller: &Caller, request: &HandOverRequest) -> Result<HandOverResponse> {
    let region = desk.region.clone();
    let organisation = region.organisation(&caller.principal.organisation).ok_or_else(|| Error::not_found("worker"))?;
    let whose = if request.worker_id.is_empty() { &caller.principal.id } else { &request.worker_id };
    let described = organisation.worker(whose).ok_or_else(|| Error::not_found("worker"))?;
    // One of the worker's clinics that the caller leads, if there is one.
    let clinic = described.clinics.iter().find(|clinic| caller.principal.clinics.contains(clinic));
    let clinic = clinic.map(String::as_str).unwrap_or_default();
    caller.check("worker", &Resource { organisation: &organisation.id, clinic, owner: whose, ..Resource::default() })?;
    let goal = match (request.to_worker_id.as_str(), request.queue_id.as_str()) {
        ("", "") => Goal::Back,
        (worker, queue) => {
            let to_worker =
                (!worker.is_empty()).then(|| organisation.worker(worker).ok_or_else(|| Error::not_found("worker"))).transpose()?;
            let to_queue = (!queue.is_empty()).then(|| organisation.queue(queue).ok_or_else(|| Error::not_found("queue"))).transpose()?;
            match (to_worker, to_queue) {
                (Some(worker), None) => Goal::Worker(worker.id.clone()),
                (None, Some(queue)) => Goal::Queue(queue.id.clone()),
                _ => return Err(Error::invalid("to_worker_id", "and queue_id exclude each other; name one")),
            }
        }
    };
    let leads = |row: &CaseRow| caller.principal.id == *whose || caller.principal.clinics.contains(&row.clinic);
    let held: Vec<CaseRow> = cases::held_by(desk.unit.tx, whose).await?.into_iter().filter(leads).collect();
    lock_goals(desk, &goal, &held).await?;
    let mut case_ids = Vec::new();
    for seen in held {
        // What was closed or given away meanwhile is not theirs to hand over any more.
        let Some(mut row) = desk.case(seen.id).await?.filter(|row| row.case.holder() == Some(whose)) else { continue };
        send(desk, &mut row, &goal, Note { why: "the worker's shift ends".to_owned(), ..Note::default() }).await?;
        desk.unit.audit(row.id, &row.scope());
        case_ids.push(row.id.to_string());
    }
    Ok(HandOverResponse { case_ids })
}

/// All queues that are touched, before any case: locks are taken in one order.
async fn lock_goals(desk: &mut Desk<'_, '_>, goal: &Goal, rows: &[CaseRow]) -> Result<()> {
    let mut queues = BTreeSet::new();
    match goal {
        Goal::Queue(queue) => {
            queues.insert(queue.clone());
        }
        Goal::Worker(worker) => queues.extend(roster::queues_of(&desk.region, worker)),
        Goal::Back => {}
    }
    for row in rows {
        queues.insert(row.case.needs.queue.clone());
        for worker in row.case.holder().into_iter().chain(row.case.offer().map(|offer| offer.worker.as_str())) {
            queues.extend(roster::queues_of(&desk.region, worker));
        }
    }
    desk.lock_queues(&queues).await
}

/// What a request names, if it is there and belongs to the organisation. Another organisation's reads as one that does not exist.
fn goal(organisation: &Organisation, row: &CaseRow, request: &TransferCaseRequest, profession: Option<Profession>) -> Result<Goal> {
    let given = |id: &str| (!id.is_empty()).then(|| id.to_owned());
    let worker = given(&request.worker_id).map(|id| organisation.worker(&id).ok_or_else(|| Error::not_found("worker"))).transpose()?;
    let queue = given(&request.queue_id).map(|id| organisation.queue(&id).ok_or_else(|| Error::not_found("queue"))).transpose()?;
    let clinic = given(&request.clinic_id).map(|id| organisation.clinic(&id).ok_or_else(|| Error::not_found("clinic"))).transpose()?;
    let to_clinic = clinic.is_some() || profession.is_some();
    match (worker, queue) {
        (Some(worker), None) if !to_clinic => Ok(Goal::Worker(worker.id.clone())),
        (None, Some(queue)) if !to_clinic => Ok(Goal::Queue(queue.id.clone())),
        (None, None) if to_clinic => {
            let clinic = clinic.map_or(row.clinic.as_str(), |clinic| &clinic.id);
            queue_at(organisation, clinic, profession)
                .map(|queue| Goal::Queue(queue.id.clone()))
                .ok_or_else(|| Error::precondition("NO_QUEUE", "that clinic has no queue for this profession; name another or a queue"))
        }
        _ => Err(Error::invalid("worker_id", "or else queue_id, or else clinic_id and profession: say one way to go")),
    }
}

/// A clinic's queue for a profession, or the one that takes anybody; without a profession the first.
fn queue_at<'r>(organisation: &'r Organisation, clinic: &str, profession: Option<Profession>) -> Option<&'r Queue> {
    let of_clinic = || organisation.queues.iter().filter(|queue| queue.clinic == clinic);
    let Some(profession) = profession else { return of_clinic().next() };
    of_clinic().find(|queue| queue.profession == profession).or_else(|| of_clinic().find(|queue| queue.profession == Profession::Any))
}

/// Whoever sends it away is not asked again before all others were.
async fn send(desk: &mut Desk<'_, '_>, row: &mut CaseRow, goal: &Goal, note: Note) -> Result<()> {
    let holder = row.case.holder().map(str::to_owned);
    let to = match goal {
        Goal::Worker(to) => {
            let seconds = desk.region.queue(&row.case.needs.queue).map_or(OFFER_SECONDS, |(_, queue)| queue.offer_seconds);
            let until = desk.now() + Duration::from_secs(u64::from(seconds));
            Target::Worker(Offer { offer: Id::new(desk.now()), worker: to.clone(), until })
        }
        Goal::Queue(queue) => {
            let profession = desk.region.queue(queue).map_or(Profession::Any, |(_, queue)| queue.profession);
            Target::Queue { queue: queue.clone(), profession }
        }
        Goal::Back => Target::Queue { queue: row.case.needs.queue.clone(), profession: row.case.needs.profession },
    };
    let command = match holder {
        Some(worker) => Command::Transfer { worker, to },
        // Only a leader gets here: to others a case that nobody has is out of reach.
        None => Command::Direct { to },
    };
    desk.act(row, &command, note).await
}
