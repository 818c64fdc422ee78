//! The visitor's rating, with a few words if they like. The words are screened like everything that a visitor writes.

use kernel::error::Violations;
use kernel::{Id, Result};
use log::Receipt;
use proto::intake::{Case, CaseRated, RateCaseRequest, RateCaseResponse};
use rpc::Caller;

use crate::app::{App, change, live, safety};
use crate::domain::case::{Command, decide};
use crate::store::cases;

const MAX_TEXT: usize = 2048;

impl App {
    pub async fn rate(&self, caller: Caller, request: RateCaseRequest) -> Result<(RateCaseResponse, Receipt)> {
        let once = caller.once(&request.request_id, &request)?;
        let mut violations = Violations::default();
        let id = violations.id("case_id", &request.case_id);
        violations.check((1..=5).contains(&request.rating), "rating", "must be 1 to 5");
        violations.optional_text("text", &request.text, MAX_TEXT);
        violations.done()?;
        let found = safety::screen(&request.text);
        let (app, flags) = (self.clone(), found.clone());
        let ((case, answer), receipt) = self
            .node
            .commit(id, caller.origin(), move |unit| {
                let (app, caller, once) = (app.clone(), caller.clone(), once.clone());
                let (request, found) = (request.clone(), flags.clone());
                Box::pin(async move {
                    let mut case = change::lock(unit, &caller, caller.rpc, id).await?;
                    if let Some(earlier) = unit.earlier_answer::<Case>(&once).await? {
                        return Ok((case, earlier));
                    }
                    let before = case.life.rating;
                    case.life = decide(&case.life, &Command::Rate(request.rating), unit.now)?;
                    let red_flags = safety::add(&mut case.red_flags, &found);
                    if before != request.rating || !red_flags.is_empty() {
                        unit.emit(id, &case.scope(), &CaseRated { rating: request.rating, red_flags })?;
                    }
                    if !request.text.is_empty() {
                        case.rating_text.clone_from(&request.text);
                    }
                    unit.audit(id, &case.scope());
                    cases::update(unit, &case).await?;
                    let answer = case.to_proto();
                    live::case(unit, &app.node, answer.clone());
                    unit.remember_answer(&once, &Id::to_string(&id), &answer).await?;
                    Ok((case, answer))
                })
            })
            .await?;
        let safety = if found.is_empty() { None } else { self.notice(&case, &found, &receipt).await };
        Ok((RateCaseResponse { case: Some(answer), safety }, receipt))
    }
}
