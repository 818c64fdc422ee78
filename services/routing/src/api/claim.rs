//! ClaimCase.

use auth::Role;
use kernel::error::Violations;
use kernel::{Error, Result, Severity};
use proto::routing::{ClaimCaseRequest, ClaimCaseResponse};
use region::QueueKind;
use rpc::Caller;
use tonic::{Request, Response};

use super::{Api, MAX_REASON};
use crate::app::desk::{Desk, Note};
use crate::domain::case::{Command, State, decide};
use crate::store::{cases, presence};

/// A leader may take any case of their clinics; others what waits in a list that they answer, or what they are offered, or an
/// emergency for which they are there.
async fn may_claim(desk: &mut Desk<'_, '_>, caller: &Caller, row: &cases::CaseRow) -> Result<()> {
    let me = &caller.principal.id;
    if caller.role() == Role::Leader || is_asked(row, me) {
        return Ok(());
    }
    let region = desk.region.clone();
    let queue = region.queue(&row.case.needs.queue).map(|(_, queue)| queue);
    if row.case.severity == Severity::Emergency && desk.who_is_there(row, &row.case.needs).await?.contains(me) {
        return Ok(());
    }
    if queue.is_none_or(|queue| queue.kind == QueueKind::Push) {
        return Err(Error::precondition(
            "QUEUE_OFFERS",
            "cases of this queue are offered, not claimed; be present and an offer comes, and an emergency can be claimed",
        ));
    }
    let answers = region.worker(me).is_some_and(|(_, worker)| queue.is_some_and(|queue| worker.answers(queue)));
    if answers { Ok(()) } else { Err(Error::precondition("QUEUE_NOT_YOURS", "you do not answer this queue")) }
}

fn is_asked(row: &cases::CaseRow, worker: &str) -> bool {
    row.is_offered() && row.case.offer().is_some_and(|offer| offer.worker == worker)
}

impl Api {
    pub(crate) async fn claim_case(&self, request: Request<ClaimCaseRequest>) -> Result<Response<ClaimCaseResponse>> {
        let caller = rpc::caller(&request)?;
        let request = request.into_inner();
        let once = caller.once(&request.request_id, &request)?;
        let mut found = Violations::default();
        let case = found.id("case_id", &request.case_id);
        found.optional_text("reason", &request.reason, MAX_REASON);
        found.done()?;
        let (acting, reason) = (caller.clone(), request.reason);
        self.act(&caller, &caller.principal.organisation, once, move |desk| {
            let (caller, reason) = (acting.clone(), reason.clone());
            Box::pin(async move {
                let mut row = desk.the_case(case).await?;
                caller.check("case", &row.resource())?;
                let worker = caller.principal.id.clone();
                // A refusal of the case's state says more than one of the queue's kind.
                // What a worker has already, or is being asked to take, only a leader takes over.
                let waits = row.case.state == State::Waiting || row.case.offer().is_some_and(|offer| offer.worker == worker);
                let over = caller.role() == Role::Leader && !waits;
                let command = if over { Command::TakeOver { worker: worker.clone() } } else { Command::Claim { worker: worker.clone() } };
                let listed = desk.region.queue(&row.case.needs.queue).is_some_and(|(_, queue)| queue.kind == QueueKind::Pull);
                let emergency = row.case.severity == Severity::Emergency && !listed && !is_asked(&row, &worker);
                let why = match () {
                    () if over => "a leader took it over",
                    () if emergency => "the worker took the emergency from the queue",
                    () => "the worker took it from the list",
                };
                let decision = decide(&row.case, &command, desk.now())?;
                may_claim(desk, &caller, &row).await?;
                presence::lock(desk.unit.tx, &[worker.as_str()]).await?;
                desk.count_claimed(&mut row).await?;
                desk.perform(
                    &mut row,
                    decision,
                    Note { how: "claimed", why: why.to_owned(), by: if over { worker } else { String::new() }, reason, ..Note::default() },
                )
                .await?;
                desk.unit.audit(case, &row.scope());
                let answer = ClaimCaseResponse { case_id: case.to_string(), assigned_at: Some(proto::timestamp(desk.now())) };
                Ok((answer, case.to_string()))
            })
        })
        .await
    }
}
