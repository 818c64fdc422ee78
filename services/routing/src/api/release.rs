//! ReleaseCase.

use kernel::Result;
use kernel::error::Violations;
use proto::routing::{ReleaseCaseRequest, ReleaseCaseResponse};
use tonic::{Request, Response};

use super::Api;
use crate::app::desk::Note;
use crate::domain::case::Command;

impl Api {
    pub(crate) async fn release_case(&self, request: Request<ReleaseCaseRequest>) -> Result<Response<ReleaseCaseResponse>> {
        let caller = rpc::caller(&request)?;
        let request = request.into_inner();
        let once = caller.once(&request.request_id, &request)?;
        let mut found = Violations::default();
        let case = found.id("case_id", &request.case_id);
        found.done()?;
        let acting = caller.clone();
        self.act(&caller, &caller.principal.organisation, once, move |desk| {
            let caller = acting.clone();
            Box::pin(async move {
                let mut row = desk.the_case(case).await?;
                caller.check("case", &row.resource())?;
                // A leader gives it back for whoever has it.
                let worker = row.case.holder().unwrap_or(&caller.principal.id).to_owned();
                let why = if worker == caller.principal.id { "the worker gave it back" } else { "a leader gave it back for the worker" };
                desk.act(&mut row, &Command::Release { worker }, Note { why: why.to_owned(), ..Note::default() }).await?;
                desk.unit.audit(case, &row.scope());
                Ok((ReleaseCaseResponse {}, case.to_string()))
            })
        })
        .await
    }
}
