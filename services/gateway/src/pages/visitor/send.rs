//! A visitor writes: with the page's script, which wants to know what became of it, or without.

use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use kernel::Id;
use proto::intake::{PostMessageRequest, PostMessageResponse, SetTypingRequest};
use serde::{Deserialize, Serialize};

use super::chat::{self, Told};
use crate::services::Calls;
use crate::web::{Form, Page, Problem, Visitor, form};

#[derive(Deserialize)]
pub struct Written {
    client_id: String,
    #[serde(default)]
    text: String,
}

/// What became of it.
#[derive(Serialize)]
struct Sent {
    seq: i64,
    /// The bubble.
    html: String,
    /// What to call, with signs of danger.
    safety: String,
}

pub async fn send(
    page: Page,
    visitor: Visitor,
    Path(case): Path<Id>,
    headers: HeaderMap,
    Form(written): Form<Written>,
) -> Result<Response, Problem> {
    let calls = visitor.calls(case)?;
    let scripted = form::scripted(&headers);
    // Browsers send CRLF from a form and LF from a script: the same text is the same.
    let text = written.text.replace("\r\n", "\n");
    let request =
        PostMessageRequest { case_id: case.to_string(), client_id: written.client_id, text: text.clone(), ..PostMessageRequest::default() };
    let posted = match calls.conversations().post_message(request).await {
        Ok(posted) => posted.into_inner(),
        Err(status) if scripted => return Err(status.into()),
        Err(status) => {
            let error = match status.code() {
                tonic::Code::InvalidArgument => page.say("send-wrong"),
                tonic::Code::FailedPrecondition => page.say("send-closed"),
                tonic::Code::NotFound | tonic::Code::Unauthenticated | tonic::Code::PermissionDenied => return Err(status.into()),
                _ => page.say("send-failed"),
            };
            // What was written stays where it was written.
            let shown = chat::shown(&page, &visitor, case, chat::From::default(), text, error.to_string()).await?;
            return Ok((StatusCode::SERVICE_UNAVAILABLE, shown).into_response());
        }
    };
    answer(&page, &calls, case, scripted, posted)
}

/// What came of a message that was taken.
pub fn answer(page: &Page, calls: &Calls, case: Id, scripted: bool, posted: PostMessageResponse) -> Result<Response, Problem> {
    if !scripted {
        return Ok(page.then(&format!("{}/c/{case}#latest", page.base()), calls));
    }
    let message = posted.message.ok_or_else(Problem::internal)?;
    let safety = posted.safety.map(|notice| Told::new(&notice).html(page)).transpose()?.unwrap_or_default();
    Ok(Json(Sent { seq: message.seq, html: chat::bubble(page, &message)?, safety }).into_response())
}

pub async fn typing(visitor: Visitor, Path(case): Path<Id>) -> Result<StatusCode, Problem> {
    visitor.calls(case)?.conversations().set_typing(SetTypingRequest { case_id: case.to_string() }).await?;
    Ok(StatusCode::NO_CONTENT)
}
