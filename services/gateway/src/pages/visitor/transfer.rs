//! Going on at another organisation: what is proposed, the visitor's answer, and the way there. The screen stays the same.

use std::time::Duration;

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use kernel::Id;
use proto::intake::{AnswerTransferRequest, Continuation, GetTransferRequest, Message, SystemCode, Transfer, TransferState};
use serde::Deserialize;

use super::chat::Opened;
use crate::services::Calls;
use crate::web::{Form, Page, Problem, Visitor};

/// How often, and how many times, one looks whether what was agreed is carried out: three seconds in all.
const LOOK: Duration = Duration::from_millis(100);
const LOOKS: u32 = 30;

#[derive(Template)]
#[template(path = "visitor/transfer.html")]
struct Section<'a> {
    page: &'a Page,
    case: Id,
    transfer: Transfer,
}

/// What stands above the field for the next message; empty unless something is proposed or agreed.
pub async fn section(page: &Page, calls: &Calls, case: Id, messages: &[Message]) -> Result<String, Problem> {
    let spoken_of = messages.iter().filter_map(|message| message.system.as_ref()).any(|line| line.code() == SystemCode::TransferProposed);
    if !spoken_of {
        return Ok(String::new());
    }
    let Some(transfer) = get(calls, case).await?.0 else { return Ok(String::new()) };
    let shown = [TransferState::Proposed, TransferState::Agreed, TransferState::Done].contains(&transfer.state());
    if shown { Ok(Section { page, case, transfer }.render()?) } else { Ok(String::new()) }
}

async fn get(calls: &Calls, case: Id) -> Result<(Option<Transfer>, Option<Continuation>), Problem> {
    let found = calls.transfers().get_transfer(GetTransferRequest { case_id: case.to_string() }).await?.into_inner();
    Ok((found.transfer, found.continuation))
}

/// The same, for the page's script.
pub async fn renewed(page: Page, visitor: Visitor, Path(case): Path<Id>) -> Result<Response, Problem> {
    let calls = visitor.calls(case)?;
    let html = match get(&calls, case).await?.0 {
        Some(transfer) if [TransferState::Proposed, TransferState::Agreed, TransferState::Done].contains(&transfer.state()) => {
            Section { page: &page, case, transfer }.render()?
        }
        _ => String::new(),
    };
    Ok(axum::response::Html(html).into_response())
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
        Ok(_) if agreed => go_on(&page, visitor, case).await,
        // Taken back meanwhile: the page says what is now.
        Ok(_) => Ok(page.then(&format!("{}/c/{case}#latest", page.base()), &calls)),
        Err(status) if status.code() == tonic::Code::FailedPrecondition => {
            Ok(page.then(&format!("{}/c/{case}#latest", page.base()), &calls))
        }
        Err(status) => Err(status.into()),
    }
}

pub async fn onward(page: Page, visitor: Visitor, Path(case): Path<Id>) -> Result<Response, Problem> {
    go_on(&page, visitor, case).await
}

/// To the case at the other organisation, as soon as it is there.
async fn go_on(page: &Page, mut visitor: Visitor, case: Id) -> Result<Response, Problem> {
    let calls = visitor.calls(case)?;
    for _ in 0..LOOKS {
        let (transfer, continuation) = get(&calls, case).await?;
        if let Some(there) = continuation {
            let id = Id::parse("case_id", &there.case_id)?;
            visitor.add(id, &there.visitor_token);
            let sealed = Opened::new(id, there.return_phrase, None).seal(page.gateway())?;
            let mut response = page.then(&format!("{}/c/{id}/welcome?s={sealed}", page.base()), &calls);
            visitor.keep(&mut response);
            return Ok(response);
        }
        if transfer.is_none_or(|transfer| transfer.state() != TransferState::Agreed) {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(page.then(&format!("{}/c/{case}#latest", page.base()), &calls))
}
