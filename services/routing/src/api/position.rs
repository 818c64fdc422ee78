//! GetPosition.

use auth::Role;
use kernel::Result;
use kernel::error::Violations;
use proto::routing::{GetPositionRequest, GetPositionResponse};
use tonic::{Request, Response};

use super::Api;
use crate::domain::case::State;
use crate::domain::eligible::Costs;
use crate::domain::queue::{expected_wait, position};
use crate::store::cases::{self, CaseRow};
use crate::store::{offers, presence};

impl Api {
    /// A case that triage has not answered for is shown behind those that wait: its severity is not known yet.
    pub(crate) async fn get_position(&self, request: Request<GetPositionRequest>) -> Result<Response<GetPositionResponse>> {
        let caller = rpc::caller(&request)?;
        let mut found = Violations::default();
        let id = found.id("case_id", &request.into_inner().case_id);
        found.done()?;
        let row = cases::load(&self.app.node.of(&caller), id).await?;
        caller.check("case", &row.resource())?;
        // Visitors look at their own place every few seconds; whoever else looks is worth a row.
        if caller.role() != Role::Visitor {
            self.app.node.log_read(&caller, vec![(id, row.scope())]).await?;
        }
        let pending = matches!(row.case.state, State::Pending { .. });
        if !pending && !row.is_offered() && row.case.state != State::Waiting {
            return Ok(Response::new(GetPositionResponse::default()));
        }
        let region = self.app.region();
        let queue = region.queue(&row.case.needs.queue);
        // Nobody stands before a visitor who has left a message for the next opening.
        let now = self.app.node.now();
        let queued = cases::queued(&self.app.node.of(&caller), &row.case.needs.queue, row.practice).await?;
        let mut waiting: Vec<_> = queued.iter().filter(|one| one.not_before <= now || one.id == id).map(CaseRow::waiting).collect();
        if pending {
            waiting.push(row.waiting());
        }
        let limit = queue.map_or(u32::MAX, |(_, queue)| queue.max_overtakes);
        let place = position(&waiting, limit, id).unwrap_or(waiting.len().max(1));
        let mut answer =
            GetPositionResponse { waiting: true, position: u32::try_from(place).unwrap_or(u32::MAX), ..GetPositionResponse::default() };
        if let Some((organisation, queue)) = queue {
            let workers: Vec<&str> =
                organisation.workers.iter().filter(|worker| worker.answers(queue)).map(|worker| worker.id.as_str()).collect();
            let there = presence::list(&self.app.node.of(&caller), &workers).await?;
            let cost = Costs::default().of(row.case.needs.channel).max(1);
            let places: u32 = there.values().filter(|one| one.is_there_for(row.practice)).map(|one| one.capacity / cost).sum();
            let recent = offers::recent(&self.app.node.of(&caller), &queue.id, row.practice).await?;
            if let Some((least, most)) = expected_wait(place, &recent, places) {
                answer.wait_known = true;
                answer.min_wait_seconds = u32::try_from(least.as_secs()).unwrap_or(u32::MAX);
                answer.max_wait_seconds = u32::try_from(most.as_secs()).unwrap_or(u32::MAX);
            }
        }
        Ok(Response::new(answer))
    }
}
