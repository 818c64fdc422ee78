//! `/leader/access`: how each of the staff comes in, invitations and the addresses that came of them.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use proto::access::{InviteWorkerRequest, ListStaffAccessRequest, RemoveAccessRequest, StaffAccess, WithdrawInvitationRequest};
use serde::Deserialize;

use super::only_leaders;
use crate::Gateway;
use crate::pages::staff::said::{Notice, Said};
use crate::pages::staff::view;
use crate::web::{Form, Page, Problem, Staff};

/// How one of the staff comes in, in words.
struct Row {
    access: StaffAccess,
    /// Names of the sign-in services that know them, as on the buttons.
    services: String,
    since: String,
    until: String,
    /// Whether it is the leader who looks.
    own: bool,
}

#[derive(Template)]
#[template(path = "leader/access.html")]
struct Access {
    page: Page,
    staff: Staff,
    notice: Option<Notice>,
    rows: Vec<Row>,
    /// Whether the description allows invitations.
    allowed: bool,
}

pub async fn show(State(gateway): State<Gateway>, page: Page, staff: Staff, Query(said): Query<Said>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let found = staff.calls.invitations().list_staff_access(ListStaffAccessRequest::default()).await?.into_inner();
    let service = |name: &String| gateway.provider(name).map_or_else(|| name.clone(), |provider| provider.settings.label.clone());
    let rows = found.staff.into_iter().map(|access| Row {
        services: access.providers.iter().map(service).collect::<Vec<_>>().join(", "),
        since: view::moment(access.since.as_ref()),
        until: view::moment(access.invitation_expires_at.as_ref()),
        own: access.worker_id == staff.id,
        access,
    });
    page.show(&Access { page: page.clone(), notice: said.notice(&page), rows: rows.collect(), allowed: found.invitations, staff })
}

#[derive(Deserialize)]
pub struct Invited {
    worker: String,
    email: String,
}

pub async fn invite(page: Page, staff: Staff, Form(invited): Form<Invited>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let request = InviteWorkerRequest {
        worker_id: invited.worker.clone(),
        email: invited.email,
        language: page.language().code().to_owned(),
        ..InviteWorkerRequest::default()
    };
    let said = match staff.calls.invitations().invite_worker(request).await {
        Ok(_) => "invited",
        Err(status) => match status.code() {
            tonic::Code::InvalidArgument => "invite-address",
            tonic::Code::FailedPrecondition => "invite-no-pages",
            tonic::Code::ResourceExhausted => "invite-too-many",
            _ => return Err(status.into()),
        },
    };
    Ok(back(&page, &staff, said))
}

#[derive(Deserialize)]
pub struct Withdrawn {
    invitation: String,
}

pub async fn withdraw(page: Page, staff: Staff, Form(withdrawn): Form<Withdrawn>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let request = WithdrawInvitationRequest { request_id: String::new(), invitation_id: withdrawn.invitation };
    match staff.calls.invitations().withdraw_invitation(request).await {
        // What has gone meanwhile is as gone as it should be; the page shows what came of it.
        Err(status) if status.code() != tonic::Code::NotFound => Err(status.into()),
        _ => Ok(back(&page, &staff, "invitation-withdrawn")),
    }
}

#[derive(Deserialize)]
pub struct Removed {
    worker: String,
}

pub async fn remove(page: Page, staff: Staff, Form(removed): Form<Removed>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let request = RemoveAccessRequest { request_id: String::new(), worker_id: removed.worker };
    staff.calls.invitations().remove_access(request).await?;
    Ok(back(&page, &staff, "access-removed"))
}

fn back(page: &Page, staff: &Staff, said: &str) -> Response {
    page.then(&format!("/leader/access?said={said}"), &staff.calls)
}
