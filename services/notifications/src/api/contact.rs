//! SetContact.

use std::sync::Arc;

use kernel::error::Violations;
use kernel::{Id, Language, Result};
use log::Unit;
use log::unit::Once;
use proto::notifications::{SetContactRequest, SetContactResponse};
use rpc::Caller;
use runtime::{Node, case_facts};
use tonic::{Request, Response};

use crate::SERVICE;
use crate::app::away;
use crate::store::contacts;

/// Longest address that mail can reach (RFC 5321).
const MAX_EMAIL: usize = 254;

struct Job {
    caller: Caller,
    once: Once,
    case: Id,
    /// Empty: taken back.
    email: String,
    /// None: the case's own.
    language: Option<Language>,
    /// For one mail only.
    for_one_mail: bool,
}

pub async fn set(node: &Node, request: Request<SetContactRequest>) -> Result<Response<SetContactResponse>> {
    let caller = rpc::caller(&request)?;
    let request = request.into_inner();
    let once = caller.once(&request.request_id, &request)?;
    let mut found = Violations::default();
    let case = found.id("case_id", &request.case_id);
    if !request.email.is_empty() {
        found.optional_text("email", &request.email, MAX_EMAIL);
        found.check(request.email.parse::<lettre::Address>().is_ok(), "email", "is no e-mail address such as name@example.org");
    }
    let language = Language::from_code(&request.language);
    found.check(language.is_some() || request.language.is_empty(), "language", "must be sv, nb, nn or en");
    found.done()?;
    let origin = caller.origin();
    let job = Arc::new(Job { caller, once, case, email: request.email, language, for_one_mail: request.once });
    let (answer, receipt) = node
        .commit(case, origin, move |unit| {
            let job = job.clone();
            Box::pin(async move { job.run(unit).await })
        })
        .await?;
    Ok(rpc::caller::reply(SERVICE, answer, &receipt))
}

impl Job {
    async fn run(&self, unit: &mut Unit<'_>) -> Result<SetContactResponse> {
        if let Some(answer) = unit.earlier_answer(&self.once).await? {
            return Ok(answer);
        }
        let facts = case_facts::lock(unit, self.case).await?;
        self.caller.check("case", &facts.resource())?;
        if self.email.is_empty() {
            contacts::delete(unit.tx, self.case).await?;
            away::cancel_mails(unit, self.case).await?;
        } else {
            let language = self.language.or_else(|| Language::from_code(&facts.language)).unwrap_or(Language::English);
            contacts::put(unit.tx, &facts.organisation, self.case, &self.email, language, self.for_one_mail).await?;
        }
        unit.audit(self.case, &facts.scope());
        let answer = SetContactResponse {};
        unit.remember_answer(&self.once, &self.case.to_string(), &answer).await?;
        Ok(answer)
    }
}
