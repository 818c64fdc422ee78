//! What staff do with a case. Each form leads back to the conversation, which says what came of it.

use axum::extract::Path;
use axum::response::Response;
use kernel::Id;
use proto::intake::{
    CaseMode, CaseState, CloseCaseRequest, MarkDocumentedRequest, Outcome, ReopenCaseRequest, SetCaseModeRequest, Severity,
};
use proto::routing::ReleaseCaseRequest;
use proto::triage::SetSeverityRequest;
use serde::Deserialize;

use super::conversation::{OUTCOMES, SEVERITIES};
use super::view;
use crate::web::{Form, Page, Problem, Staff};

pub fn address(case: &str) -> String {
    format!("/staff/c/{case}")
}

/// Back to the conversation at `part`, with a word on what came of it.
pub fn back(page: &Page, staff: &Staff, case: &str, said: &str, part: &str) -> Response {
    page.then(&format!("{}?said={said}#{part}", address(case)), &staff.calls)
}

/// What everyday work runs into is said in the conversation; anything else is a page of its own.
pub fn refused(page: &Page, staff: &Staff, case: &str, status: tonic::Status, part: &str) -> Result<Response, Problem> {
    let said = match rpc::status::reason(&status).as_deref() {
        // Somebody else's, or in its queue again: it cannot be shown.
        _ if status.code() == tonic::Code::NotFound => return Ok(page.then("/staff?said=not-yours", &staff.calls)),
        Some("CASE_CLOSED") => "closed-already",
        Some("NOT_HOLDER" | "CASE_NOT_ASSIGNED") => "not-yours",
        Some("NO_QUEUE") => "queue-missing",
        Some("CASE_NOT_CLOSED") => "open-still",
        Some("SLOT_TAKEN" | "SLOT_PASSED" | "HOLD_EXPIRED" | "SLOT_NOT_OFFERED") => "slot-taken",
        _ => return Err(status.into()),
    };
    Ok(back(page, staff, case, said, part))
}

pub fn severity_code(severity: Severity) -> &'static str {
    severity.as_str_name().trim_start_matches("SEVERITY_")
}

pub fn outcome_code(outcome: Outcome) -> &'static str {
    outcome.as_str_name().trim_start_matches("OUTCOME_")
}

#[derive(Deserialize)]
pub struct Graver {
    severity: String,
    #[serde(default)]
    reason: String,
}

pub async fn severity(page: Page, staff: Staff, Path(case): Path<Id>, Form(asked): Form<Graver>) -> Result<Response, Problem> {
    let case = case.to_string();
    let severity = SEVERITIES.into_iter().find(|one| severity_code(*one) == asked.severity).ok_or_else(Problem::invalid)?;
    let request =
        SetSeverityRequest { request_id: String::new(), case_id: case.clone(), severity: severity.into(), reason: asked.reason.clone() };
    match staff.calls.triage().set_severity(request).await {
        Ok(_) => Ok(back(&page, &staff, &case, "severity-set", "severity")),
        Err(status) if status.code() == tonic::Code::InvalidArgument && asked.reason.trim().is_empty() => {
            Ok(back(&page, &staff, &case, "lower-needs-reason", "severity"))
        }
        Err(status) => refused(&page, &staff, &case, status, "severity"),
    }
}

#[derive(Deserialize)]
pub struct Turn {
    /// `live`, `visitor` or `us`.
    turn: String,
    #[serde(default)]
    due: String,
}

pub async fn mode(page: Page, staff: Staff, Path(case): Path<Id>, Form(asked): Form<Turn>) -> Result<Response, Problem> {
    let case = case.to_string();
    let (mode, state) = match asked.turn.as_str() {
        "live" => (CaseMode::Live, CaseState::Unspecified),
        "visitor" => (CaseMode::Asynchronous, CaseState::WaitingForVisitor),
        "us" => (CaseMode::Asynchronous, CaseState::WaitingForUs),
        _ => return Err(Problem::invalid()),
    };
    let due_at = if state == CaseState::WaitingForUs {
        let Some(due) = view::local(&asked.due) else { return Ok(back(&page, &staff, &case, "due-unreadable", "turn")) };
        if due <= staff.calls.now() {
            return Ok(back(&page, &staff, &case, "due-passed", "turn"));
        }
        Some(proto::timestamp(due))
    } else {
        None
    };
    let request = SetCaseModeRequest { request_id: String::new(), case_id: case.clone(), mode: mode.into(), state: state.into(), due_at };
    match staff.calls.cases().set_case_mode(request).await {
        Ok(_) => Ok(back(&page, &staff, &case, "mode-set", "turn")),
        Err(status) => refused(&page, &staff, &case, status, "turn"),
    }
}

/// Where a leader comes from.
#[derive(Deserialize)]
pub struct From {
    #[serde(default)]
    board: String,
}

pub async fn release(page: Page, staff: Staff, Path(case): Path<Id>, Form(from): Form<From>) -> Result<Response, Problem> {
    let case = case.to_string();
    match staff.calls.routing().release_case(ReleaseCaseRequest { case_id: case.clone(), ..ReleaseCaseRequest::default() }).await {
        Ok(_) if !from.board.is_empty() => Ok(page.then("/leader?said=released", &staff.calls)),
        Ok(_) => Ok(page.then("/staff?said=released", &staff.calls)),
        Err(status) => refused(&page, &staff, &case, status, "transfer"),
    }
}

#[derive(Deserialize)]
pub struct Ending {
    #[serde(default)]
    outcome: String,
}

pub async fn close(page: Page, staff: Staff, Path(case): Path<Id>, Form(ending): Form<Ending>) -> Result<Response, Problem> {
    let case = case.to_string();
    let Some(outcome) = OUTCOMES.into_iter().find(|one| outcome_code(*one) == ending.outcome) else {
        return Ok(back(&page, &staff, &case, "outcome-missing", "close"));
    };
    let request = CloseCaseRequest { request_id: String::new(), case_id: case.clone(), outcome: outcome.into() };
    match staff.calls.cases().close_case(request).await {
        Ok(_) => Ok(page.then(&format!("{}#summary", address(&case)), &staff.calls)),
        Err(status) => refused(&page, &staff, &case, status, "close"),
    }
}

/// The case stands in the journal now, and leaves the list of those that do not.
pub async fn documented(page: Page, staff: Staff, Path(case): Path<Id>) -> Result<Response, Problem> {
    let case = case.to_string();
    let request = MarkDocumentedRequest { request_id: String::new(), case_id: case.clone() };
    match staff.calls.cases().mark_documented(request).await {
        Ok(_) => Ok(back(&page, &staff, &case, "documented", "summary")),
        Err(status) => refused(&page, &staff, &case, status, "summary"),
    }
}

pub async fn reopen(page: Page, staff: Staff, Path(case): Path<Id>) -> Result<Response, Problem> {
    let case = case.to_string();
    let request = ReopenCaseRequest { request_id: String::new(), case_id: case.clone() };
    let reopened = staff.calls.cases().reopen_case(request).await?.into_inner().case.unwrap_or_default();
    // A live case goes through its queue again: it is nobody's yet.
    let to = if reopened.worker_id == staff.id { format!("{}?said=reopened", address(&case)) } else { "/staff?said=reopened".to_owned() };
    Ok(page.then(&to, &staff.calls))
}
