//! `/staff/c/<case>/refer`: whom the visitor can be guided on to, and the card for one of them.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use kernel::Id;
use proto::intake::{ListReferralTargetsRequest, ReferCaseRequest, ReferralKind, ReferralTarget};
use serde::Deserialize;

use super::acts;
use super::names::Names;
use super::view::Row;
use crate::pages::case;
use crate::web::{Form, Page, Problem, Staff};

/// In the order of the page.
const KINDS: [ReferralKind; 3] = [ReferralKind::Programme, ReferralKind::Clinic, ReferralKind::External];

#[derive(Deserialize)]
pub struct Wanted {
    /// Words of a name or of what one gets there.
    #[serde(default)]
    find: String,
}

/// Places of one kind.
struct Group {
    name: String,
    targets: Vec<ReferralTarget>,
}

#[derive(Template)]
#[template(path = "staff/refer.html")]
struct Refer {
    page: Page,
    staff: Staff,
    row: Row,
    groups: Vec<Group>,
    find: String,
    request_id: String,
}

pub async fn targets(page: Page, staff: Staff, Path(case): Path<Id>, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    let now = staff.calls.now();
    let case = case::load(&staff.calls, &case.to_string()).await?;
    let names = Names::load(&page, &staff).await?;
    let request = ListReferralTargetsRequest { case_id: case.case_id.clone(), language: page.language().code().to_owned() };
    let all = staff.calls.referrals().list_referral_targets(request).await?.into_inner().targets;
    let found: Vec<ReferralTarget> = all.into_iter().filter(|one| fits(one, &wanted.find)).collect();
    let groups = KINDS.map(|kind| Group {
        name: page.say(&format!("refer-{}", kind.as_str_name().trim_start_matches("REFERRAL_KIND_").to_ascii_lowercase())).to_string(),
        targets: found.iter().filter(|one| one.kind() == kind).cloned().collect(),
    });
    let refer = Refer {
        row: Row::new(&page, &names, &case, now),
        groups: groups.into_iter().filter(|group| !group.targets.is_empty()).collect(),
        find: wanted.find.trim().to_owned(),
        request_id: Id::new(now).to_string(),
        page: page.clone(),
        staff,
    };
    page.show(&refer)
}

/// Every word stands somewhere in it, whatever the capitals.
fn fits(target: &ReferralTarget, find: &str) -> bool {
    let said = format!("{} {} {}", target.name, target.about, target.address).to_lowercase();
    find.to_lowercase().split_whitespace().all(|word| said.contains(word))
}

#[derive(Deserialize)]
pub struct Chosen {
    target: String,
    /// Made by the page, so that a double click puts one card.
    #[serde(default)]
    request_id: String,
}

pub async fn refer(page: Page, staff: Staff, Path(case): Path<Id>, Form(chosen): Form<Chosen>) -> Result<Response, Problem> {
    let case = case.to_string();
    // Another place of the same page is another referral.
    let once = Id::derived(&[chosen.request_id.as_bytes(), chosen.target.as_bytes()]);
    let request_id = if chosen.request_id.is_empty() { String::new() } else { once.to_string() };
    let request = ReferCaseRequest { request_id, case_id: case.clone(), referral_target_id: chosen.target };
    match staff.calls.referrals().refer_case(request).await {
        Ok(_) => Ok(acts::back(&page, &staff, &case, "referred", "write")),
        Err(status) => acts::refused(&page, &staff, &case, status, "write"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_to_be_there() {
        let place = ReferralTarget { name: "Ungdomsmottagningen".into(), about: "För dig under 24".into(), ..ReferralTarget::default() };
        assert!(fits(&place, "") && fits(&place, "UNGDOM") && fits(&place, "under ungdom"));
        assert!(!fits(&place, "ungdom tandvård"));
    }
}
