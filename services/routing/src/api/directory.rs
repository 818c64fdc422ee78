//! GetDirectory.

use kernel::error::Violations;
use kernel::{Error, Language, Result};
use proto::routing::{
    GetDirectoryRequest, GetDirectoryResponse, NamedClinic, NamedContactReason, NamedEntryPoint, NamedQueue, NamedWorker,
};
use region::{Organisation, QueueKind, Texts};
use runtime::Node;
use tonic::{Request, Response};

use super::Api;

impl Api {
    pub(crate) async fn get_directory(&self, request: Request<GetDirectoryRequest>) -> Result<Response<GetDirectoryResponse>> {
        let caller = rpc::caller(&request)?;
        let language = request.into_inner().language;
        let asked = Language::from_code(&language);
        let mut found = Violations::default();
        found.check(language.is_empty() || asked.is_some(), "language", "must be sv, nb, nn or en");
        found.done()?;
        self.app.node.log_read(&caller, vec![Node::many(&caller)]).await?;
        let region = self.app.region();
        let organisation = region.organisation(&caller.principal.organisation).ok_or_else(|| Error::not_found("organisation"))?;
        Ok(Response::new(directory(organisation, asked)))
    }
}

fn directory(organisation: &Organisation, asked: Option<Language>) -> GetDirectoryResponse {
    let language = asked.unwrap_or_else(|| organisation.default_language());
    let texts = |texts: &Texts| organisation.text(texts, language).to_owned();
    let queues = &organisation.queues;
    GetDirectoryResponse {
        organisation_name: organisation.name.clone(),
        clinics: organisation.clinics.iter().map(|one| NamedClinic { clinic_id: one.id.clone(), name: one.name.clone() }).collect(),
        entry_points: organisation
            .entry_points
            .iter()
            .map(|one| NamedEntryPoint {
                entry_point_id: one.id.clone(),
                clinic_id: one.clinic.clone(),
                name: texts(&one.name),
                practice: one.practice,
            })
            .collect(),
        queues: queues
            .iter()
            .map(|one| NamedQueue {
                queue_id: one.id.clone(),
                clinic_id: one.clinic.clone(),
                profession: one.profession.code().to_owned(),
                pull: one.kind == QueueKind::Pull,
            })
            .collect(),
        workers: organisation
            .workers
            .iter()
            .map(|one| NamedWorker {
                worker_id: one.id.clone(),
                name: one.name.clone(),
                profession: one.profession.code().to_owned(),
                clinic_ids: one.clinics.clone(),
                queue_ids: queues.iter().filter(|queue| one.answers(queue)).map(|queue| queue.id.clone()).collect(),
            })
            .collect(),
        contact_reasons: organisation
            .catalogue
            .reasons
            .iter()
            .map(|one| NamedContactReason { contact_reason_id: one.id.clone(), name: texts(&one.name) })
            .collect(),
    }
}
