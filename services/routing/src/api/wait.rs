//! GetExpectedWait: what a door may tell everybody of how long one waits. Coarse, so that nobody can count a clinic's visitors by it.

use kernel::error::Violations;
use kernel::{Error, Result};
use proto::routing::{GetExpectedWaitRequest, GetExpectedWaitResponse};
use tonic::{Request, Response};

use super::{Api, MAX_NAME};
use crate::domain::eligible::Costs;
use crate::domain::queue::expected_wait;
use crate::store::{cases, offers, presence};

/// Seconds to which a wait is rounded outwards.
const STEP: u64 = 300;

impl Api {
    pub(crate) async fn get_expected_wait(&self, request: Request<GetExpectedWaitRequest>) -> Result<Response<GetExpectedWaitResponse>> {
        let id = request.into_inner().entry_point_id;
        let mut found = Violations::default();
        found.text("entry_point_id", &id, MAX_NAME);
        found.done()?;
        let region = self.app.region();
        let (organisation, door) = region.entry_point(&id).ok_or_else(|| Error::not_found("entry point"))?;
        let queue = organisation.queue(&door.queue).ok_or_else(|| Error::not_found("entry point"))?;
        let workers: Vec<&str> =
            organisation.workers.iter().filter(|worker| worker.answers(queue)).map(|worker| worker.id.as_str()).collect();
        // Whoever asks: it is the door's organisation whose queue is looked at, and only figures come out.
        let db = self.app.node.db().of(&organisation.id);
        let there = presence::list(&db, &workers).await?;
        let channel = door.channels.first().copied().unwrap_or(kernel::Channel::Chat);
        let cost = Costs::default().of(channel).max(1);
        let places: u32 = there.values().filter(|one| one.is_there_for(door.practice)).map(|one| one.capacity / cost).sum();
        let now = self.app.node.now();
        let place = cases::queued(&db, &queue.id, door.practice).await?.iter().filter(|one| one.not_before <= now).count() + 1;
        let recent = offers::recent(&db, &queue.id, door.practice).await?;
        let mut answer = GetExpectedWaitResponse {
            staffed: there.values().any(|one| one.is_there_for(door.practice)),
            ..GetExpectedWaitResponse::default()
        };
        if let Some(most) = queue.max_waiting {
            answer.full = cases::at_screens(&db, &queue.id, door.practice, now).await? >= most;
        }
        if let Some((least, most)) = expected_wait(place, &recent, places) {
            let seconds = |steps: u64| u32::try_from(steps.saturating_mul(STEP)).unwrap_or(u32::MAX);
            answer.known = true;
            answer.min_seconds = seconds(least.as_secs() / STEP);
            answer.max_seconds = seconds(most.as_secs().div_ceil(STEP));
        }
        Ok(Response::new(answer))
    }
}
