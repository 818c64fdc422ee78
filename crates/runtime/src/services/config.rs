//! What each service needs to know of the region: validate, compare, take over, give back.

use std::collections::BTreeMap;

use kernel::{Error, Result};
use proto::config::config_service_server::ConfigService;
use proto::config::{
    ApplyRegionRequest, ApplyRegionResponse, Change, DiffRegionRequest, DiffRegionResponse, DriftItem, ExportRegionRequest,
    ExportRegionResponse, ListDriftRequest, ListDriftResponse, Problem, ValidateRegionRequest, ValidateRegionResponse,
};
use region::{Drift, Region};
use rpc::{Answer, caller, status};
use tonic::Request;

use crate::Node;

/// The configuration of every service in this process.
pub struct Config {
    pub nodes: BTreeMap<&'static str, Node>,
}

impl Config {
    fn node(&self, service: &str) -> Result<&Node> {
        self.nodes.get(service).ok_or_else(|| Error::invalid("service", format!("must be one of {}", names(&self.nodes))))
    }
}

pub(crate) fn names(nodes: &BTreeMap<&'static str, Node>) -> String {
    nodes.keys().copied().collect::<Vec<_>>().join(", ")
}

fn parse(json: &str) -> Result<Region> {
    serde_json::from_str(json).map_err(|error| Error::invalid("region_json", format!("is not a region: {error}")))
}

#[tonic::async_trait]
impl ConfigService for Config {
    async fn validate_region(&self, request: Request<ValidateRegionRequest>) -> Answer<ValidateRegionResponse> {
        let request = request.into_inner();
        let node = self.node(&request.service).map_err(status)?;
        let region = parse(&request.region_json).map_err(status)?;
        let problems = node.region.problems(&region).into_iter().map(|(field, description)| Problem { field, description }).collect();
        Ok(ValidateRegionResponse { problems }.into())
    }

    async fn diff_region(&self, request: Request<DiffRegionRequest>) -> Answer<DiffRegionResponse> {
        let request = request.into_inner();
        let node = self.node(&request.service).map_err(status)?;
        let after = parse(&request.region_json).map_err(status)?;
        let drift = node.region.drift().iter().map(|change| drifted(change, &after)).collect();
        Ok(DiffRegionResponse { changes: changes(&node.region.described(), &after), drift }.into())
    }

    async fn apply_region(&self, request: Request<ApplyRegionRequest>) -> Answer<ApplyRegionResponse> {
        let origin = caller(&request).map_err(status)?.origin();
        let request = request.into_inner();
        let node = self.node(&request.service).map_err(status)?;
        let region = parse(&request.region_json).map_err(status)?;
        if let Some((field, description)) = node.region.problems(&region).into_iter().next() {
            return Err(status(Error::invalid(field, description)));
        }
        let (changed, receipt) = node.region.apply(&node.committer, origin, region).await.map_err(status)?;
        Ok(rpc::caller::reply(node.service, ApplyRegionResponse { changed }, &receipt))
    }

    async fn export_region(&self, request: Request<ExportRegionRequest>) -> Answer<ExportRegionResponse> {
        let node = self.node(&request.into_inner().service).map_err(status)?;
        let region_json = serde_json::to_string(&node.region.described()).map_err(|error| status(Error::internal(error.to_string())))?;
        Ok(ExportRegionResponse { region_json }.into())
    }

    async fn list_drift(&self, _: Request<ListDriftRequest>) -> Answer<ListDriftResponse> {
        let node = self.nodes.get("intake").ok_or_else(|| status(Error::not_found("intake in this process")))?;
        let items = node.region.drift().into_iter().map(|change| DriftItem {
            organisation_id: change.organisation,
            kind: change.kind.code().to_owned(),
            item_id: change.item,
            body_json: change.body,
            set_by: change.set_by,
            set_at: change.set_at,
        });
        Ok(ListDriftResponse { items: items.collect() }.into())
    }
}

/// A leader's change as a difference from the description that is given.
fn drifted(change: &Drift, described: &Region) -> Change {
    Change { path: change.path(), before: change.described(described), after: (!change.body.is_empty()).then(|| change.body.clone()) }
}

/// The differences of two regions, organisation by organisation.
fn changes(before: &Region, after: &Region) -> Vec<Change> {
    let mut ids: Vec<&str> = before.organisations.iter().chain(&after.organisations).map(|organisation| organisation.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut changes = Vec::new();
    if before.region != after.region {
        changes.push(Change { path: "region".into(), before: Some(before.region.clone()), after: Some(after.region.clone()) });
    }
    for id in ids {
        for change in region::diff(before.organisation(id), after.organisation(id)) {
            changes.push(Change { path: format!("{id}.{}", change.path), before: change.before, after: change.after });
        }
    }
    changes
}
