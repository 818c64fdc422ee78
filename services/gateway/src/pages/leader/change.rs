//! `/leader/change`: what leaders may change beside the region's description, and what they have changed.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use proto::intake::{ChangeKind, ClinicChange, ListChangesRequest, ListItemsRequest, ListItemsResponse};
use serde::Deserialize;

use super::only_leaders;
use crate::pages::staff::names::Names;
use crate::pages::staff::said::{Notice, Said};
use crate::pages::staff::view;
use crate::web::{Page, Problem, Staff};

/// Things that have a page each; days of a calendar have pages of their own (`closings`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Replies,
    Referrals,
    People,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Replies, Self::Referrals, Self::People];

    /// The word in addresses and in the keys of texts.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Replies => "replies",
            Self::Referrals => "referrals",
            Self::People => "people",
        }
    }

    pub const fn wire(self) -> ChangeKind {
        match self {
            Self::Replies => ChangeKind::CannedReply,
            Self::Referrals => ChangeKind::Referral,
            Self::People => ChangeKind::Worker,
        }
    }
}

/// A change that stands.
struct Standing {
    /// The word of its kind.
    word: &'static str,
    item: String,
    link: String,
    who: String,
    when: String,
    gone: bool,
    added: bool,
    fits: bool,
}

#[derive(Template)]
#[template(path = "leader/change.html")]
struct Hub {
    page: Page,
    staff: Staff,
    notice: Option<Notice>,
    standing: Vec<Standing>,
}

pub async fn show(page: Page, staff: Staff, Query(said): Query<Said>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let names = Names::load(&page, &staff).await?;
    let changes = staff.calls.clinics().list_changes(ListChangesRequest {}).await?.into_inner().changes;
    let standing = changes.iter().map(|change| standing(&names, change)).collect();
    page.show(&Hub { page: page.clone(), notice: said.notice(&page), staff, standing })
}

fn standing(names: &Names, change: &ClinicChange) -> Standing {
    let (word, link) = match change.kind() {
        ChangeKind::Exception | ChangeKind::Unspecified => ("closings", "/leader/change/closings".to_owned()),
        ChangeKind::CannedReply => ("replies", format!("/leader/change/replies#{}", change.item_id)),
        ChangeKind::Referral => ("referrals", format!("/leader/change/referrals#{}", change.item_id)),
        ChangeKind::Worker => ("people", format!("/leader/change/people#{}", change.item_id)),
    };
    Standing {
        word,
        item: change.item_id.clone(),
        link,
        who: names.worker(&change.set_by).to_owned(),
        when: view::moment(change.set_at.as_ref()),
        gone: change.body_json.is_empty(),
        added: change.described_json.is_empty(),
        fits: change.in_effect,
    }
}

/// All things of a kind, as they hold now.
pub async fn list(staff: &Staff, kind: ChangeKind) -> Result<ListItemsResponse, Problem> {
    Ok(staff.calls.clinics().list_items(ListItemsRequest { kind: kind.into() }).await?.into_inner())
}

/// What came of a change.
pub enum Done {
    Well,
    /// Somebody else has changed it since the form was shown.
    Meanwhile,
    /// What the service says is wrong with it, in English.
    Refused(String),
}

/// Sorts what a change was answered with; what no form can help is a page of its own.
pub fn done<T>(answer: Result<tonic::Response<T>, tonic::Status>) -> Result<Done, Problem> {
    match answer {
        Ok(_) => Ok(Done::Well),
        Err(status) if status.code() == tonic::Code::Aborted => Ok(Done::Meanwhile),
        Err(status) if matches!(status.code(), tonic::Code::InvalidArgument | tonic::Code::FailedPrecondition) => {
            Ok(Done::Refused(rpc::status::error(&status).message))
        }
        Err(status) => Err(status.into()),
    }
}
