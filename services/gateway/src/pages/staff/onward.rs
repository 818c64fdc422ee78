//! Ways on from a conversation: a video meeting, and what became of those whom the visitor was guided on to.

use axum::extract::Path;
use axum::response::Response;
use kernel::{Id, Time};
use proto::intake::{ListReferralsRequest, Referral, RequestVideoRequest};

use super::{acts, view};
use crate::web::{Page, Problem, Staff};

/// Its address comes as a line in the conversation, where both see it.
pub async fn video(page: Page, staff: Staff, Path(case): Path<Id>) -> Result<Response, Problem> {
    let case = case.to_string();
    match staff.calls.cases().request_video(RequestVideoRequest { case_id: case.clone() }).await {
        Ok(_) => Ok(acts::back(&page, &staff, &case, "video-ready", "write")),
        Err(status) => acts::refused(&page, &staff, &case, status, "write"),
    }
}

/// A referral as it is shown.
pub struct Referred {
    pub name: String,
    pub when: String,
    pub outcome: String,
    pub tone: &'static str,
}

/// What was told of the case's referrals; while intake cannot say, the conversation goes on without.
pub async fn referrals(page: &Page, staff: &Staff, case: &str, now: Time) -> Result<Vec<Referred>, Problem> {
    let request = ListReferralsRequest { case_id: case.to_owned(), language: page.language().code().to_owned() };
    match staff.calls.referrals().list_referrals(request).await {
        Ok(answer) => Ok(answer.into_inner().referrals.iter().map(|one| referred(page, one, now)).collect()),
        Err(status) if status.code() == tonic::Code::Unauthenticated => Err(status.into()),
        Err(_) => Ok(Vec::new()),
    }
}

fn referred(page: &Page, referral: &Referral, now: Time) -> Referred {
    use proto::intake::ReferralOutcome;
    let (key, tone) = match referral.outcome() {
        ReferralOutcome::Unspecified => ("referral-not-told", "plain"),
        ReferralOutcome::Arrived => ("referral-arrived", "good"),
        ReferralOutcome::Declined => ("referral-declined", "warning"),
        ReferralOutcome::NotSuitable => ("referral-not-suitable", "warning"),
    };
    Referred {
        name: if referral.name.is_empty() { referral.referral_target_id.clone() } else { referral.name.clone() },
        when: view::short(referral.referred_at.as_ref(), now),
        outcome: page.say(key).to_string(),
        tone,
    }
}
