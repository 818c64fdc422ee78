//! An invitation's link. Opening it only shows whom it invites, so that a mail server that looks behind links uses nothing up; the form
//! takes it up.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use proto::access::{AcceptInvitationRequest, GetInvitationRequest, GetInvitationResponse, PrincipalKind};

use crate::Gateway;
use crate::pages::staff::view;
use crate::sign_in::{self, Session, device};
use crate::web::{Page, Problem};

pub fn routes() -> Router<Gateway> {
    Router::new().route("/invitation/{token}", get(show).post(accept))
}

#[derive(Template)]
#[template(path = "sign_in/invitation.html")]
struct Invitation {
    page: Page,
    invited: GetInvitationResponse,
    role: &'static str,
    until: String,
}

#[derive(Template)]
#[template(path = "sign_in/invitation_gone.html")]
struct Gone {
    page: Page,
}

async fn show(State(gateway): State<Gateway>, page: Page, Path(token): Path<String>) -> Result<Response, Problem> {
    let invited = match gateway.services().ways_in()?.get_invitation(GetInvitationRequest { invitation_token: token }).await {
        Ok(invited) => invited.into_inner(),
        Err(status) => return refused(&page, status),
    };
    let role = match invited.kind() {
        PrincipalKind::Leader => "invitation-as-leader",
        PrincipalKind::Volunteer => "invitation-as-volunteer",
        _ => "invitation-as-worker",
    };
    page.show(&Invitation { page: page.clone(), role, until: view::moment(invited.expires_at.as_ref()), invited })
}

async fn accept(State(gateway): State<Gateway>, page: Page, headers: HeaderMap, Path(token): Path<String>) -> Result<Response, Problem> {
    let request = AcceptInvitationRequest { invitation_token: token, device: device::name(&headers) };
    let session = match gateway.services().ways_in()?.accept_invitation(request).await {
        Ok(answer) => answer.into_inner().session.ok_or_else(Problem::internal)?,
        Err(status) => return refused(&page, status),
    };
    Ok(sign_in::enter(&gateway, &Session { kind: session.kind(), token: session.token }, ""))
}

/// Used, withdrawn, too old, or never there: which of these is nobody's business who does not have it, and the way on is the same.
fn refused(page: &Page, status: tonic::Status) -> Result<Response, Problem> {
    if matches!(status.code(), tonic::Code::NotFound | tonic::Code::InvalidArgument) {
        return Ok((StatusCode::GONE, page.show(&Gone { page: page.clone() })?).into_response());
    }
    Err(status.into())
}
