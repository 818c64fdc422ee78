//! `/staff/new`: a case that staff open themselves, for somebody on the telephone or at the desk.

use std::time::Duration;

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use kernel::Id;
use proto::intake::{CaseMode, Channel, EntryPoint, ForWhom, GetEntryPointRequest, OpenCaseRequest, Visitor};
use proto::routing::NamedEntryPoint;
use serde::Deserialize;

use super::names::Names;
use super::{acts, desk, view};
use crate::pages::{case, practice};
use crate::web::{Form, Page, Problem, Staff};

/// How somebody comes who does not come by themselves.
const CHANNELS: [Channel; 3] = [Channel::Phone, Channel::Onsite, Channel::Chat];

/// How often, and how many times, one looks whether a kept case has arrived: two seconds in all.
const KEPT_LOOK: Duration = Duration::from_millis(50);
const KEPT_LOOKS: u32 = 40;

#[derive(Template)]
#[template(path = "staff/doors.html")]
struct Doors {
    page: Page,
    staff: Staff,
    doors: Vec<NamedEntryPoint>,
}

#[derive(Template)]
#[template(path = "staff/open.html")]
struct Opening {
    page: Page,
    staff: Staff,
    door: EntryPoint,
    filled: Filled,
    error: String,
    channels: Vec<(&'static str, String)>,
}

impl Opening {
    /// Whoever practises opens practice, and sees so before.
    fn practises(&self) -> bool {
        self.door.practice || self.filled.practice == "1"
    }
}

pub async fn doors(page: Page, staff: Staff) -> Result<Response, Problem> {
    let names = Names::load(&page, &staff).await?;
    let doors = names.doors(&staff.clinics).cloned().collect();
    page.show(&Doors { page: page.clone(), staff, doors })
}

async fn door(page: &Page, staff: &Staff, id: &str) -> Result<EntryPoint, Problem> {
    let request = GetEntryPointRequest { entry_point_id: id.to_owned(), language: page.language().code().to_owned() };
    let door = staff.calls.cases().get_entry_point(request).await?.into_inner().entry_point.ok_or_else(Problem::not_found)?;
    if staff.clinics.contains(&door.clinic_id) { Ok(door) } else { Err(Problem::not_found()) }
}

pub async fn form(page: Page, staff: Staff, Path(id): Path<String>) -> Result<Response, Problem> {
    let door = door(&page, &staff, &id).await?;
    let practice = if desk::presence_of(&staff).await?.practising { "1".to_owned() } else { String::new() };
    let filled = Filled { request_id: Id::new(staff.calls.now()).to_string(), practice, ..Filled::default() };
    show(&page, staff, door, filled, String::new())
}

fn show(page: &Page, staff: Staff, door: EntryPoint, filled: Filled, error: String) -> Result<Response, Problem> {
    let channels = CHANNELS.map(|one| (super::book::channel_code(one), view::channel(page, one).to_string())).into();
    page.show(&Opening { page: page.clone(), staff, door, filled, error, channels })
}

#[derive(Default, Deserialize)]
pub struct Filled {
    #[serde(default)]
    request_id: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    birth_year: String,
    /// There: whoever fills this in has checked who it is.
    #[serde(default)]
    identified: Option<String>,
    #[serde(default)]
    external_ref: String,
    #[serde(default)]
    for_whom: String,
    #[serde(default)]
    language: String,
    #[serde(default)]
    text: String,
    /// `1`: it is practice.
    #[serde(default)]
    practice: String,
    /// Absent: it goes to the queue.
    #[serde(default)]
    keep: Option<String>,
}

pub async fn open(page: Page, staff: Staff, Path(id): Path<String>, Form(filled): Form<Filled>) -> Result<Response, Problem> {
    let door = door(&page, &staff, &id).await?;
    if filled.text.trim().is_empty() {
        let error = page.say("open-text-missing").to_string();
        return show(&page, staff, door, filled, error);
    }
    let birth_year = filled.birth_year.trim();
    let birth_year = if birth_year.is_empty() { Some(0) } else { birth_year.parse().ok().filter(|year| (1900..2200).contains(year)) };
    let Some(birth_year) = birth_year else {
        let error = page.say("open-year-unreadable").to_string();
        return show(&page, staff, door, filled, error);
    };
    let external_ref = filled.external_ref.trim().to_owned();
    if filled.identified.is_some() && external_ref.is_empty() {
        let error = page.say("open-ref-missing").to_string();
        return show(&page, staff, door, filled, error);
    }
    let channel = CHANNELS.into_iter().find(|one| super::book::channel_code(*one) == filled.channel).unwrap_or(Channel::Phone);
    let for_whom = match filled.for_whom.as_str() {
        "child" => ForWhom::Child,
        "relative" => ForWhom::Relative,
        _ => ForWhom::Self_,
    };
    let display_name = filled.name.trim().to_owned();
    // Whom nobody has checked has no history that others may look into.
    let identified = filled.identified.is_some();
    let visitor = Visitor { display_name, birth_year, identified, external_ref, ..Visitor::default() };
    let keep = filled.keep.is_some();
    let practice_key = if filled.practice == "1" { practice::key(&staff, &door.entry_point_id).await?.0 } else { String::new() };
    let request = OpenCaseRequest {
        request_id: filled.request_id.clone(),
        entry_point_id: door.entry_point_id.clone(),
        contact_reason_id: filled.reason.clone(),
        text: filled.text.clone(),
        for_whom: for_whom.into(),
        visitor: Some(visitor),
        language: filled.language.clone(),
        channel: channel.into(),
        // Nobody sits at a screen of ours.
        mode: if channel == Channel::Chat { CaseMode::Live } else { CaseMode::Asynchronous }.into(),
        // A visitor who stands at the desk is let in whatever the hours say.
        leave_message: true,
        practice_key,
        keep,
        ..OpenCaseRequest::default()
    };
    match staff.calls.cases().open_case(request).await {
        Ok(answer) => {
            let case = answer.into_inner().case.unwrap_or_default();
            let to = if keep { acts::address(&case.case_id) } else { "/staff".to_owned() };
            if keep {
                until_kept(&staff, &case.case_id).await?;
            }
            Ok(page.then(&to, &staff.calls))
        }
        Err(status) if status.code() == tonic::Code::InvalidArgument => {
            let error = page.say("open-refused").to_string();
            show(&page, staff, door, filled, error)
        }
        Err(status) => Err(status.into()),
    }
}

/// Routing gives a kept case to whoever opened it, a moment later: until then the conversation would be for reading only.
async fn until_kept(staff: &Staff, case: &str) -> Result<(), Problem> {
    for _ in 0..KEPT_LOOKS {
        let found = case::load(&staff.calls, case).await?;
        if !found.worker_id.is_empty() {
            break;
        }
        tokio::time::sleep(KEPT_LOOK).await;
    }
    Ok(())
}
