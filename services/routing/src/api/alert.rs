//! AlertCase.

use kernel::Result;
use kernel::error::Violations;
use proto::routing::{AlertCaseRequest, AlertCaseResponse};
use rpc::caller::reply;
use tonic::{Request, Response};

use super::Api;
use crate::store::alerts::Alert;
use crate::store::cases;

pub(super) fn wire(alert: &Alert) -> proto::routing::Alert {
    proto::routing::Alert {
        case_id: alert.case.to_string(),
        severity: proto::intake::Severity::from(alert.severity).into(),
        raised_at: Some(proto::timestamp(alert.raised_at)),
    }
}

impl Api {
    /// Safe to repeat: whoever was alerted is alerted again.
    pub(crate) async fn alert_case(&self, request: Request<AlertCaseRequest>) -> Result<Response<AlertCaseResponse>> {
        let caller = rpc::caller(&request)?;
        let request = request.into_inner();
        let mut found = Violations::default();
        let id = found.id("case_id", &request.case_id);
        let severity = proto::intake::Severity::try_from(request.severity).ok().and_then(proto::intake::Severity::known);
        found.check(severity.is_some(), "severity", "is required: how grave are the signs?");
        found.done()?;
        let severity = severity.unwrap_or(kernel::Severity::Emergency);
        // Only whose it is, which never changes; the case itself is read under its lock.
        let organisation = cases::load(&self.app.node.of(&caller), id).await?.organisation;
        let (origin, desks) = (caller.origin().of(&organisation), self.app.desks.clone());
        let (person_alerted, receipt) = self
            .app
            .commit(&organisation, origin, move |unit| {
                let desks = desks.clone();
                Box::pin(async move {
                    let mut desk = desks.open(unit);
                    let mut row = desk.the_case(id).await?;
                    let alerted = desk.alert(&mut row, severity).await?;
                    desk.unit.audit(id, &row.scope());
                    desk.settle().await?;
                    Ok(alerted)
                })
            })
            .await?;
        Ok(reply("routing", AlertCaseResponse { person_alerted }, &receipt))
    }
}
