//! Texts that are sent often: chosen from a list beside the field for the next message, and still to be changed there.

use axum::extract::Path;
use axum::response::Response;
use kernel::Id;
use proto::intake::{CannedReply, ListCannedRepliesRequest};
use serde::Deserialize;

use super::conversation;
use crate::web::{Form, Page, Problem, Staff};

/// The texts in the visitor's language, with names filled in; none for whoever cannot send them.
pub async fn list(staff: &Staff, case: &str, answers: bool) -> Result<Vec<CannedReply>, Problem> {
    if !answers {
        return Ok(Vec::new());
    }
    let request = ListCannedRepliesRequest { case_id: case.to_owned(), language: String::new() };
    Ok(staff.calls.clinics().list_canned_replies(request).await?.into_inner().canned_replies)
}

#[derive(Deserialize)]
pub struct Chosen {
    reply: String,
    /// What stands in the field already.
    #[serde(default)]
    text: String,
}

/// The conversation again, with the text in the field: for pages without a script. Nothing is sent.
pub async fn fill(page: Page, staff: Staff, Path(case): Path<Id>, Form(chosen): Form<Chosen>) -> Result<Response, Problem> {
    let case = case.to_string();
    let known = list(&staff, &case, true).await?;
    let reply = known.into_iter().find(|one| one.canned_reply_id == chosen.reply).ok_or_else(Problem::not_found)?;
    let draft = if chosen.text.trim().is_empty() { reply.text } else { format!("{}\n{}", chosen.text.trim_end(), reply.text) };
    conversation::open(page, staff, &case, &conversation::Wanted::default(), None, draft).await
}
