//! HoldSlot.

use std::sync::Arc;

use kernel::error::Violations;
use kernel::{Error, Id, Result};
use log::Unit;
use log::unit::Once;
use proto::scheduling::{HoldSlotRequest, HoldSlotResponse};
use region::Region;
use rpc::Caller;
use runtime::{Node, case_facts};
use tonic::{Request, Response};

use super::MAX_NAME;
use crate::SERVICE;
use crate::app::hold::{Offered, hold_slot, offered};

const DEFAULT_SECONDS: u32 = 300;
const MAX_SECONDS: u32 = 1_800;

struct Job {
    caller: Caller,
    once: Once,
    case: Id,
    seconds: u32,
    region: Arc<Region>,
    /// The slot, or why there is none; said only to who may know of the case.
    offered: Result<Offered>,
}

pub async fn hold(node: &Node, request: Request<HoldSlotRequest>) -> Result<Response<HoldSlotResponse>> {
    let caller = rpc::caller(&request)?;
    let request = request.into_inner();
    let once = caller.once(&request.request_id, &request)?;
    let mut found = Violations::default();
    let case = found.id("case_id", &request.case_id);
    found.text("resource_id", &request.resource_id, MAX_NAME);
    let starts_at = super::moment(&mut found, "starts_at", request.starts_at.as_ref());
    found.check(request.hold_seconds <= MAX_SECONDS, "hold_seconds", "may be at most 1800");
    found.done()?;
    let seconds = if request.hold_seconds == 0 { DEFAULT_SECONDS } else { request.hold_seconds };
    let region = node.region.get();
    let offered = offered(&region, &request.resource_id, starts_at.unwrap_or_default());
    let origin = caller.origin();
    let job = Arc::new(Job { caller, once, case, seconds, region, offered });
    // Those who want the same resource wait in one lane, rather than for each other's locks.
    let lane = Id::derived(&[b"resource", request.resource_id.as_bytes()]);
    let (answer, receipt) = node
        .commit(lane, origin, move |unit| {
            let job = job.clone();
            Box::pin(async move { job.run(unit).await })
        })
        .await?;
    Ok(rpc::caller::reply(SERVICE, answer, &receipt))
}

impl Job {
    async fn run(&self, unit: &mut Unit<'_>) -> Result<HoldSlotResponse> {
        if let Some(answer) = unit.earlier_answer(&self.once).await? {
            return Ok(answer);
        }
        let facts = case_facts::lock(unit, self.case).await?;
        self.caller.check("case", &facts.resource())?;
        if facts.closed {
            return Err(Error::precondition("CASE_CLOSED", "the case is closed; open it again to book for it"));
        }
        let offered = self.offered.clone()?;
        if offered.organisation != facts.organisation {
            return Err(Error::not_found("resource"));
        }
        let record = hold_slot(unit, &facts, offered, self.seconds).await?;
        unit.audit(facts.case, &facts.scope());
        let answer = HoldSlotResponse { booking: Some(super::booking_of(&self.region, &record, unit.now)) };
        unit.remember_answer(&self.once, &facts.case.to_string(), &answer).await?;
        Ok(answer)
    }
}
