//! A case and what was said in it, as every audience's pages ask for them.

use proto::intake::{Case, GetCaseRequest, ListMessagesRequest, Message};

use crate::services::Calls;
use crate::web::Problem;

/// Messages that a page shows without being asked for the earlier ones.
pub const SHOWN: i64 = 200;
/// Messages of one call.
const PAGE: i32 = 500;

pub async fn load(calls: &Calls, case: &str) -> Result<Case, Problem> {
    let request = GetCaseRequest { case_id: case.to_owned() };
    calls.cases().get_case(request).await?.into_inner().case.ok_or_else(Problem::not_found)
}

/// All messages after `after_seq`.
pub async fn messages(calls: &Calls, case: &str, mut after_seq: i64) -> Result<Vec<Message>, Problem> {
    let mut messages = Vec::new();
    loop {
        let request = ListMessagesRequest { case_id: case.to_owned(), after_seq, page_size: PAGE };
        let answer = calls.conversations().list_messages(request).await?.into_inner();
        let Some(last) = answer.messages.last() else { return Ok(messages) };
        after_seq = last.seq;
        messages.extend(answer.messages);
        if after_seq >= answer.last_seq {
            return Ok(messages);
        }
    }
}
