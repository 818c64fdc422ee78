//! What triage made of a case. Reading it is recorded, and a record that cannot be written fails the read.

use kernel::{Error, Id, Result};
use proto::triage::{GetTriageRequest, GetTriageResponse};
use runtime::{Node, case_facts};
use tonic::{Request, Response};

use crate::app::wire;
use crate::store;

pub async fn answer(node: &Node, request: Request<GetTriageRequest>) -> Result<Response<GetTriageResponse>> {
    let caller = rpc::caller(&request)?;
    let case = Id::parse("case_id", &request.get_ref().case_id)?;
    // A service that asks for somebody has no organisation of its own: the case says whose rows are read.
    let organisation = case_facts::load(&node.of(&caller), case).await?.organisation;
    let (answer, receipt) = node
        .commit(case, caller.origin().of(&organisation), move |unit| {
            let caller = caller.clone();
            Box::pin(async move {
                let facts = case_facts::lock(unit, case).await?;
                caller.check("case", &facts.resource())?;
                let triaged = store::lock(unit, case).await?.ok_or_else(|| Error::not_found("case"))?;
                unit.audit(case, &facts.scope());
                Ok(GetTriageResponse { triage: Some(wire::message(&triaged)) })
            })
        })
        .await?;
    Ok(rpc::caller::reply("triage", answer, &receipt))
}
