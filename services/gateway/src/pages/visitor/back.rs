//! `/return`: back to a conversation with its return phrase, from any device.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use kernel::Id;
use proto::intake::ResumeCaseRequest;
use serde::Deserialize;

use super::entry;
use crate::web::{Form, Page, Problem, Visitor};

#[derive(Template)]
#[template(path = "visitor/return.html")]
struct Return {
    page: Page,
    phrase: String,
    error: String,
    /// Conversations of this browser's that go on.
    cases: Vec<String>,
}

pub async fn ask(page: Page, visitor: Visitor) -> Result<Response, Problem> {
    let cases = entry::ongoing(&visitor).await.into_iter().map(|case| case.case_id).collect();
    page.show(&Return { page: page.clone(), phrase: String::new(), error: String::new(), cases })
}

#[derive(Deserialize)]
pub struct Given {
    #[serde(default)]
    phrase: String,
}

pub async fn resume(page: Page, mut visitor: Visitor, Form(given): Form<Given>) -> Result<Response, Problem> {
    let calls = page.calls();
    let request = ResumeCaseRequest { request_id: String::new(), return_phrase: given.phrase.trim().to_owned() };
    let found = match calls.cases().resume_case(request).await {
        Ok(found) => found.into_inner(),
        Err(status) => {
            let (code, error) = match status.code() {
                tonic::Code::NotFound | tonic::Code::InvalidArgument => (StatusCode::UNPROCESSABLE_ENTITY, page.say("return-wrong")),
                tonic::Code::ResourceExhausted => (StatusCode::TOO_MANY_REQUESTS, page.say("return-often")),
                _ => return Err(Problem::from(status)),
            };
            let shown = Return { page: page.clone(), phrase: given.phrase, error: error.to_string(), cases: Vec::new() };
            return Ok((code, page.show(&shown)?).into_response());
        }
    };
    let case = found.case.ok_or_else(Problem::internal)?;
    let id = Id::parse("case_id", &case.case_id)?;
    visitor.add(id, &found.visitor_token);
    let mut response = page.then(&format!("{}/c/{id}", page.base()), &calls);
    visitor.keep(&mut response);
    Ok(response)
}
