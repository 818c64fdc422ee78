//! Handing a case on within the organisation: to a colleague, who has to accept, or to a queue. Between organisations nothing goes
//! without the visitor's yes, and not from here.

use axum::extract::Path;
use axum::response::Response;
use kernel::Id;
use proto::intake::{Case, PostNoteRequest};
use proto::routing::{ListPresenceRequest, NamedClinic, NamedWorker, TransferCaseRequest};
use serde::Deserialize;

use super::acts;
use super::names::Names;
use crate::web::{Form, Page, Problem, Staff};

/// Somebody who could have the case instead.
pub struct Colleague {
    pub id: String,
    pub name: String,
    pub profession: String,
    pub present: bool,
}

/// Where a case can go.
#[derive(Default)]
pub struct Goals {
    pub colleagues: Vec<Colleague>,
    /// Professions that have a queue in the case's own clinic: code and name.
    pub here: Vec<(String, String)>,
    /// Other clinics that have a queue.
    pub clinics: Vec<NamedClinic>,
    /// Professions that have a queue in one of them.
    pub there: Vec<(String, String)>,
}

/// None for who cannot hand over: volunteers, and whoever does not answer here.
pub async fn goals(page: &Page, staff: &Staff, names: &Names, case: &Case, answers: bool) -> Result<Goals, Problem> {
    if !answers || staff.is_volunteer() {
        return Ok(Goals::default());
    }
    let present = present(staff).await?;
    let clinics: Vec<NamedClinic> = names.staffed_clinics().filter(|one| one.clinic_id != case.clinic_id).cloned().collect();
    let there = clinics.iter().flat_map(|clinic| names.professions_at(&clinic.clinic_id)).collect();
    Ok(Goals {
        colleagues: colleagues(page, names, &case.worker_id, std::slice::from_ref(&case.clinic_id), &present),
        here: named(page, names.professions_at(&case.clinic_id).collect()),
        there: named(page, there),
        clinics,
    })
}

fn named(page: &Page, mut codes: Vec<&str>) -> Vec<(String, String)> {
    codes.sort_unstable();
    codes.dedup();
    let name = |code: &str| match code {
        "any" => page.say("transfer-anybody").to_string(),
        _ => page.say(&format!("profession-{code}")).to_string(),
    };
    codes.into_iter().map(|code| (code.to_owned(), name(code))).collect()
}

/// Who is there. Volunteers cannot hand over and see nobody.
pub async fn present(staff: &Staff) -> Result<Vec<String>, Problem> {
    if staff.is_volunteer() {
        return Ok(Vec::new());
    }
    let known = staff.calls.routing().list_presence(ListPresenceRequest::default()).await?.into_inner().presences;
    Ok(known.into_iter().filter(|one| one.present).map(|one| one.worker_id).collect())
}

/// Those of these clinics who are there first, then by name.
pub fn colleagues(page: &Page, names: &Names, but: &str, clinics: &[String], present: &[String]) -> Vec<Colleague> {
    let others = names.workers().filter(|one| one.worker_id != but && one.clinic_ids.iter().any(|clinic| clinics.contains(clinic)));
    let colleague = |one: &NamedWorker| Colleague {
        present: present.contains(&one.worker_id),
        id: one.worker_id.clone(),
        name: one.name.clone(),
        profession: page.say(&format!("profession-{}", one.profession)).to_string(),
    };
    let mut found: Vec<Colleague> = others.map(colleague).collect();
    found.sort_by(|a, b| b.present.cmp(&a.present).then_with(|| a.name.cmp(&b.name)));
    found
}

#[derive(Deserialize)]
pub struct To {
    /// `worker`, `profession` or `clinic`; who only names a worker means them.
    #[serde(default)]
    way: String,
    #[serde(default)]
    worker: String,
    #[serde(default)]
    profession: String,
    #[serde(default)]
    clinic: String,
    /// Of that clinic; empty: any.
    #[serde(default)]
    there: String,
    /// For whoever goes on.
    #[serde(default)]
    note: String,
    /// Where a leader comes from.
    #[serde(default)]
    board: String,
}

pub async fn transfer(page: Page, staff: Staff, Path(case): Path<Id>, Form(to): Form<To>) -> Result<Response, Problem> {
    let case = case.to_string();
    let mut request = TransferCaseRequest { case_id: case.clone(), ..TransferCaseRequest::default() };
    match to.way.as_str() {
        "profession" => request.profession = to.profession,
        "clinic" => (request.clinic_id, request.profession) = (to.clinic, to.there),
        _ => request.worker_id = to.worker,
    }
    let to_queue = request.worker_id.is_empty();
    if to_queue && request.profession.is_empty() && request.clinic_id.is_empty() {
        return Ok(acts::back(&page, &staff, &case, "goal-missing", "transfer"));
    }
    if !to.note.trim().is_empty() {
        leave_note(&staff, &case, &to.note).await?;
    }
    match staff.calls.routing().transfer_case(request).await {
        Ok(_) => {
            let said = if to_queue { "handed-on" } else { "offered-on" };
            let home = if to.board.is_empty() { "/staff" } else { "/leader" };
            // To a colleague: the case is theirs to take now.
            Ok(page.then(&format!("{home}?said={said}"), &staff.calls))
        }
        Err(status) => acts::refused(&page, &staff, &case, status, "transfer"),
    }
}

/// Before the case goes: afterwards it is not ours to write in.
pub async fn leave_note(staff: &Staff, case: &str, text: &str) -> Result<(), Problem> {
    let client_id = Id::new(staff.calls.now()).to_string();
    let request = PostNoteRequest { case_id: case.to_owned(), client_id, text: text.trim().to_owned() };
    staff.calls.conversations().post_note(request).await?;
    Ok(())
}
