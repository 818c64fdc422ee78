//! What staff write: messages, notes, and that they are writing.

use axum::Json;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use kernel::Id;
use proto::intake::{PostMessageRequest, PostNoteRequest, SetTypingRequest};
use serde::{Deserialize, Serialize};

use super::acts;
use crate::Gateway;
use crate::web::{Form, Page, Problem, Staff, StaffToken, form};

#[derive(Deserialize)]
pub struct Written {
    text: String,
    /// Made by the page, so that sending twice posts once.
    #[serde(default)]
    client_id: String,
}

impl Written {
    /// A page without a script makes none: then each post is a message of its own.
    fn client_id(&self, staff: &Staff) -> String {
        if self.client_id.is_empty() { Id::new(staff.calls.now()).to_string() } else { self.client_id.clone() }
    }
}

/// The committed message's number, for the page's script.
#[derive(Serialize)]
pub struct Sent {
    pub seq: i64,
}

/// A script asks for the number; a form is led back to the conversation.
pub async fn message(
    page: Page,
    staff: Staff,
    Path(case): Path<Id>,
    headers: HeaderMap,
    Form(written): Form<Written>,
) -> Result<Response, Problem> {
    let scripted = form::scripted(&headers);
    let case = case.to_string();
    if written.text.trim().is_empty() && !scripted {
        return Ok(acts::back(&page, &staff, &case, "empty", "write"));
    }
    let client_id = written.client_id(&staff);
    let request = PostMessageRequest { case_id: case.clone(), client_id, text: written.text, ..Default::default() };
    let answer = staff.calls.conversations().post_message(request).await;
    if scripted {
        let seq = answer?.into_inner().message.map_or(0, |message| message.seq);
        return Ok(Json(Sent { seq }).into_response());
    }
    match answer {
        Ok(_) => Ok(page.then(&format!("{}#write", acts::address(&case)), &staff.calls)),
        Err(status) => acts::refused(&page, &staff, &case, status, "write"),
    }
}

pub async fn note(page: Page, staff: Staff, Path(case): Path<Id>, Form(written): Form<Written>) -> Result<Response, Problem> {
    let case = case.to_string();
    if written.text.trim().is_empty() {
        return Ok(acts::back(&page, &staff, &case, "note-empty", "notes"));
    }
    let request = PostNoteRequest { case_id: case.clone(), client_id: written.client_id(&staff), text: written.text };
    match staff.calls.conversations().post_note(request).await {
        Ok(_) => Ok(acts::back(&page, &staff, &case, "noted", "notes")),
        Err(status) => acts::refused(&page, &staff, &case, status, "notes"),
    }
}

/// Nothing is stored, and nobody's session is kept by it: a cat can lie on a keyboard.
pub async fn typing(
    axum::extract::State(gateway): axum::extract::State<Gateway>,
    StaffToken(token): StaffToken,
    Path(case): Path<Id>,
) -> Result<(), Problem> {
    let calls = gateway.services().with(&token, None);
    calls.conversations().set_typing(SetTypingRequest { case_id: case.to_string() }).await?;
    Ok(())
}
