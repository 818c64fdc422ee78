//! `/region`: every door of every organisation, and how it stands.

use std::collections::BTreeSet;

use askama::Template;
use axum::response::Response;
use proto::intake::{EntryPointSummary, ListEntryPointsRequest, RolloutStep};

use super::only_operators;
use crate::pages::leader::rollout;
use crate::pages::visitor::words;
use crate::web::{Page, Problem, Staff};

/// One door.
struct Line {
    door: EntryPointSummary,
    opens: String,
    /// Its clinic is live.
    live: bool,
}

struct Organisation {
    id: String,
    name: String,
    lines: Vec<Line>,
}

#[derive(Template)]
#[template(path = "region/doors.html")]
struct Doors {
    page: Page,
    staff: Staff,
    organisations: Vec<Organisation>,
}

impl Doors {
    fn count(&self, wanted: impl Fn(&Line) -> bool) -> usize {
        self.organisations.iter().flat_map(|one| &one.lines).filter(|line| wanted(line)).count()
    }

    fn all(&self) -> usize {
        self.count(|_| true)
    }

    fn open(&self) -> usize {
        self.count(|line| line.door.open == Some(true))
    }

    fn unlisted(&self) -> usize {
        self.count(|line| line.door.unlisted || line.door.practice)
    }
}

pub async fn show(page: Page, staff: Staff) -> Result<Response, Problem> {
    only_operators(&staff)?;
    let rollouts = rollout::of(&staff).await?;
    let is_live = |clinic: &proto::intake::ClinicRollout| clinic.done.iter().any(|one| one.step() == RolloutStep::Live);
    let live: BTreeSet<&str> = rollouts.values().flatten().filter(|one| is_live(one)).map(|one| one.clinic_id.as_str()).collect();
    let mut organisations: Vec<Organisation> = Vec::new();
    for door in all(&page, &staff).await? {
        let line = Line { opens: words::when(&page, door.next_opening_at.as_ref()), live: live.contains(door.clinic_id.as_str()), door };
        match organisations.iter_mut().find(|one| one.id == line.door.organisation_id) {
            Some(one) => one.lines.push(line),
            None => organisations.push(Organisation {
                id: line.door.organisation_id.clone(),
                name: line.door.organisation_name.clone(),
                lines: vec![line],
            }),
        }
    }
    organisations.sort_by(|a, b| a.name.cmp(&b.name));
    page.show(&Doors { page: page.clone(), staff, organisations })
}

/// Page by page.
async fn all(page: &Page, staff: &Staff) -> Result<Vec<EntryPointSummary>, Problem> {
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListEntryPointsRequest {
            language: page.language().code().to_owned(),
            page_size: 200,
            page_token,
            ..ListEntryPointsRequest::default()
        };
        let answer = staff.calls.cases().list_entry_points(request).await?.into_inner();
        all.extend(answer.entry_points);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}
