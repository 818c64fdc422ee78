//! Files of a visitor's own conversation.

use askama::Template;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use kernel::Id;
use proto::intake::Attachment;

use super::{chat, send};
use crate::pages::{case, file};
use crate::web::{Page, Problem, Upload, Visitor, form};

/// A message with its files; without any it is as good as any other message.
pub async fn post(page: Page, visitor: Visitor, Path(case): Path<Id>, headers: HeaderMap, upload: Upload) -> Result<Response, Problem> {
    let calls = visitor.calls(case)?;
    let scripted = form::scripted(&headers);
    // Browsers send CRLF from a form and LF from a script: the same text is the same.
    let text = upload.text.replace("\r\n", "\n");
    match file::post(&calls, case, upload, text.clone()).await {
        Ok(posted) => send::answer(&page, &calls, case, scripted, posted),
        Err(refused) => {
            let told = refused.said(&page)?;
            if scripted {
                return Ok(file::refused(&told));
            }
            // What was written stays where it was written.
            let shown = chat::shown(&page, &visitor, case, chat::From::default(), text, told.text).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, shown).into_response())
        }
    }
}

#[derive(Template)]
#[template(path = "visitor/file.html")]
struct Picture {
    page: Page,
    case: Id,
    file: Attachment,
    practice: bool,
}

/// A picture at its full size, with the way back.
pub async fn full(page: Page, visitor: Visitor, Path((case, id)): Path<(Id, String)>) -> Result<Response, Problem> {
    let calls = visitor.calls(case)?;
    let file = file::about(&calls, &id).await?;
    let practice = case::load(&calls, &case.to_string()).await?.practice;
    page.show(&Picture { page: page.clone(), case, file, practice })
}

pub async fn picture(visitor: Visitor, Path((case, id)): Path<(Id, String)>) -> Result<Response, Problem> {
    file::picture(&visitor.calls(case)?, &id).await
}

pub async fn save(visitor: Visitor, Path((case, id)): Path<(Id, String)>) -> Result<Response, Problem> {
    file::save(&visitor.calls(case)?, &id).await
}
