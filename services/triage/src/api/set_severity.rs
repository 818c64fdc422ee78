//! A worker sets another severity.

use kernel::error::Violations;
use kernel::{Result, Severity};
use proto::triage::{SetSeverityRequest, SetSeverityResponse};
use runtime::Node;
use tonic::{Request, Response};

use crate::app::set_severity::{Command, run};

/// Bytes of a reason.
const MAX_REASON: usize = 2_000;

pub async fn answer(node: &Node, request: Request<SetSeverityRequest>) -> Result<Response<SetSeverityResponse>> {
    let caller = rpc::caller(&request)?;
    let request = request.into_inner();
    let once = caller.once(&request.request_id, &request)?;
    let mut wrong = Violations::default();
    let case = wrong.id("case_id", &request.case_id);
    let severity = request.severity().known();
    wrong.check(severity.is_some(), "severity", "must say how grave it is");
    wrong.optional_text("reason", &request.reason, MAX_REASON);
    wrong.done()?;
    // `done` has refused a request without one.
    let severity = severity.unwrap_or(Severity::Emergency);
    let command = Command { once, case, severity, reason: request.reason };
    let (answer, receipt) = node
        .commit(case, caller.origin(), move |unit| {
            let (caller, command) = (caller.clone(), command.clone());
            Box::pin(async move { run(unit, &caller, &command).await })
        })
        .await?;
    Ok(rpc::caller::reply("triage", answer, &receipt))
}
