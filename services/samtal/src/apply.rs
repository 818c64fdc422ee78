//! `samtal apply`: every service validates its part before any is changed; then the differences, then the change. A fault in
//! between is said, and a second run completes it.

use std::path::Path;

use kernel::error::Code;
use kernel::{Error, Result};
use proto::config::config_service_client::ConfigServiceClient;
use proto::config::{ApplyRegionRequest, Change, DiffRegionRequest, ValidateRegionRequest};
use region::{Document, Finding};

use crate::client::{Client, Clients};
use crate::suite::SERVICES;

/// What an apply did, or would do.
#[derive(Debug, Default)]
pub struct Applied {
    /// Differences before the change; every service has the same ones unless an earlier run was cut short.
    pub changes: Vec<Change>,
    /// What leaders changed on the pages and what stays on top of the description.
    pub drift: Vec<Change>,
    /// Services that took the change over.
    pub changed: Vec<&'static str>,
}

/// Reads and checks region files, without any service.
pub fn read(files: &[impl AsRef<Path>]) -> Result<Document, Vec<Finding>> {
    let mut documents = Vec::new();
    for file in files {
        let name = file.as_ref().display().to_string();
        let text = std::fs::read_to_string(file.as_ref()).map_err(|error| {
            vec![Finding { file: name.clone(), line: 1, field: String::new(), message: format!("cannot be read: {error}") }]
        })?;
        documents.push(region::parse(&name, &text)?);
    }
    let document = region::merge(documents)?;
    let findings = document.check();
    if findings.is_empty() { Ok(document) } else { Err(findings) }
}

/// A region that no file describes, to be applied like one.
pub fn document_of(region: region::Region) -> Result<Document> {
    // JSON is YAML, so the same reader gives it its lines.
    let text = serde_json::to_string_pretty(&region).map_err(|error| Error::internal(format!("the region cannot be written: {error}")))?;
    region::parse("(this process)", &text).map_err(|findings| refused(&findings))
}

/// Findings as an error that names every file, line and field.
pub fn refused(findings: &[Finding]) -> Error {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    Error::new(Code::InvalidArgument, "REGION_INVALID", lines.join("\n"))
}

/// Applies `document` through the services' own gRPC.
pub async fn apply(clients: impl Into<Clients>, document: &Document) -> Result<Applied> {
    let clients = clients.into();
    let mut applied = plan(&clients, document).await?;
    carry_out(&clients, document, &mut applied).await?;
    Ok(applied)
}

fn config(clients: &Clients, service: &str) -> Result<ConfigServiceClient<Client>> {
    Ok(ConfigServiceClient::new(clients.of(service)?)
        .max_encoding_message_size(runtime::MAX_CONFIG_REQUEST)
        .max_decoding_message_size(runtime::MAX_RESPONSE))
}

fn json(document: &Document) -> Result<String> {
    serde_json::to_string(&document.region).map_err(|error| Error::internal(format!("the region cannot be written: {error}")))
}

/// Lets every service validate its part, and says what would change. Changes nothing.
pub async fn plan(clients: &Clients, document: &Document) -> Result<Applied> {
    let region_json = json(document)?;
    let mut findings = Vec::new();
    for service in SERVICES {
        let request = ValidateRegionRequest { service: service.to_owned(), region_json: region_json.clone() };
        let answer = config(clients, service)?.validate_region(request).await.map_err(|status| named(service, &status))?.into_inner();
        findings.extend(answer.problems.into_iter().map(|problem| document.finding(problem.field, problem.description)));
    }
    findings.sort();
    findings.dedup();
    if !findings.is_empty() {
        return Err(refused(&findings));
    }
    let mut applied = Applied::default();
    for service in SERVICES {
        let request = DiffRegionRequest { service: service.to_owned(), region_json: region_json.clone() };
        let answer = config(clients, service)?.diff_region(request).await.map_err(|status| named(service, &status))?.into_inner();
        // Intake has leaders' changes first; the others follow it.
        if service == "intake" {
            applied.drift = answer.drift;
        }
        for change in answer.changes {
            if !applied.changes.contains(&change) {
                applied.changes.push(change);
            }
        }
    }
    Ok(applied)
}

/// Organisations that a service has and the description has not.
pub fn gone(applied: &Applied, document: &Document) -> Vec<String> {
    let described = |id: &str| document.region.organisations.iter().any(|organisation| organisation.id == id);
    let removals = applied.changes.iter().filter(|change| change.after.is_none());
    let mut gone: Vec<String> =
        removals.filter_map(|change| change.path.split(['.', '[']).next()).filter(|id| !described(id)).map(str::to_owned).collect();
    gone.sort();
    gone.dedup();
    gone.retain(|id| id != "region" && !id.is_empty());
    gone
}

/// Changes what was planned; `applied` is told which services have.
pub async fn carry_out(clients: &Clients, document: &Document, applied: &mut Applied) -> Result<()> {
    let region_json = json(document)?;
    for service in SERVICES {
        let request = ApplyRegionRequest { service: service.to_owned(), region_json: region_json.clone() };
        let answer = config(clients, service)?.apply_region(request).await.map_err(|status| {
            let done = if applied.changed.is_empty() { "none".to_owned() } else { applied.changed.join(", ") };
            let error = named(service, &status);
            Error::new(
                error.code,
                "APPLY_CUT_SHORT",
                format!("{}; changed so far: {done}; run the same apply again to complete it", error.message),
            )
        })?;
        if answer.into_inner().changed {
            applied.changed.push(service);
        }
    }
    Ok(())
}

fn named(service: &str, status: &tonic::Status) -> Error {
    let error = rpc::status::error(status);
    Error::new(error.code, "APPLY_FAILED", format!("{service}: {}", error.message))
}
