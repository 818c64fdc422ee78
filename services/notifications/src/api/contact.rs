//! SetContact.

use std::sync::Arc;

use kernel::error::Violations;
use kernel::{Error, Id, Language, Result};
use log::Unit;
use log::unit::Once;
use proto::notifications::{SetContactRequest, SetContactResponse};
use rpc::Caller;
use runtime::{Node, case_facts};
use tonic::{Request, Response};

use crate::SERVICE;
use crate::app::away;
use crate::app::sender::Open;
use crate::store::contacts::{self, Address, Contact};

/// Longest address that mail can reach (RFC 5321).
const MAX_EMAIL: usize = 254;

struct Job {
    caller: Caller,
    once: Once,
    case: Id,
    /// None: taken back.
    address: Option<Address>,
    /// None: the case's own.
    language: Option<Language>,
    /// For one message only.
    for_one: bool,
}

pub async fn set(node: &Node, open: Open, request: Request<SetContactRequest>) -> Result<Response<SetContactResponse>> {
    let caller = rpc::caller(&request)?;
    let request = request.into_inner();
    let once = caller.once(&request.request_id, &request)?;
    let mut found = Violations::default();
    let case = found.id("case_id", &request.case_id);
    if !request.email.is_empty() {
        found.optional_text("email", &request.email, MAX_EMAIL);
        found.check(request.email.parse::<lettre::Address>().is_ok(), "email", "is no e-mail address such as name@example.org");
    }
    let phone = !request.phone.is_empty();
    found.check(!phone || is_number(&request.phone), "phone", "is no telephone number such as +46701234567");
    found.check(!phone || request.email.is_empty(), "phone", "takes the place of an e-mail address; give one of them");
    let language = Language::from_code(&request.language);
    found.check(language.is_some() || request.language.is_empty(), "language", "must be sv, nb, nn or en");
    found.done()?;
    if phone && !open.sms {
        return Err(Error::precondition("NO_SMS", "this installation sends no text messages (the setting sms)"));
    }
    let address = match (request.email.as_str(), request.phone.as_str()) {
        ("", "") => None,
        (email, "") => Some(Address::Email(email.to_owned())),
        (_, phone) => Some(Address::Phone(phone.to_owned())),
    };
    let origin = caller.origin();
    let job = Arc::new(Job { caller, once, case, address, language, for_one: request.once });
    let (answer, receipt) = node
        .commit(case, origin, move |unit| {
            let job = job.clone();
            Box::pin(async move { job.run(unit).await })
        })
        .await?;
    Ok(rpc::caller::reply(SERVICE, answer, &receipt))
}

/// E.164: a plus sign and at most 15 digits, the first of them no zero.
fn is_number(phone: &str) -> bool {
    phone.strip_prefix('+').is_some_and(|digits| {
        (8..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

impl Job {
    async fn run(&self, unit: &mut Unit<'_>) -> Result<SetContactResponse> {
        if let Some(answer) = unit.earlier_answer(&self.once).await? {
            return Ok(answer);
        }
        let facts = case_facts::lock(unit, self.case).await?;
        self.caller.check("case", &facts.resource())?;
        match &self.address {
            None => {
                contacts::delete(unit.tx, self.case).await?;
                away::cancel_mails(unit, self.case).await?;
            }
            Some(address) => {
                let language = self.language.or_else(|| Language::from_code(&facts.language)).unwrap_or(Language::English);
                let contact = Contact { address: address.clone(), language };
                contacts::put(unit.tx, &facts.organisation, self.case, &contact, self.for_one).await?;
            }
        }
        unit.audit(self.case, &facts.scope());
        let answer = SetContactResponse {};
        unit.remember_answer(&self.once, &self.case.to_string(), &answer).await?;
        Ok(answer)
    }
}
