//! Files of a conversation, for staff.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use kernel::Id;

use super::acts;
use super::say::Sent;
use crate::Gateway;
use crate::pages::file;
use crate::services::Calls;
use crate::web::{Page, Problem, Staff, StaffToken, Upload, form};

/// A message with its files. A script asks for the number; a form is led back to the conversation.
pub async fn post(page: Page, staff: Staff, Path(case): Path<Id>, headers: HeaderMap, upload: Upload) -> Result<Response, Problem> {
    let scripted = form::scripted(&headers);
    let text = upload.text.clone();
    match file::post(&staff.calls, case, upload, text).await {
        Ok(posted) if scripted => {
            let seq = posted.message.map_or(0, |message| message.seq);
            Ok(Json(Sent { seq }).into_response())
        }
        Ok(_) => Ok(page.then(&format!("{}#write", acts::address(&case.to_string())), &staff.calls)),
        Err(refused) => {
            let code = refused.code();
            let told = refused.said(&page)?;
            if scripted { Ok(file::refused(&told)) } else { Ok(acts::back(&page, &staff, &case.to_string(), code, "write")) }
        }
    }
}

/// What a page shows by itself keeps no session.
fn calls(gateway: &Gateway, token: &StaffToken) -> Calls {
    gateway.services().with(&token.0, None)
}

pub async fn picture(State(gateway): State<Gateway>, token: StaffToken, Path((_, id)): Path<(Id, String)>) -> Result<Response, Problem> {
    file::picture(&calls(&gateway, &token), &id).await
}

pub async fn save(State(gateway): State<Gateway>, token: StaffToken, Path((_, id)): Path<(Id, String)>) -> Result<Response, Problem> {
    file::save(&calls(&gateway, &token), &id).await
}
