//! `/region/configuration`: what is applied, what another description would change, and the change itself by a second step. The
//! second step applies the very text that was looked at, to the very region that it was compared with, or nothing.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use proto::config::{
    ApplyRegionRequest, Change, DiffRegionRequest, DriftItem, ExportRegionRequest, ListDriftRequest, ValidateRegionRequest,
};
use region::{Document, Drift, Finding, Region};
use serde::{Deserialize, Serialize};

use super::only_operators;
use crate::Gateway;
use crate::pages::staff::said::{Notice, Said};
use crate::pages::staff::view;
use crate::services::SERVICES;
use crate::web::{Page, Problem, Staff, Written};

const PURPOSE: &str = "a compared region";
/// Differences that a page shows; what follows is counted.
const SHOWN: usize = 300;

/// A leader's change, and what the description says instead.
struct Drifted {
    path: String,
    described: Option<String>,
    now: Option<String>,
    who: String,
    when: String,
}

#[derive(Template)]
#[template(path = "region/configuration.html")]
struct Configuration {
    page: Page,
    staff: Staff,
    notice: Option<Notice>,
    region: Region,
    drift: Vec<Drifted>,
    file: String,
    text: String,
    findings: Vec<Finding>,
}

#[derive(Template)]
#[template(path = "region/compared.html")]
struct Compared {
    page: Page,
    staff: Staff,
    changes: Vec<Change>,
    more: usize,
    drift: Vec<Drifted>,
    file: String,
    text: String,
    sealed: String,
}

/// What was compared with what: hashes of both.
#[derive(PartialEq, Serialize, Deserialize)]
struct Looked {
    text: Vec<u8>,
    applied: Vec<u8>,
}

async fn exported(staff: &Staff) -> Result<String, Problem> {
    let request = ExportRegionRequest { service: "intake".to_owned() };
    Ok(staff.calls.config("intake").export_region(request).await?.into_inner().region_json)
}

/// The description as it is applied.
pub async fn described(staff: &Staff) -> Result<Region, Problem> {
    serde_json::from_str(&exported(staff).await?).map_err(|_| Problem::internal())
}

/// Leaders' changes beside a description.
async fn drift(staff: &Staff, described: &Region) -> Result<Vec<Drifted>, Problem> {
    let items = staff.calls.config("intake").list_drift(ListDriftRequest {}).await?.into_inner().items;
    Ok(items.into_iter().filter_map(|item| drifted(described, item)).collect())
}

fn drifted(described: &Region, item: DriftItem) -> Option<Drifted> {
    let change = Drift {
        kind: region::drift::Kind::from_code(&item.kind)?,
        organisation: item.organisation_id,
        item: item.item_id,
        body: item.body_json,
        set_by: item.set_by,
        set_at: item.set_at,
    };
    let worker = described.organisation(&change.organisation).and_then(|one| one.worker(&change.set_by));
    Some(Drifted {
        path: change.path(),
        described: change.described(described),
        who: worker.map_or_else(|| change.set_by.clone(), |worker| worker.name.clone()),
        when: view::moment(Some(&proto::timestamp(kernel::Time::from_micros(change.set_at)))),
        now: (!change.body.is_empty()).then_some(change.body),
    })
}

pub async fn show(page: Page, staff: Staff, Query(said): Query<Said>) -> Result<Response, Problem> {
    only_operators(&staff)?;
    let notice = said.notice(&page);
    present(page, staff, notice, (String::new(), String::new()), Vec::new()).await
}

async fn present(
    page: Page,
    staff: Staff,
    notice: Option<Notice>,
    (file, text): (String, String),
    findings: Vec<Finding>,
) -> Result<Response, Problem> {
    let region = described(&staff).await?;
    let drift = drift(&staff, &region).await?;
    page.show(&Configuration { page: page.clone(), staff, notice, region, drift, file, text, findings })
}

/// What a text is called in what is found in it.
fn name(given: &Written) -> String {
    if given.file.is_empty() { "region.yaml".to_owned() } else { given.file.clone() }
}

/// Reads the text and has every service look at it: nothing is changed.
async fn read(staff: &Staff, name: &str, text: &str) -> Result<Result<(Document, String), Vec<Finding>>, Problem> {
    let document = match region::parse(name, text) {
        Ok(document) => document,
        Err(findings) => return Ok(Err(findings)),
    };
    let mut findings = document.check();
    let json = serde_json::to_string(&document.region).map_err(|_| Problem::internal())?;
    if findings.is_empty() {
        for service in SERVICES {
            let request = ValidateRegionRequest { service: service.to_owned(), region_json: json.clone() };
            let problems = staff.calls.config(service).validate_region(request).await?.into_inner().problems;
            findings.extend(problems.into_iter().map(|problem| document.finding(problem.field, problem.description)));
        }
        findings.sort();
        findings.dedup();
    }
    Ok(if findings.is_empty() { Ok((document, json)) } else { Err(findings) })
}

pub async fn check(State(gateway): State<Gateway>, page: Page, staff: Staff, given: Written) -> Result<Response, Problem> {
    only_operators(&staff)?;
    let name = name(&given);
    let (document, json) = match read(&staff, &name, &given.text).await? {
        Ok(read) => read,
        Err(findings) => return present(page, staff, None, (name, given.text), findings).await,
    };
    let applied = exported(&staff).await?;
    let mut changes: Vec<Change> = Vec::new();
    for service in SERVICES {
        let request = DiffRegionRequest { service: service.to_owned(), region_json: json.clone() };
        for change in staff.calls.config(service).diff_region(request).await?.into_inner().changes {
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
    }
    let looked = Looked { text: auth::hash(given.text.as_bytes()), applied: auth::hash(applied.as_bytes()) };
    let sealed = gateway.secret().seal(PURPOSE, &serde_json::to_vec(&looked).map_err(|_| Problem::internal())?)?;
    let drift = drift(&staff, &document.region).await?;
    let more = changes.len().saturating_sub(SHOWN);
    changes.truncate(SHOWN);
    page.show(&Compared { page: page.clone(), staff, changes, more, drift, file: name, text: given.text, sealed })
}

pub async fn apply(State(gateway): State<Gateway>, page: Page, staff: Staff, given: Written) -> Result<Response, Problem> {
    only_operators(&staff)?;
    let name = name(&given);
    let looked = gateway.secret().open(PURPOSE, given.field("sealed")).and_then(|looked| serde_json::from_slice::<Looked>(&looked).ok());
    let now = Looked { text: auth::hash(given.text.as_bytes()), applied: auth::hash(exported(&staff).await?.as_bytes()) };
    if looked.as_ref() != Some(&now) {
        let notice = Said::code("region-moved").notice(&page);
        return present(page, staff, notice, (name, given.text), Vec::new()).await;
    }
    let json = match read(&staff, &name, &given.text).await? {
        Ok((_, json)) => json,
        Err(findings) => return present(page, staff, None, (name, given.text), findings).await,
    };
    for service in SERVICES {
        let request = ApplyRegionRequest { service: service.to_owned(), region_json: json.clone() };
        if let Err(status) = staff.calls.config(service).apply_region(request).await {
            tracing::warn!(service, code = ?status.code(), "a region was applied to some services only; applying it again completes it");
            let notice = Said::code("region-cut-short").notice(&page);
            return present(page, staff, notice, (name, given.text), Vec::new()).await;
        }
    }
    Ok(page.then("/region/configuration?said=region-applied", &staff.calls))
}

/// The applied description as a file.
pub async fn export(staff: Staff) -> Result<Response, Problem> {
    only_operators(&staff)?;
    let text = region::write(&described(&staff).await?).map_err(|_| Problem::internal())?;
    let headers =
        [(header::CONTENT_TYPE, "application/yaml; charset=utf-8"), (header::CONTENT_DISPOSITION, "attachment; filename=\"region.yaml\"")];
    Ok((headers, text).into_response())
}
