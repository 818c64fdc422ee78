//! To be told when an answer waits, with the telephone in one's pocket: by e-mail, or by one text message.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use kernel::Id;
use proto::notifications::SetContactRequest;
use serde::Deserialize;

use super::{chat, entry, start};
use crate::pages::case;
use crate::web::{Form, Page, Problem, Visitor};

#[derive(Deserialize)]
pub struct Contact {
    /// A number or an e-mail address, whichever they like better.
    #[serde(default)]
    to: String,
    /// For the next answer only.
    once: Option<String>,
}

pub async fn contact(page: Page, visitor: Visitor, Path(id): Path<Id>, Form(given): Form<Contact>) -> Result<Response, Problem> {
    let calls = visitor.calls(id)?;
    let home = format!("{}/c/{id}", page.base());
    let to = given.to.trim();
    let mut request = SetContactRequest {
        request_id: start::fresh_id()?,
        case_id: id.to_string(),
        language: page.language().code().to_owned(),
        once: given.once.is_some(),
        ..SetContactRequest::default()
    };
    if to.contains('@') || !page.gateway().settings().sms {
        request.email = to.to_owned();
    } else {
        let door = entry::door(&page, &case::load(&calls, &request.case_id).await?.entry_point_id).await?;
        request.phone = international(to, &door.country);
    }
    // To take an address back is another button's.
    if request.email.is_empty() && request.phone.is_empty() {
        return wrong(&page, &visitor, id, &given.to).await;
    }
    match calls.notifications().set_contact(request).await {
        Ok(_) => Ok(page.then(&format!("{home}?done=contact#contact"), &calls)),
        Err(status) if status.code() == tonic::Code::InvalidArgument => wrong(&page, &visitor, id, &given.to).await,
        Err(status) => Err(status.into()),
    }
}

/// What was typed stays, to be put right.
async fn wrong(page: &Page, visitor: &Visitor, id: Id, typed: &str) -> Result<Response, Problem> {
    let shown = chat::shown(page, visitor, id, chat::From::wrong("contact", "", typed), String::new(), String::new()).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, shown).into_response())
}

/// The address is taken back: nobody is told.
pub async fn forget(page: Page, visitor: Visitor, Path(id): Path<Id>) -> Result<Response, Problem> {
    let calls = visitor.calls(id)?;
    let (request_id, case_id) = (start::fresh_id()?, id.to_string());
    calls.notifications().set_contact(SetContactRequest { request_id, case_id, ..SetContactRequest::default() }).await?;
    Ok(page.then(&format!("{}/c/{id}?done=forgotten#contact", page.base()), &calls))
}

/// A number as people write it at home, as it is dialled from anywhere. What cannot be one stays as it is, to be refused.
fn international(written: &str, country: &str) -> String {
    let digits: String = written.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.' | '/' | '\u{a0}')).collect();
    if let Some(rest) = digits.strip_prefix("00") {
        return format!("+{rest}");
    }
    match (country, digits.strip_prefix('0')) {
        ("SE", Some(rest)) => format!("+46{rest}"),
        // Norwegian numbers have eight digits and no prefix.
        ("NO", None) if digits.len() == 8 && !digits.starts_with('+') => format!("+47{digits}"),
        _ => digits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written_at_home() {
        assert_eq!(international("070-174 06 05", "SE"), "+46701740605");
        assert_eq!(international("+46 (70) 174.06.05", "SE"), "+46701740605");
        assert_eq!(international("0046701740605", "NO"), "+46701740605");
        assert_eq!(international("406 12 345", "NO"), "+4740612345");
        assert_eq!(international("hemligt", "SE"), "hemligt");
    }
}
