//! What a leader does with a case that is stuck: back into a queue, to a colleague, or to themselves. Always with a reason, which
//! stands in the explanation for ever after.

use axum::extract::Path;
use axum::response::Response;
use kernel::Id;
use proto::routing::{ClaimCaseRequest, ReleaseCaseRequest, TransferCaseRequest};
use serde::Deserialize;

use super::only_leaders;
use crate::pages::staff::acts;
use crate::web::{Form, Page, Problem, Staff};

#[derive(Deserialize)]
pub struct Wanted {
    /// `release`, `worker`, `queue` or `take`.
    #[serde(rename = "do")]
    act: String,
    #[serde(default)]
    worker: String,
    #[serde(default)]
    queue: String,
    #[serde(default)]
    reason: String,
}

pub async fn rescue(page: Page, staff: Staff, Path(case): Path<Id>, Form(wanted): Form<Wanted>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let id = case.to_string();
    let back = |said: &str| page.then(&format!("/leader/c/{id}?said={said}#rescue"), &staff.calls);
    let reason = wanted.reason.trim().to_owned();
    if reason.is_empty() {
        return Ok(back("rescue-reason"));
    }
    let mut routing = staff.calls.routing();
    let send = |worker_id: String, queue_id: String| TransferCaseRequest {
        case_id: id.clone(),
        worker_id,
        queue_id,
        reason: reason.clone(),
        ..TransferCaseRequest::default()
    };
    let (done, said) = match wanted.act.as_str() {
        "release" => {
            let request = ReleaseCaseRequest { request_id: String::new(), case_id: id.clone(), reason };
            (routing.release_case(request).await.map(drop), "released")
        }
        "worker" if !wanted.worker.is_empty() => (routing.transfer_case(send(wanted.worker, String::new())).await.map(drop), "offered-on"),
        "queue" if !wanted.queue.is_empty() => (routing.transfer_case(send(String::new(), wanted.queue)).await.map(drop), "sent-on"),
        "take" => {
            let request = ClaimCaseRequest { request_id: String::new(), case_id: id.clone(), reason };
            match routing.claim_case(request).await {
                Ok(_) => return Ok(page.then(&acts::address(&id), &staff.calls)),
                Err(status) => (Err(status), ""),
            }
        }
        _ => return Err(Problem::invalid()),
    };
    match done {
        Ok(()) => Ok(back(said)),
        // Somebody was faster: how it stands now, the page shows.
        Err(status) if status.code() == tonic::Code::FailedPrecondition => Ok(back("rescue-late")),
        Err(status) if status.code() == tonic::Code::InvalidArgument => Ok(back("rescue-reason")),
        Err(status) => Err(status.into()),
    }
}
