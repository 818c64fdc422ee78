//! ReferralService.

use kernel::{Error, Id, Language, Result};
use proto::intake::referral_service_server::ReferralService;
use proto::intake::{
    ListReferralTargetsRequest, ListReferralTargetsResponse, ListReferralsRequest, ListReferralsResponse, ReferCaseRequest,
    ReferCaseResponse, Referral, ReportReferralRequest, ReportReferralResponse,
};
use rpc::caller::reply;
use rpc::{Answer, Caller, caller, status};
use tonic::Request;

use crate::app::{App, refer};
use crate::domain::language;
use crate::store::referrals;

pub struct Referrals {
    pub app: App,
}

#[tonic::async_trait]
impl ReferralService for Referrals {
    async fn list_referral_targets(&self, request: Request<ListReferralTargetsRequest>) -> Answer<ListReferralTargetsResponse> {
        let caller = caller(&request).map_err(status)?;
        list(&self.app, &caller, &request.into_inner()).await.map(Into::into).map_err(status)
    }

    async fn list_referrals(&self, request: Request<ListReferralsRequest>) -> Answer<ListReferralsResponse> {
        let caller = caller(&request).map_err(status)?;
        made(&self.app, &caller, &request.into_inner()).await.map(Into::into).map_err(status)
    }

    async fn refer_case(&self, request: Request<ReferCaseRequest>) -> Answer<ReferCaseResponse> {
        let caller = caller(&request).map_err(status)?;
        let (message, receipt) = self.app.refer(caller, request.into_inner()).await.map_err(status)?;
        Ok(reply("intake", ReferCaseResponse { message: Some(message) }, &receipt))
    }

    async fn report_referral(&self, request: Request<ReportReferralRequest>) -> Answer<ReportReferralResponse> {
        let caller = caller(&request).map_err(status)?;
        let whence = rpc::whence(&request).map_err(status)?;
        let receipt = self.app.report(&caller, &whence, &request.into_inner()).await.map_err(status)?;
        Ok(reply("intake", ReportReferralResponse {}, &receipt))
    }
}

async fn list(app: &App, caller: &Caller, request: &ListReferralTargetsRequest) -> Result<ListReferralTargetsResponse> {
    let id = Id::parse("case_id", &request.case_id)?;
    let wanted = language::named(&request.language)?;
    let case = app.read(caller, id).await?;
    let region = app.node.region.get();
    let organisation = region.organisation(&case.organisation).ok_or_else(|| Error::not_found("case"))?;
    let language = wanted.or_else(|| Language::from_code(&case.language)).unwrap_or_else(|| organisation.default_language());
    Ok(ListReferralTargetsResponse {
        targets: organisation.referrals.iter().map(|one| refer::target(organisation, one, language)).collect(),
    })
}

async fn made(app: &App, caller: &Caller, request: &ListReferralsRequest) -> Result<ListReferralsResponse> {
    let id = Id::parse("case_id", &request.case_id)?;
    let wanted = language::named(&request.language)?;
    let case = app.read(caller, id).await?;
    let region = app.node.region.get();
    let organisation = region.organisation(&case.organisation).ok_or_else(|| Error::not_found("case"))?;
    let language = wanted.or_else(|| Language::from_code(&case.language)).unwrap_or_else(|| organisation.default_language());
    let name = |target: &str| {
        let described = organisation.referrals.iter().find(|one| one.id == target);
        described.map(|one| organisation.text(&one.name, language).to_owned()).unwrap_or_default()
    };
    let made = referrals::of_case(&app.node.of(caller), id).await?;
    let referral = |one: referrals::Made| Referral {
        referral_id: one.id.to_string(),
        name: name(&one.target),
        referral_target_id: one.target,
        referred_at: Some(proto::timestamp(one.referred_at)),
        outcome: one.outcome,
        reported_at: one.reported_at.map(proto::timestamp),
    };
    Ok(ListReferralsResponse { referrals: made.into_iter().map(referral).collect() })
}
