//! Whom a sign-in service's word makes somebody here.

use std::collections::BTreeSet;

use proto::access::{BeginSessionRequest, SessionChoice};
use region::{Organisation, Region, Worker};

use crate::app::sessions::kind;

/// Every worker whom the description gives this name or this address, where they may be looked for.
pub fn found<'r>(region: &'r Region, request: &BeginSessionRequest) -> Vec<(&'r Organisation, &'r Worker)> {
    let within: BTreeSet<&str> = request.within_organisation_ids.iter().map(String::as_str).collect();
    let here = |organisation: &&Organisation| within.is_empty() || within.contains(organisation.id.as_str());
    let named = |worker: &Worker| {
        let by_name = worker.sign_in.iter().any(|name| name.provider == request.provider && name.subject == request.subject);
        let address = request.verified_email.to_lowercase();
        by_name || (!address.is_empty() && worker.email.to_lowercase() == address)
    };
    let of = |organisation: &'r Organisation| {
        organisation.workers.iter().filter(move |worker| named(worker)).map(move |worker| (organisation, worker))
    };
    region.organisations.iter().filter(here).flat_map(of).collect()
}

pub fn choice(organisation: &Organisation, worker: &Worker) -> SessionChoice {
    SessionChoice {
        organisation_id: organisation.id.clone(),
        organisation_name: organisation.name.clone(),
        worker_id: worker.id.clone(),
        display_name: worker.name.clone(),
        kind: kind(worker.role).into(),
        clinic_names: worker.clinics.iter().filter_map(|id| Some(organisation.clinic(id)?.name.clone())).collect(),
    }
}
