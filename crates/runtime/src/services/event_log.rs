//! The logs of the services in this process, for other services, for integrators and for operators.

use std::collections::BTreeMap;
use std::sync::Arc;

use auth::Role;
use kernel::{Error, Result};
use log::dead_letter::Remedy;
use log::{Handler, Origin, reader};
use proto::log::event_log_service_server::EventLogService;
use proto::log::{
    Cursor, DropDeadLetterRequest, DropDeadLetterResponse, HeadsRequest, HeadsResponse, ListCursorsRequest, ListCursorsResponse,
    ListDeadLettersRequest, ListDeadLettersResponse, ReadRequest, ReadResponse, RejoinRequest, RejoinResponse, ReplayDeadLetterRequest,
    ReplayDeadLetterResponse, TraceCaseRequest, TraceCaseResponse, VerifyAuditRequest, VerifyAuditResponse, WatchRequest, WatchResponse,
};
use rpc::{Answer, caller, status};
use tonic::Request;

use super::config::names;
use super::watch;
use crate::Node;

/// The logs of this process.
pub struct EventLog {
    pub nodes: BTreeMap<&'static str, Node>,
    /// Each service's consumers, for replaying what was set aside.
    pub handlers: BTreeMap<&'static str, Vec<Arc<dyn Handler>>>,
}

impl EventLog {
    fn node(&self, service: &str) -> Result<&Node> {
        self.nodes.get(service).ok_or_else(|| Error::invalid("service", format!("must be one of {}", names(&self.nodes))))
    }

    async fn settle(&self, origin: Origin, service: &str, event_id: String, remedy: Remedy) -> Result<u32> {
        let node = self.node(service)?;
        kernel::Id::parse("event_id", &event_id)?;
        let handlers = self.handlers.get(service).cloned().unwrap_or_default();
        log::dead_letter::settle(&node.log, handlers, event_id, remedy, origin).await
    }
}

/// How far this service has come in the logs of others.
async fn cursors(node: &Node) -> Result<Vec<Cursor>> {
    let sql = "SELECT source, shard, incarnation, position, event_id FROM log_cursor ORDER BY source, shard";
    let rows = node.log.machinery().rows(sql, store::args![]).await?;
    let mut cursors = Vec::with_capacity(rows.len());
    for row in rows {
        let mut cursor = Cursor {
            consumer: node.service.to_owned(),
            source: row.text(0)?,
            shard: row.int(1)? as u32,
            incarnation: row.text(2)?,
            position: row.int(3)?,
            event_id: row.text(4)?,
            halted: String::new(),
        };
        cursor.halted = node.log.progress().halted(&cursor.source, cursor.shard).unwrap_or_default();
        // The consumer may be ahead of what it has stored, by events without effect, and then perhaps in another incarnation.
        if let Some(seen) = node.log.progress().seen(&cursor.source, cursor.shard)
            && seen.position > cursor.position
        {
            (cursor.incarnation, cursor.position, cursor.event_id) = (seen.incarnation, seen.position, seen.event_id);
        }
        cursors.push(cursor);
    }
    Ok(cursors)
}

#[tonic::async_trait]
impl EventLogService for EventLog {
    async fn read(&self, request: Request<ReadRequest>) -> Answer<ReadResponse> {
        let request = request.into_inner();
        let node = self.node(&request.service).map_err(status)?;
        let limit = if request.limit == 0 { reader::MAX_EVENTS } else { request.limit as usize };
        let batch = reader::read(node.db(), node.service, request.shard, request.from, limit).await.map_err(status)?;
        // Read after the batch, so that the head is never behind it.
        let head = reader::heads(node.db()).await.map_err(status)?.into_iter().find(|head| head.shard == request.shard);
        Ok(ReadResponse { batch: Some(batch), head }.into())
    }

    async fn heads(&self, request: Request<HeadsRequest>) -> Answer<HeadsResponse> {
        let caller = caller(&request).map_err(status)?;
        let request = request.into_inner();
        let node = self.node(&request.service).map_err(status)?;
        log::guard::plausible(&request.cursors).map_err(status)?;
        // Only a consumer is a witness.
        if caller.role() == Role::Service && !request.cursors.is_empty() {
            log::guard::hear(&node.log, &request.cursors).await.map_err(status)?;
        }
        let refused = log::guard::refresh(&node.log).await.map_err(status)?.unwrap_or_default();
        Ok(HeadsResponse { heads: reader::heads(node.db()).await.map_err(status)?, refused }.into())
    }

    type WatchStream = std::pin::Pin<Box<dyn futures::Stream<Item = Result<WatchResponse, tonic::Status>> + Send>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Answer<Self::WatchStream> {
        let caller = caller(&request).map_err(status)?;
        let request = request.into_inner();
        let node = self.node(&request.service).map_err(status)?.clone();
        let stream = watch::watch(node, &caller, &request.resume_token, request.from_start).await.map_err(status)?;
        Ok(tonic::Response::new(stream))
    }

    async fn list_cursors(&self, request: Request<ListCursorsRequest>) -> Answer<ListCursorsResponse> {
        let node = self.node(&request.into_inner().service).map_err(status)?;
        let cursors = cursors(node).await.map_err(status)?;
        Ok(ListCursorsResponse { cursors }.into())
    }

    async fn rejoin(&self, request: Request<RejoinRequest>) -> Answer<RejoinResponse> {
        let origin = caller(&request).map_err(status)?.origin();
        let request = request.into_inner();
        let node = self.node(&request.service).map_err(status)?;
        log::guard::plausible(&request.cursors).map_err(status)?;
        let rejoined = log::rejoin::rejoin(&node.log, request.cursors, request.dry_run, origin).await.map_err(status)?;
        if !rejoined.incarnation.is_empty() {
            tracing::warn!(
                service = node.service,
                incarnation = rejoined.incarnation,
                orphans = rejoined.orphans.len(),
                "the log has rejoined"
            );
        }
        Ok(RejoinResponse { incarnation: rejoined.incarnation, orphans: rejoined.orphans }.into())
    }

    async fn list_dead_letters(&self, request: Request<ListDeadLettersRequest>) -> Answer<ListDeadLettersResponse> {
        let node = self.node(&request.into_inner().service).map_err(status)?;
        let dead_letters = log::dead_letter::list(node.db(), node.service).await.map_err(status)?;
        Ok(ListDeadLettersResponse { dead_letters }.into())
    }

    async fn replay_dead_letter(&self, request: Request<ReplayDeadLetterRequest>) -> Answer<ReplayDeadLetterResponse> {
        let origin = caller(&request).map_err(status)?.origin();
        let request = request.into_inner();
        let replayed = self.settle(origin, &request.service, request.event_id, Remedy::Replay).await.map_err(status)?;
        Ok(ReplayDeadLetterResponse { replayed }.into())
    }

    async fn drop_dead_letter(&self, request: Request<DropDeadLetterRequest>) -> Answer<DropDeadLetterResponse> {
        let origin = caller(&request).map_err(status)?.origin();
        let request = request.into_inner();
        let replayed = self.settle(origin, &request.service, request.event_id, Remedy::Drop).await.map_err(status)?;
        Ok(DropDeadLetterResponse { replayed }.into())
    }

    async fn trace_case(&self, request: Request<TraceCaseRequest>) -> Answer<TraceCaseResponse> {
        let caller = caller(&request).map_err(status)?;
        let request = request.into_inner();
        let node = self.node(&request.service).map_err(status)?;
        let case = kernel::Id::parse("case_id", &request.case_id).map_err(status)?;
        if request.after_seq < 0 {
            return Err(status(Error::invalid("after_seq", "must not be negative")));
        }
        let trace = log::trace::trace(&node.log, case, request.after_seq).await.map_err(status)?;
        let letters = trace.set_aside.iter().filter_map(|letter| letter.event.as_ref());
        let Some(any) = trace.events.iter().chain(letters).next() else { return Err(status(Error::not_found("case"))) };
        let scope = log::Scope { organisation: any.organisation_id.clone(), clinic: any.clinic_id.clone(), practice: any.practice };
        node.log_read(&caller, vec![(case, scope)]).await.map_err(status)?;
        Ok(TraceCaseResponse { shard: trace.shard, events: trace.events, set_aside: trace.set_aside }.into())
    }

    async fn verify_audit(&self, request: Request<VerifyAuditRequest>) -> Answer<VerifyAuditResponse> {
        let node = self.node(&request.into_inner().service).map_err(status)?;
        let report = log::audit::verify(node.db()).await.map_err(status)?;
        if !report.faults.is_empty() {
            tracing::error!(service = node.service, faults = report.faults.len(), "the audit log is not as it was sealed");
        }
        Ok(VerifyAuditResponse {
            rows: report.rows,
            sealed: report.sealed,
            unsealed: report.unsealed,
            oldest_unsealed_at: report.oldest_unsealed_at.map(proto::timestamp),
            erased: report.erased,
            faults: report.faults,
        }
        .into())
    }
}
