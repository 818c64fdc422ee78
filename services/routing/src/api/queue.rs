//! ListQueue.

use auth::Resource;
use kernel::error::Violations;
use kernel::{Error, Result};
use proto::routing::{ListQueueRequest, ListQueueResponse, QueuedCase};
use tonic::{Request, Response};

use super::{Api, MAX_NAME};
use crate::domain::queue::order;
use crate::store::cases::{self, CaseRow};

impl Api {
    pub(crate) async fn list_queue(&self, request: Request<ListQueueRequest>) -> Result<Response<ListQueueResponse>> {
        let caller = rpc::caller(&request)?;
        let id = request.into_inner().queue_id;
        let mut found = Violations::default();
        found.text("queue_id", &id, MAX_NAME);
        found.done()?;
        let region = self.app.region();
        let (organisation, queue) = region.queue(&id).ok_or_else(|| Error::not_found("queue"))?;
        caller.check("queue", &Resource { organisation: &organisation.id, clinic: &queue.clinic, ..Resource::default() })?;
        let db = self.app.node.of(&caller);
        let mut rows: Vec<Vec<CaseRow>> = Vec::new();
        for practice in [false, true] {
            let all = cases::queued(&db, &id, practice).await?;
            rows.push(all.into_iter().filter(|row| row.organisation == organisation.id).collect());
        }
        self.app.node.log_read(&caller, rows.iter().flatten().map(|row| (row.id, row.scope())).collect()).await?;
        let in_order = |rows: &[CaseRow]| {
            let waiting: Vec<_> = rows.iter().map(CaseRow::waiting).collect();
            let order = order(&waiting, queue.max_overtakes).into_iter().filter_map(|at| rows.get(at).cloned());
            order.zip(1_u32..).collect::<Vec<_>>()
        };
        let cases = rows
            .iter()
            .flat_map(|rows| in_order(rows))
            .map(|(row, position)| QueuedCase {
                case_id: row.id.to_string(),
                severity: proto::intake::Severity::from(row.case.severity).into(),
                profession: row.case.needs.profession.code().to_owned(),
                waiting_since: Some(proto::timestamp(row.case.since)),
                position,
                overtaken: row.overtaken,
                offered: row.is_offered(),
                clinic_id: row.clinic.clone(),
                practice: row.practice,
            })
            .collect();
        Ok(Response::new(ListQueueResponse { cases }))
    }
}
