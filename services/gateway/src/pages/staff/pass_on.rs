//! `/staff/c/<case>/pass-on`: proposing to the visitor to go on at another organisation. Nothing leaves this one before their yes.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Response};
use kernel::Id;
use proto::intake::{
    Case, EntryPoint, EntryPointSummary, GetEntryPointRequest, GetTransferRequest, ListEntryPointsRequest, Message, ProposeTransferRequest,
    SystemCode, Transfer, TransferState, WithdrawTransferRequest,
};
use serde::Deserialize;

use super::acts;
use crate::pages::case;
use crate::web::{Form, Page, Problem, Staff};

/// Doors that are shown at once; others are found by a word of their name.
const SHOWN: i32 = 50;

#[derive(Default, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    q: String,
    /// The chosen door.
    #[serde(default)]
    door: String,
}

#[derive(Template)]
#[template(path = "staff/pass_on.html")]
struct PassOn {
    page: Page,
    staff: Staff,
    case: String,
    q: String,
    doors: Vec<EntryPointSummary>,
    chosen: Option<EntryPoint>,
    reason: String,
    text: String,
    error: String,
    request_id: String,
}

/// A form as it was sent and could not be taken, and why.
#[derive(Default)]
struct Again {
    reason: String,
    text: String,
    error: String,
}

pub async fn choose(page: Page, staff: Staff, Path(id): Path<Id>, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    let case = case::load(&staff.calls, &id.to_string()).await?;
    shown(page, staff, case, wanted, Again::default()).await
}

async fn shown(page: Page, staff: Staff, case: Case, wanted: Wanted, again: Again) -> Result<Response, Problem> {
    let language = page.language().code().to_owned();
    let chosen = if wanted.door.is_empty() {
        None
    } else {
        let request = GetEntryPointRequest { entry_point_id: wanted.door, language: language.clone() };
        staff.calls.cases().get_entry_point(request).await?.into_inner().entry_point
    };
    let doors = if chosen.is_some() {
        Vec::new()
    } else {
        let request = ListEntryPointsRequest { language, query: wanted.q.clone(), page_size: 200, ..ListEntryPointsRequest::default() };
        let found = staff.calls.cases().list_entry_points(request).await?.into_inner().entry_points;
        let takes =
            |one: &EntryPointSummary| one.organisation_id != case.organisation_id && one.practice == case.practice && one.anonymous_allowed;
        found.into_iter().filter(takes).take(SHOWN as usize).collect()
    };
    let request_id = Id::new(staff.calls.now()).to_string();
    let Again { reason, text, error } = again;
    page.show(&PassOn { page: page.clone(), staff, case: case.case_id, q: wanted.q, doors, chosen, reason, text, error, request_id })
}

#[derive(Deserialize)]
pub struct Proposed {
    door: String,
    /// Made by the page, so that a double click asks once.
    #[serde(default)]
    request_id: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    text: String,
}

pub async fn propose(page: Page, staff: Staff, Path(id): Path<Id>, Form(proposed): Form<Proposed>) -> Result<Response, Problem> {
    let id = id.to_string();
    let text = proposed.text.replace("\r\n", "\n").trim().to_owned();
    let request = ProposeTransferRequest {
        request_id: proposed.request_id,
        case_id: id.clone(),
        entry_point_id: proposed.door.clone(),
        contact_reason_id: proposed.reason.clone(),
        text: text.clone(),
    };
    match staff.calls.transfers().propose_transfer(request).await {
        Ok(_) => Ok(acts::back(&page, &staff, &id, "pass-on-proposed", "pass-on")),
        Err(status) if status.code() == tonic::Code::InvalidArgument => {
            let case = case::load(&staff.calls, &id).await?;
            let wanted = Wanted { door: proposed.door, ..Wanted::default() };
            let again = Again { reason: proposed.reason, text, error: page.say("pass-on-wrong").to_string() };
            let shown = shown(page, staff, case, wanted, again).await?;
            Ok((axum::http::StatusCode::UNPROCESSABLE_ENTITY, shown).into_response())
        }
        Err(status) if rpc::status::reason(&status).as_deref() == Some("TRANSFER_OPEN") => {
            Ok(acts::back(&page, &staff, &id, "pass-on-waits", "pass-on"))
        }
        Err(status) => acts::refused(&page, &staff, &id, status, "pass-on"),
    }
}

#[derive(Deserialize)]
pub struct Given {
    transfer: String,
}

pub async fn withdraw(page: Page, staff: Staff, Path(id): Path<Id>, Form(given): Form<Given>) -> Result<Response, Problem> {
    let id = id.to_string();
    let request = WithdrawTransferRequest { case_id: id.clone(), transfer_id: given.transfer };
    match staff.calls.transfers().withdraw_transfer(request).await {
        Ok(_) => Ok(acts::back(&page, &staff, &id, "pass-on-withdrawn", "pass-on")),
        // The visitor was faster.
        Err(status) if status.code() == tonic::Code::FailedPrecondition => Ok(acts::back(&page, &staff, &id, "pass-on-over", "pass-on")),
        Err(status) => Err(status.into()),
    }
}

/// The case's last proposal, if the conversation speaks of one; while intake cannot say, it goes on without.
pub async fn last(staff: &Staff, case: &str, messages: &[Message]) -> Result<Option<Transfer>, Problem> {
    if !messages.iter().filter_map(|message| message.system.as_ref()).any(|line| line.code() == SystemCode::TransferProposed) {
        return Ok(None);
    }
    match staff.calls.transfers().get_transfer(GetTransferRequest { case_id: case.to_owned() }).await {
        Ok(answer) => Ok(answer.into_inner().transfer),
        Err(status) if status.code() == tonic::Code::Unauthenticated => Err(status.into()),
        Err(_) => Ok(None),
    }
}

/// Where it stands, in words, and how that looks.
pub fn standing(page: &Page, transfer: &Transfer) -> (String, &'static str) {
    let (key, tone) = match transfer.state() {
        TransferState::Proposed | TransferState::Unspecified => ("pass-on-open", "warning"),
        TransferState::Agreed => ("pass-on-agreed", "good"),
        TransferState::Declined => ("pass-on-declined", "warning"),
        TransferState::Withdrawn => ("pass-on-taken-back", "plain"),
        TransferState::Expired => ("pass-on-expired", "warning"),
        TransferState::Failed => ("pass-on-failed", "urgent"),
    };
    (page.say(key).to_string(), tone)
}
