//! The operator's tools: rejoin a restored log, look after dead letters, verify the audit log.

use std::time::Duration;

use kernel::{Error, Result, Time};
use proto::log::event_log_service_client::EventLogServiceClient;
use proto::log::{
    Cursor, DropDeadLetterRequest, ListCursorsRequest, ListDeadLettersRequest, RejoinRequest, RejoinResponse, ReplayDeadLetterRequest,
    VerifyAuditRequest, VerifyAuditResponse,
};

use crate::client::Clients;
use crate::suite::SERVICES;

/// A large audit log takes a while; nobody gets a longer deadline.
const VERIFY_DEADLINE: Duration = Duration::from_secs(120);

fn failed(status: tonic::Status) -> Error {
    rpc::status::error(&status)
}

/// Every consumer's cursors in `service`'s log. A consumer that does not answer stops the rejoin: its cursor might be the
/// highest.
async fn cursors(clients: &Clients, service: &str) -> Result<Vec<Cursor>> {
    let mut all = Vec::new();
    for consumer in SERVICES {
        let request = ListCursorsRequest { service: consumer.to_owned() };
        let answer = EventLogServiceClient::new(clients.of(consumer)?).list_cursors(request).await.map_err(|status| {
            Error::unavailable(format!("{consumer} does not tell its cursors, and without them no rejoin is safe: {}", status.message()))
        })?;
        all.extend(answer.into_inner().cursors.into_iter().filter(|cursor| cursor.source == service));
    }
    Ok(all)
}

/// Starts a new incarnation of `service`'s log above every cursor.
pub async fn rejoin(clients: impl Into<Clients>, service: &str, dry_run: bool) -> Result<RejoinResponse> {
    let clients = clients.into();
    let cursors = cursors(&clients, service).await?;
    let request = RejoinRequest { service: service.to_owned(), cursors, dry_run };
    Ok(EventLogServiceClient::new(clients.of(service)?).rejoin(request).await.map_err(failed)?.into_inner())
}

/// One line per dead letter.
pub async fn dead_letters(clients: impl Into<Clients>, service: &str) -> Result<Vec<String>> {
    let answer = EventLogServiceClient::new(clients.into().of(service)?)
        .list_dead_letters(ListDeadLettersRequest { service: service.to_owned() })
        .await
        .map_err(failed)?
        .into_inner();
    Ok(answer
        .dead_letters
        .into_iter()
        .map(|letter| {
            let event = letter.event.unwrap_or_default();
            let reason = if letter.reason.is_empty() { "parked behind an earlier event of its case".to_owned() } else { letter.reason };
            format!("{} from {}: {} of case {}: {reason}", event.event_id, letter.source, event.r#type, event.key)
        })
        .collect())
}

/// Tries a dead letter again, or gives it up; answers how many events took effect.
pub async fn settle(clients: impl Into<Clients>, service: &str, event_id: &str, drop: bool) -> Result<u32> {
    let mut log = EventLogServiceClient::new(clients.into().of(service)?);
    let (service, event_id) = (service.to_owned(), event_id.to_owned());
    if drop {
        Ok(log.drop_dead_letter(DropDeadLetterRequest { service, event_id }).await.map_err(failed)?.into_inner().replayed)
    } else {
        Ok(log.replay_dead_letter(ReplayDeadLetterRequest { service, event_id }).await.map_err(failed)?.into_inner().replayed)
    }
}

/// Compares `service`'s audit log with its seals.
pub async fn verify_audit(clients: impl Into<Clients>, service: &str) -> Result<VerifyAuditResponse> {
    let mut request = tonic::Request::new(VerifyAuditRequest { service: service.to_owned() });
    request.set_timeout(VERIFY_DEADLINE);
    let mut log = EventLogServiceClient::new(clients.into().of(service)?);
    Ok(log
        .verify_audit(request)
        .await
        .map_err(|status| Error { message: format!("{service}: {}", status.message()), ..failed(status) })?
        .into_inner())
}

/// What a verification found, in one line without the faults.
pub fn audit_line(report: &VerifyAuditResponse, now: Time) -> String {
    let age = match proto::from_timestamp("oldest_unsealed_at", report.oldest_unsealed_at.as_ref()) {
        Ok(Some(oldest)) => format!(" (the oldest for {} s)", now.since(oldest).as_secs()),
        _ => String::new(),
    };
    let verdict = match report.faults.len() {
        0 => "as sealed".to_owned(),
        faults => format!("{faults} faults"),
    };
    format!("{} audit rows, {} sealed, {} not yet{age}, {} erased: {verdict}", report.rows, report.sealed, report.unsealed, report.erased)
}
