//! ReleaseCase.

use kernel::Result;
use kernel::error::Violations;
use proto::routing::{ReleaseCaseRequest, ReleaseCaseResponse};
use tonic::{Request, Response};

use super::{Api, MAX_REASON};
use crate::app::desk::Note;
use crate::domain::case::Command;

impl Api {
    pub(crate) async fn release_case(&self, request: Request<ReleaseCaseRequest>) -> Result<Response<ReleaseCaseResponse>> {
        let caller = rpc::caller(&request)?;
        let request = request.into_inner();
        let once = caller.once(&request.request_id, &request)?;
        let mut found = Violations::default();
        let case = found.id("case_id", &request.case_id);
        found.optional_text("reason", &request.reason, MAX_REASON);
        found.done()?;
        let (acting, reason) = (caller.clone(), request.reason);
        self.act(&caller, &caller.principal.organisation, once, move |desk| {
            let (caller, reason) = (acting.clone(), reason.clone());
            Box::pin(async move {
                let mut row = desk.the_case(case).await?;
                caller.check("case", &row.resource())?;
                // A leader gives it back for whoever has it.
                let worker = row.case.holder().unwrap_or(&caller.principal.id).to_owned();
                let why = if worker == caller.principal.id { "the worker gave it back" } else { "a leader gave it back for the worker" };
                let by = if worker == caller.principal.id { String::new() } else { caller.principal.id.clone() };
                let note = Note { why: why.to_owned(), by, reason, ..Note::default() };
                desk.act(&mut row, &Command::Release { worker }, note).await?;
                desk.unit.audit(case, &row.scope());
                Ok((ReleaseCaseResponse {}, case.to_string()))
            })
        })
        .await
    }
}
