//! ClinicService: what workers and leaders have at hand.

use auth::Resource;
use kernel::error::Violations;
use kernel::{Error, Id, Language, Result};
use proto::intake::clinic_service_server::ClinicService;
use proto::intake::{
    CannedReply, GetPracticeKeyRequest, GetPracticeKeyResponse, ListCannedRepliesRequest, ListCannedRepliesResponse, ListChangesRequest,
    ListChangesResponse, ListItemsRequest, ListItemsResponse, ListRolloutRequest, ListRolloutResponse, RevertChangeRequest,
    RevertChangeResponse, SetChangeRequest, SetChangeResponse, SetRolloutStepRequest, SetRolloutStepResponse,
};
use rpc::caller::reply;
use rpc::{Answer, Caller, caller, status};
use tonic::Request;

use crate::app::lines::first_name;
use crate::app::{App, practice};
use crate::domain::language;
use crate::store::cases::Stored;

pub struct Clinics {
    pub app: App,
}

#[tonic::async_trait]
impl ClinicService for Clinics {
    async fn list_canned_replies(&self, request: Request<ListCannedRepliesRequest>) -> Answer<ListCannedRepliesResponse> {
        let caller = caller(&request).map_err(status)?;
        canned_replies(&self.app, &caller, &request.into_inner()).await.map(Into::into).map_err(status)
    }

    async fn list_rollout(&self, request: Request<ListRolloutRequest>) -> Answer<ListRolloutResponse> {
        let caller = caller(&request).map_err(status)?;
        super::rollout::list(&self.app, &caller).await.map(Into::into).map_err(status)
    }

    async fn set_rollout_step(&self, request: Request<SetRolloutStepRequest>) -> Answer<SetRolloutStepResponse> {
        let caller = caller(&request).map_err(status)?;
        let (answer, receipt) = super::rollout::set(&self.app, &caller, request.into_inner()).await.map_err(status)?;
        Ok(reply("intake", answer, &receipt))
    }

    async fn set_change(&self, request: Request<SetChangeRequest>) -> Answer<SetChangeResponse> {
        let caller = caller(&request).map_err(status)?;
        let (answer, receipt) = super::changes::set(&self.app, &caller, request.into_inner()).await.map_err(status)?;
        Ok(reply("intake", answer, &receipt))
    }

    async fn revert_change(&self, request: Request<RevertChangeRequest>) -> Answer<RevertChangeResponse> {
        let caller = caller(&request).map_err(status)?;
        let receipt = super::changes::revert(&self.app, &caller, request.into_inner()).await.map_err(status)?;
        Ok(reply("intake", RevertChangeResponse {}, &receipt))
    }

    async fn list_changes(&self, request: Request<ListChangesRequest>) -> Answer<ListChangesResponse> {
        let caller = caller(&request).map_err(status)?;
        super::changes::list(&self.app, &caller).map(Into::into).map_err(status)
    }

    async fn list_items(&self, request: Request<ListItemsRequest>) -> Answer<ListItemsResponse> {
        let caller = caller(&request).map_err(status)?;
        super::items::list(&self.app, &caller, &request.into_inner()).await.map(Into::into).map_err(status)
    }

    async fn get_practice_key(&self, request: Request<GetPracticeKeyRequest>) -> Answer<GetPracticeKeyResponse> {
        let caller = caller(&request).map_err(status)?;
        practice_key(&self.app, &caller, &request.into_inner()).map(Into::into).map_err(status)
    }
}

fn practice_key(app: &App, caller: &Caller, request: &GetPracticeKeyRequest) -> Result<GetPracticeKeyResponse> {
    let mut violations = Violations::default();
    violations.text("entry_point_id", &request.entry_point_id, 64);
    violations.done()?;
    let region = app.node.region.get();
    let (organisation, door) = region.entry_point(&request.entry_point_id).ok_or_else(|| Error::not_found("entry point"))?;
    caller.check("entry point", &Resource { organisation: &organisation.id, clinic: &door.clinic, ..Resource::default() })?;
    let (practice_key, until) = practice::key(&app.node.platform.secret, &door.id, app.node.now())?;
    Ok(GetPracticeKeyResponse { practice_key, expires_at: Some(proto::timestamp(until)) })
}

async fn canned_replies(app: &App, caller: &Caller, request: &ListCannedRepliesRequest) -> Result<ListCannedRepliesResponse> {
    let id = Id::parse("case_id", &request.case_id)?;
    let wanted = language::named(&request.language)?;
    // The texts hold the visitor's name: this is a read of the case.
    let case = app.read(caller, id).await?;
    let region = app.node.region.get();
    let organisation = region.organisation(&case.organisation).ok_or_else(|| Error::not_found("case"))?;
    let language = wanted.or_else(|| Language::from_code(&case.language)).unwrap_or_else(|| organisation.default_language());
    let worker = organisation.worker(&caller.principal.id).map(|worker| first_name(&worker.name)).unwrap_or_default();
    let clinic = organisation.clinic(&case.clinic).map(|clinic| clinic.name.as_str()).unwrap_or_default();
    let visitor = visitor_name(&case);
    let fill = |text: &str| {
        // `Hej {visitor}!` to somebody without a name is `Hej!`.
        let text = if visitor.is_empty() { text.replace(" {visitor}", "") } else { text.to_owned() };
        text.replace("{visitor}", &visitor).replace("{worker}", worker).replace("{clinic}", clinic)
    };
    let mut replies: Vec<_> =
        organisation.canned_replies.iter().filter(|reply| reply.clinic.as_ref().is_none_or(|clinic| *clinic == case.clinic)).collect();
    replies.sort_by_key(|reply| reply.clinic.is_none());
    let canned_replies = replies
        .into_iter()
        .map(|reply| CannedReply {
            canned_reply_id: reply.id.clone(),
            title: organisation.text(&reply.title, language).to_owned(),
            text: fill(organisation.text(&reply.text, language)),
            clinic_id: reply.clinic.clone().unwrap_or_default(),
        })
        .collect();
    Ok(ListCannedRepliesResponse { canned_replies })
}

/// What the visitor has told of their name in this case, or else at the door.
fn visitor_name(case: &Stored) -> String {
    let told = case.revealed.iter().find(|(field, ..)| *field == i32::from(proto::intake::IdentityField::Name));
    told.map_or_else(|| case.person.display_name.clone(), |(_, name, _)| name.clone())
}
