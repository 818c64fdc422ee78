//! `/region/rollout`: all clinics on their way to being live.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;

use super::{configuration, only_operators};
use crate::pages::leader::rollout::{Line, Moved, of};
use crate::pages::staff::said::{Notice, Said};
use crate::web::{Form, Page, Problem, Staff};

/// The clinics of one organisation.
struct Organisation {
    id: String,
    name: String,
    lines: Vec<Line>,
}

#[derive(Template)]
#[template(path = "region/rollout.html")]
struct Rollout {
    page: Page,
    staff: Staff,
    notice: Option<Notice>,
    organisations: Vec<Organisation>,
    action: &'static str,
}

impl Rollout {
    fn live(&self) -> usize {
        self.organisations.iter().flat_map(|one| &one.lines).filter(|line| line.live).count()
    }

    fn all(&self) -> usize {
        self.organisations.iter().map(|one| one.lines.len()).sum()
    }
}

pub async fn show(page: Page, staff: Staff, Query(said): Query<Said>) -> Result<Response, Problem> {
    only_operators(&staff)?;
    let (region, rollouts) = (configuration::described(&staff).await?, of(&staff).await?);
    let own = page.say("region-role").to_string();
    let organisations = rollouts.into_iter().map(|(id, clinics)| {
        let organisation = region.organisation(&id);
        let who = |worker: &str| organisation.and_then(|one| one.worker(worker)).map_or_else(|| own.clone(), |one| one.name.clone());
        Organisation {
            name: organisation.map_or_else(|| id.clone(), |one| one.name.clone()),
            lines: clinics.iter().map(|clinic| Line::new(clinic, who)).collect(),
            id,
        }
    });
    let organisations = organisations.collect();
    page.show(&Rollout { page: page.clone(), notice: said.notice(&page), staff, organisations, action: "/region/rollout" })
}

pub async fn set(page: Page, staff: Staff, Form(moved): Form<Moved>) -> Result<Response, Problem> {
    only_operators(&staff)?;
    let said = moved.apply(&staff).await?;
    Ok(page.then(&format!("/region/rollout?said={said}#{}", moved.clinic), &staff.calls))
}
