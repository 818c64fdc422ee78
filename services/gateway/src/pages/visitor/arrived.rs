//! `/arrived`: what became of a referral, told by whoever has its code: the visitor, or where they were guided on to. Nobody signs in, and
//! the code is in no address.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use proto::intake::{ReferralOutcome, ReportReferralRequest};
use serde::Deserialize;

use crate::web::{Form, Page, Problem};

/// What can be told, in the order of the form.
const OUTCOMES: [(&str, ReferralOutcome); 3] =
    [("arrived", ReferralOutcome::Arrived), ("declined", ReferralOutcome::Declined), ("not-suitable", ReferralOutcome::NotSuitable)];

#[derive(Default, Deserialize)]
pub struct Told {
    #[serde(default)]
    code: String,
    #[serde(default)]
    outcome: String,
}

#[derive(Template)]
#[template(path = "visitor/arrived.html")]
struct Arrived {
    page: Page,
    code: String,
    error: String,
    done: bool,
    /// What was chosen already.
    chosen: String,
    outcomes: Vec<(&'static str, String)>,
}

fn form(page: &Page, told: Told, error: String, done: bool) -> Result<Response, Problem> {
    let outcomes = OUTCOMES.iter().map(|(value, _)| (*value, page.say(&format!("arrived-{value}")).to_string())).collect();
    page.show(&Arrived { page: page.clone(), code: told.code, error, done, chosen: told.outcome, outcomes })
}

pub async fn ask(page: Page) -> Result<Response, Problem> {
    form(&page, Told::default(), String::new(), false)
}

/// A card in a conversation sends its code alone: then it is asked how it went.
pub async fn tell(page: Page, Form(told): Form<Told>) -> Result<Response, Problem> {
    let Some((_, outcome)) = OUTCOMES.iter().find(|(value, _)| *value == told.outcome) else {
        return form(&page, told, String::new(), false);
    };
    let request = ReportReferralRequest { referral_code: told.code.trim().to_owned(), outcome: (*outcome).into() };
    let (code, error) = match page.calls().referrals().report_referral(request).await {
        Ok(_) => return form(&page, Told::default(), String::new(), true),
        Err(status) => match status.code() {
            tonic::Code::NotFound | tonic::Code::InvalidArgument => (StatusCode::UNPROCESSABLE_ENTITY, page.say("arrived-wrong")),
            tonic::Code::ResourceExhausted => (StatusCode::TOO_MANY_REQUESTS, page.say("arrived-often")),
            _ => return Err(status.into()),
        },
    };
    Ok((code, form(&page, told, error.to_string(), false)?).into_response())
}
