//! A visitor tells who they are, a part at a time, each by an act of their own. What they tell lies with the case and is erased
//! with it; events and audit rows say that it was told, never what.

use kernel::error::Violations;
use kernel::{Error, Id, Result};
use log::Receipt;
use proto::intake::{Case, IdentityField, IdentityRevealed, RevealIdentityRequest, SystemCode};
use region::{Country, PersonNumbers};
use rpc::Caller;

use crate::app::lines::{self, Line};
use crate::app::{App, change, live};
use crate::domain::person_number;
use crate::store::cases;

/// Longest name or address.
const MAX_VALUE: usize = 200;

/// The value as it is kept, if it makes sense.
fn checked(field: IdentityField, value: &str, country: Country, numbers: PersonNumbers) -> Result<String> {
    let text = value.trim();
    let ok = match field {
        IdentityField::Name => !text.contains(char::is_control),
        IdentityField::Phone => {
            let digits = text.chars().filter(char::is_ascii_digit).count();
            (5..=15).contains(&digits) && text.chars().all(|letter| letter.is_ascii_digit() || " +-()".contains(letter))
        }
        IdentityField::Email => text.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && host.contains('.') && !host.contains('@') && !text.contains(char::is_whitespace)
        }),
        IdentityField::PersonNumber => return person_number::parse(country, numbers, text),
        IdentityField::Unspecified => return Err(Error::invalid("field", "is required")),
    };
    let what = match field {
        IdentityField::Phone => "is no telephone number",
        IdentityField::Email => "is no e-mail address",
        _ => "is no name",
    };
    if ok { Ok(text.to_owned()) } else { Err(Error::invalid("value", what)) }
}

impl App {
    pub async fn reveal(&self, caller: Caller, request: RevealIdentityRequest) -> Result<(Case, Receipt)> {
        let once = caller.once(&request.request_id, &request)?;
        let mut violations = Violations::default();
        let id = violations.id("case_id", &request.case_id);
        let field = IdentityField::try_from(request.field).unwrap_or_default();
        violations.check(field != IdentityField::Unspecified, "field", "must be name, phone, email or person_number");
        violations.text("value", &request.value, MAX_VALUE);
        violations.done()?;
        let app = self.clone();
        self.node
            .commit(id, caller.origin(), move |unit| {
                let (app, caller, once, value) = (app.clone(), caller.clone(), once.clone(), request.value.clone());
                Box::pin(async move {
                    if let Some(earlier) = unit.earlier_answer::<Case>(&once).await? {
                        return Ok(earlier);
                    }
                    let mut case = change::lock(unit, &caller, caller.rpc, id).await?;
                    if case.life.closed_at.is_some() {
                        return Err(Error::precondition("CASE_CLOSED", "the case is closed; open it again first"));
                    }
                    let region = app.node.region.get();
                    let organisation = region.organisation(&case.organisation).ok_or_else(|| Error::not_found("case"))?;
                    let value = checked(field, &value, organisation.country, organisation.person_numbers)?;
                    case.revealed.retain(|(known, ..)| *known != i32::from(field));
                    case.revealed.push((field.into(), value, unit.now.micros()));
                    unit.emit(id, &case.scope(), &IdentityRevealed { field: field.into() })?;
                    let line = Line::new(SystemCode::IdentityRevealed, [("field", code(field).to_owned())]);
                    lines::say(unit, &app.node, &mut case, line).await?;
                    unit.audit(id, &case.scope());
                    cases::update(unit, &case).await?;
                    let answer = case.to_proto();
                    live::case(unit, &app.node, answer.clone());
                    unit.remember_answer(&once, &Id::to_string(&id), &answer).await?;
                    Ok(answer)
                })
            })
            .await
    }
}

const fn code(field: IdentityField) -> &'static str {
    match field {
        IdentityField::Unspecified => "",
        IdentityField::Name => "name",
        IdentityField::Phone => "phone",
        IdentityField::Email => "email",
        IdentityField::PersonNumber => "person_number",
    }
}
