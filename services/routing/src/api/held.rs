//! ReleaseCase, TransferCase.

use std::time::Duration;

use kernel::error::Violations;
use kernel::{Error, Id, Result};
use proto::routing::{ReleaseCaseRequest, ReleaseCaseResponse, TransferCaseRequest, TransferCaseResponse};
use rpc::caller::reply;
use tonic::{Request, Response};

use super::{Api, MAX_NAME};
use crate::app::desk::Note;
use crate::domain::case::{Command, Offer, Refusal, Target};

/// How long a colleague has to answer if the case's queue is not known any more.
const OFFER_SECONDS: u32 = 60;

impl Api {
    pub(crate) async fn release_case(&self, request: Request<ReleaseCaseRequest>) -> Result<Response<ReleaseCaseResponse>> {
        let caller = rpc::caller(&request)?;
        let request = request.into_inner();
        let once = caller.once(&request.request_id, &request)?;
        let mut found = Violations::default();
        let case = found.id("case_id", &request.case_id);
        found.done()?;
        let (origin, desks) = (caller.origin(), self.app.desks.clone());
        let (answer, receipt) = self
            .app
            .commit(&caller.principal.organisation.clone(), origin, move |unit| {
                let (once, caller, desks) = (once.clone(), caller.clone(), desks.clone());
                Box::pin(async move {
                    if let Some(answer) = unit.earlier_answer::<ReleaseCaseResponse>(&once).await? {
                        return Ok(answer);
                    }
                    let mut desk = desks.open(unit);
                    let mut row = desk.the_case(case).await?;
                    caller.check("case", &row.resource())?;
                    // A leader gives it back for whoever has it.
                    let worker = row.case.holder().unwrap_or(&caller.principal.id).to_owned();
                    let why =
                        if worker == caller.principal.id { "the worker gave it back" } else { "a leader gave it back for the worker" };
                    desk.act(&mut row, &Command::Release { worker }, Note { why: why.to_owned(), ..Note::default() }).await?;
                    desk.unit.audit(case, &row.scope());
                    let answer = ReleaseCaseResponse {};
                    desk.unit.remember_answer(&once, &case.to_string(), &answer).await?;
                    desk.settle().await?;
                    Ok(answer)
                })
            })
            .await?;
        Ok(reply("routing", answer, &receipt))
    }

    pub(crate) async fn transfer_case(&self, request: Request<TransferCaseRequest>) -> Result<Response<TransferCaseResponse>> {
        let caller = rpc::caller(&request)?;
        let request = request.into_inner();
        let once = caller.once(&request.request_id, &request)?;
        let mut found = Violations::default();
        let case = found.id("case_id", &request.case_id);
        found.text("worker_id", &request.worker_id, MAX_NAME);
        found.done()?;
        let (origin, desks) = (caller.origin(), self.app.desks.clone());
        let (answer, receipt) = self
            .app
            .commit(&caller.principal.organisation.clone(), origin, move |unit| {
                let (once, caller, desks, to) = (once.clone(), caller.clone(), desks.clone(), request.worker_id.clone());
                Box::pin(async move {
                    if let Some(answer) = unit.earlier_answer::<TransferCaseResponse>(&once).await? {
                        return Ok(answer);
                    }
                    let mut desk = desks.open(unit);
                    let mut row = desk.the_case(case).await?;
                    caller.check("case", &row.resource())?;
                    // Another organisation's worker reads the same as one who does not exist.
                    desk.region
                        .worker(&to)
                        .filter(|(organisation, _)| organisation.id == row.organisation)
                        .ok_or_else(|| Error::not_found("worker"))?;
                    let worker = row.case.holder().ok_or(Refusal::NotHolder)?.to_owned();
                    let seconds = desk.region.queue(&row.case.needs.queue).map_or(OFFER_SECONDS, |(_, queue)| queue.offer_seconds);
                    let until = desk.now() + Duration::from_secs(u64::from(seconds));
                    let offer = Offer { offer: Id::new(desk.now()), worker: to, until };
                    let why = "a colleague wants to hand the case over".to_owned();
                    let command = Command::Transfer { worker, to: Target::Worker(offer) };
                    desk.act(&mut row, &command, Note { why, ..Note::default() }).await?;
                    desk.unit.audit(case, &row.scope());
                    let answer = TransferCaseResponse {};
                    desk.unit.remember_answer(&once, &case.to_string(), &answer).await?;
                    desk.settle().await?;
                    Ok(answer)
                })
            })
            .await?;
        Ok(reply("routing", answer, &receipt))
    }
}
