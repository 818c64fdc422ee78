//! Going on at another organisation: what is proposed, the visitor's answer, and the way there. The screen stays the same.

use askama::Template;
use axum::extract::Path;
use axum::response::{Html, IntoResponse, Response};
use kernel::Id;
use proto::intake::{
    AnswerTransferRequest, Continuation, EntryPoint, GetTransferRequest, GetTransferResponse, Message, SystemCode, Transfer, TransferState,
};
use serde::Deserialize;

use super::chat::Opened;
use super::{entry, words};
use crate::services::Calls;
use crate::web::{Form, Page, Problem, Visitor};

#[derive(Template)]
#[template(path = "visitor/transfer.html")]
struct Section<'a> {
    page: &'a Page,
    case: Id,
    transfer: &'a Transfer,
    until: String,
    /// The door there as it is now, if one can say.
    door: Option<EntryPoint>,
}

impl Section<'_> {
    /// When what is passed on is read, if nobody is there now.
    fn shut(&self) -> String {
        let Some(door) = self.door.as_ref().filter(|door| !door.open) else { return String::new() };
        match words::when(self.page, door.next_opening_at.as_ref()) {
            when if when.is_empty() => self.page.say("transfer-shut").to_string(),
            when => self.page.say("transfer-shut-until").with("when", when).to_string(),
        }
    }
}

/// What stands above the field for the next message; empty unless something is proposed, or agreed on.
pub async fn section(page: &Page, calls: &Calls, case: Id, messages: &[Message]) -> Result<String, Problem> {
    let spoken_of = messages.iter().filter_map(|message| message.system.as_ref()).any(|line| line.code() == SystemCode::TransferProposed);
    if spoken_of { html(page, calls, case).await } else { Ok(String::new()) }
}

async fn html(page: &Page, calls: &Calls, case: Id) -> Result<String, Problem> {
    let found = get(calls, case).await?.transfer;
    let shown = |one: &Transfer| matches!(one.state(), TransferState::Proposed | TransferState::Agreed);
    let Some(transfer) = &found.filter(shown) else { return Ok(String::new()) };
    let door = entry::door(page, &transfer.entry_point_id).await.ok();
    Ok(Section { page, case, transfer, until: words::when(page, transfer.expires_at.as_ref()), door }.render()?)
}

async fn get(calls: &Calls, case: Id) -> Result<GetTransferResponse, Problem> {
    Ok(calls.transfers().get_transfer(GetTransferRequest { case_id: case.to_string() }).await?.into_inner())
}

/// The same, for the page's script.
pub async fn renewed(page: Page, visitor: Visitor, Path(case): Path<Id>) -> Result<Response, Problem> {
    Ok(Html(html(&page, &visitor.calls(case)?, case).await?).into_response())
}

#[derive(Deserialize)]
pub struct Answer {
    transfer: String,
    /// `yes`, and nothing else, is a yes.
    answer: String,
}

pub async fn answer(page: Page, visitor: Visitor, Path(case): Path<Id>, Form(given): Form<Answer>) -> Result<Response, Problem> {
    let calls = visitor.calls(case)?;
    let agreed = given.answer == "yes";
    let request = AnswerTransferRequest { case_id: case.to_string(), transfer_id: given.transfer, agreed };
    match calls.transfers().answer_transfer(request).await {
        Ok(answer) => go_on(&page, visitor, case, answer.into_inner().continuation),
        // Taken back meanwhile, or over: the page says what is now.
        Err(status) if status.code() == tonic::Code::FailedPrecondition => go_on(&page, visitor, case, None),
        Err(status) => Err(status.into()),
    }
}

/// Whoever comes back to the conversation that ended here goes on there.
pub async fn onward(page: Page, visitor: Visitor, Path(case): Path<Id>) -> Result<Response, Problem> {
    let continuation = get(&visitor.calls(case)?, case).await?.continuation;
    go_on(&page, visitor, case, continuation)
}

/// To the case at the other organisation, beginning with the words for coming back; without one, back to the conversation.
fn go_on(page: &Page, mut visitor: Visitor, case: Id, continuation: Option<Continuation>) -> Result<Response, Problem> {
    let calls = visitor.calls(case)?;
    let Some(there) = continuation else { return Ok(page.then(&format!("{}/c/{case}#latest", page.base()), &calls)) };
    let id = Id::parse("case_id", &there.case_id)?;
    visitor.add(id, &there.visitor_token);
    let sealed = Opened::new(id, there.return_phrase, None).seal(page.gateway())?;
    let mut response = page.then(&format!("{}/c/{id}/welcome?s={sealed}", page.base()), &calls);
    visitor.keep(&mut response);
    Ok(response)
}
