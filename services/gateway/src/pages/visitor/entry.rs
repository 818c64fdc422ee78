//! `/e/<door>`: who answers, whether it is open, and what becomes of what one writes.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use kernel::Id;
use proto::intake::{Case, CaseState, EntryPoint, GetEntryPointRequest};

use super::{calendar, words};
use crate::pages::case;
use crate::web::{Page, Problem, Visitor};

/// Seconds of a reminder.
const QUARTER: i64 = 900;

#[derive(Template)]
#[template(path = "visitor/entry.html")]
struct Entry {
    page: Page,
    door: EntryPoint,
    /// Weekdays with their hours.
    week: Vec<(String, String)>,
    /// How long one waits now; empty if nobody can say.
    wait: String,
    /// A conversation of this browser's at this door that goes on, if there is one.
    ongoing: Option<String>,
}

/// The door in the reader's language.
pub async fn door(page: &Page, id: &str) -> Result<EntryPoint, Problem> {
    let request = GetEntryPointRequest { entry_point_id: id.to_owned(), language: page.language().code().to_owned() };
    let door = page.calls().cases().get_entry_point(request).await?.into_inner().entry_point.ok_or_else(Problem::not_found)?;
    // One practises at any hour, whoever else waits or works.
    if page.practises(&door.entry_point_id).is_some() {
        return Ok(EntryPoint {
            open: true,
            full: false,
            expected_wait: None,
            closed_reason: String::new(),
            next_opening_at: None,
            ..door
        });
    }
    Ok(door)
}

pub async fn entry(page: Page, visitor: Visitor, Path(id): Path<String>) -> Result<Response, Problem> {
    let door = door(&page, &id).await?;
    let ongoing = ongoing(&visitor).await.into_iter().find(|case| case.entry_point_id == door.entry_point_id).map(|case| case.case_id);
    let week = door.week.iter().map(|day| (words::weekday(&page, day.weekday), day.spans.join(", "))).collect();
    let wait = wait(&page, &door);
    page.show(&Entry { page: page.clone(), week, wait, door, ongoing })
}

/// Conversations of this browser's that go on, newest first. One that is over, or cannot be asked for, is none.
pub async fn ongoing(visitor: &Visitor) -> Vec<Case> {
    let asked = visitor.cases().map(|id| async move { case::load(&visitor.calls(id).ok()?, &id.to_string()).await.ok() });
    let known = futures::future::join_all(asked).await;
    known.into_iter().flatten().filter(|case| case.state() != CaseState::Closed).collect()
}

/// The next opening for one's own calendar. It names neither clinic nor matter: others may see a calendar.
pub async fn opening(page: Page, Path(id): Path<String>) -> Result<Response, Problem> {
    let door = door(&page, &id).await?;
    let next = door.next_openings.iter().find(|one| door.next_opening_at.is_some() && one.from == door.next_opening_at);
    let next = next.ok_or_else(Problem::not_found)?;
    let from = next.from.ok_or_else(Problem::not_found)?;
    // A reminder, not a whole day of opening hours.
    let to = prost_types::Timestamp { seconds: from.seconds + QUARTER, nanos: 0 };
    let name = format!("{}-{}", door.entry_point_id, from.seconds);
    calendar::file(&page, &Id::derived(&[b"opening", name.as_bytes()]).to_string(), &page.say("entry-remind-what").to_string(), [from, to])
}

fn wait(page: &Page, door: &EntryPoint) -> String {
    let Some(wait) = door.expected_wait.filter(|_| door.open) else { return String::new() };
    if !wait.staffed {
        return page.say("entry-unstaffed").to_string();
    }
    if !wait.known {
        return String::new();
    }
    if wait.max_seconds == 0 {
        return page.say("entry-wait-none").to_string();
    }
    words::wait(page, "entry-wait", wait.min_seconds / 60, wait.max_seconds.div_ceil(60))
}
