//! Explain.

use kernel::error::Violations;
use kernel::{Error, Result};
use proto::routing::{CandidateVerdict, Decision, ExplainRequest, ExplainResponse};
use rpc::caller::reply;
use tonic::{Request, Response};

use super::Api;
use crate::domain::why;
use crate::store::{cases, decisions};

impl Api {
    pub(crate) async fn explain(&self, request: Request<ExplainRequest>) -> Result<Response<ExplainResponse>> {
        let caller = rpc::caller(&request)?;
        let mut found = Violations::default();
        let id = found.id("case_id", &request.into_inner().case_id);
        found.done()?;
        // Who had the case and who turned it down is worth an audit row, which must be written for the read to succeed.
        let (origin, lane, db) = (caller.origin(), caller.principal.organisation.clone(), self.app.node.of(&caller));
        let ((), receipt) = self
            .app
            .commit(&lane, origin, move |unit| {
                let caller = caller.clone();
                Box::pin(async move {
                    let row = cases::lock(unit.tx, id).await?.ok_or_else(|| Error::not_found("case"))?;
                    caller.check("case", &row.resource())?;
                    unit.audit(id, &row.scope());
                    Ok(())
                })
            })
            .await?;
        let decisions = decisions::list(&db, id).await?;
        Ok(reply("routing", ExplainResponse { decisions: decisions.into_iter().map(wire).collect() }, &receipt))
    }
}

fn wire(one: decisions::Decision) -> Decision {
    let verdict = |verdict: crate::domain::eligible::Verdict| CandidateVerdict {
        worker_id: verdict.worker,
        eligible: verdict.ok,
        why: verdict.why.code().to_owned(),
    };
    let (why_code, why_params) = why::code(&one.why).unwrap_or_default();
    Decision {
        why_code: why_code.to_owned(),
        why_params,
        at: Some(proto::timestamp(one.at)),
        kind: one.kind,
        worker_id: one.worker,
        queue_id: one.queue,
        why: one.why,
        candidates: one.candidates.into_iter().map(verdict).collect(),
        by_worker_id: one.by,
        reason: one.reason,
    }
}
