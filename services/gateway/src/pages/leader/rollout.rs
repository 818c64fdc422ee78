//! `/leader/rollout`: how far each clinic is on its way to being live. The region's page shows the same of all clinics.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use proto::intake::{ClinicRollout, ListRolloutRequest, RolloutStep, SetRolloutStepRequest};
use serde::Deserialize;

use super::only_leaders;
use crate::pages::staff::names::Names;
use crate::pages::staff::said::{Notice, Said};
use crate::pages::staff::view;
use crate::web::{Form, Page, Problem, Staff};

/// The steps in their order, each with its word in forms and in the keys of texts.
pub const STEPS: [(RolloutStep, &str); 4] = [
    (RolloutStep::Trained, "trained"),
    (RolloutStep::Configured, "configured"),
    (RolloutStep::Tested, "tested"),
    (RolloutStep::Live, "live"),
];

/// A step of one clinic.
pub struct Step {
    pub word: &'static str,
    /// Who said so, and when.
    pub done: Option<(String, String)>,
    /// Whether it can be set, or taken back, now.
    pub movable: bool,
}

/// One clinic's way.
pub struct Line {
    pub clinic_id: String,
    pub clinic: String,
    pub steps: Vec<Step>,
    pub practice_cases: u32,
    pub practised_workers: u32,
    pub doors: u32,
    pub live: bool,
}

impl Line {
    /// `who` knows what the one who set a step is called.
    pub fn new(rollout: &ClinicRollout, who: impl Fn(&str) -> String) -> Self {
        let is_done = |step: RolloutStep| rollout.done.iter().any(|one| one.step() == step);
        let live = is_done(RolloutStep::Live);
        let ready = STEPS.iter().filter(|(step, _)| *step != RolloutStep::Live).all(|(step, _)| is_done(*step));
        let step = |(step, word): &(RolloutStep, &'static str)| {
            let done = rollout.done.iter().find(|one| one.step() == *step);
            Step {
                word,
                done: done.map(|one| (who(&one.set_by), view::moment(one.set_at.as_ref()))),
                // Live is the last one set, and the first one taken back.
                movable: if *step == RolloutStep::Live { live || ready } else { !live },
            }
        };
        Self {
            clinic_id: rollout.clinic_id.clone(),
            clinic: rollout.clinic_name.clone(),
            steps: STEPS.iter().map(step).collect(),
            practice_cases: rollout.practice_cases,
            practised_workers: rollout.practised_workers,
            doors: rollout.entry_points,
            live,
        }
    }
}

/// All clinics that the caller may see, by organisation.
pub async fn of(staff: &Staff) -> Result<BTreeMap<String, Vec<ClinicRollout>>, Problem> {
    let mut by_organisation: BTreeMap<String, Vec<ClinicRollout>> = BTreeMap::new();
    for clinic in staff.calls.clinics().list_rollout(ListRolloutRequest {}).await?.into_inner().clinics {
        by_organisation.entry(clinic.organisation_id.clone()).or_default().push(clinic);
    }
    Ok(by_organisation)
}

#[derive(Template)]
#[template(path = "leader/rollout.html")]
struct Rollout {
    page: Page,
    staff: Staff,
    notice: Option<Notice>,
    lines: Vec<Line>,
    action: &'static str,
}

pub async fn show(page: Page, staff: Staff, Query(said): Query<Said>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let names = Names::load(&page, &staff).await?;
    // Who is no worker here runs the region.
    let region = page.say("region-role").to_string();
    let who = |id: &str| if names.workers().any(|one| one.worker_id == id) { names.worker(id).to_owned() } else { region.clone() };
    let lines = of(&staff).await?.into_values().flatten().map(|clinic| Line::new(&clinic, who)).collect();
    page.show(&Rollout { page: page.clone(), notice: said.notice(&page), staff, lines, action: "/leader/rollout" })
}

#[derive(Deserialize)]
pub struct Moved {
    pub clinic: String,
    step: String,
    /// `1`: it is done; else it is taken back.
    done: String,
}

impl Moved {
    /// Sets the step and answers with what to say about it.
    pub async fn apply(&self, staff: &Staff) -> Result<&'static str, Problem> {
        let step = STEPS.iter().find(|(_, word)| *word == self.step).map(|(step, _)| *step).ok_or_else(Problem::invalid)?;
        let request =
            SetRolloutStepRequest { request_id: String::new(), clinic_id: self.clinic.clone(), step: step.into(), done: self.done == "1" };
        match staff.calls.clinics().set_rollout_step(request).await {
            Ok(_) => Ok("step-set"),
            // Somebody has taken another step back, or the clinic has gone live meanwhile.
            Err(status) if status.code() == tonic::Code::FailedPrecondition => Ok("step-late"),
            Err(status) => Err(status.into()),
        }
    }
}

pub async fn set(page: Page, staff: Staff, Form(moved): Form<Moved>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let said = moved.apply(&staff).await?;
    Ok(page.then(&format!("/leader/rollout?said={said}#{}", moved.clinic), &staff.calls))
}
