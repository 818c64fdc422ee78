//! `/staff/hand-over`: the end of a shift. What is open goes to a colleague or to a queue, all of it or what is ticked.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use proto::routing::{HandOverRequest, ReleaseCaseRequest, SetPresenceRequest, TransferCaseRequest};

use super::cases;
use super::names::Names;
use super::said::{Notice, Said};
use super::transfer::{self, Colleague};
use super::view::Row;
use crate::web::{Form, Page, Problem, Staff};

#[derive(Template)]
#[template(path = "staff/hand_over.html")]
struct HandOver {
    page: Page,
    staff: Staff,
    notice: Option<Notice>,
    mine: Vec<Row>,
    colleagues: Vec<Colleague>,
    /// Queues of one's clinics: id and name.
    queues: Vec<(String, String)>,
    /// Closed, and not yet in the journal.
    undocumented: usize,
}

pub async fn form(page: Page, staff: Staff, Query(said): Query<Said>) -> Result<Response, Problem> {
    let now = staff.calls.now();
    let names = Names::load(&page, &staff).await?;
    let (mine, undocumented, present) = tokio::try_join!(
        cases::mine(&page, &staff, &names, now),
        cases::undocumented(&page, &staff, &names, now),
        transfer::present(&staff),
    )?;
    let volunteer = staff.is_volunteer();
    let queues = names.queues_at(&staff.clinics).filter(|_| !volunteer);
    let shown = HandOver {
        notice: said.notice(&page),
        colleagues: if volunteer { Vec::new() } else { transfer::colleagues(&page, &names, &staff.id, &staff.clinics, &present) },
        queues: queues.map(|queue| (queue.queue_id.clone(), names.queue(&page, &queue.queue_id))).collect(),
        undocumented: undocumented.len(),
        page: page.clone(),
        staff,
        mine,
    };
    page.show(&shown)
}

/// What the form says. A field may be there several times, which a struct cannot take.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    cases: Vec<String>,
    /// `back`, `worker` or `queue`.
    way: String,
    worker: String,
    queue: String,
    note: String,
    /// One takes no more cases.
    leave: bool,
}

impl Asked {
    fn of(fields: Vec<(String, String)>) -> Self {
        let mut asked = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "case" => asked.cases.push(value),
                "way" => asked.way = value,
                "worker" => asked.worker = value,
                "queue" => asked.queue = value,
                "note" => asked.note = value,
                "leave" => asked.leave = true,
                _ => {}
            }
        }
        // Only the way that was chosen counts, whatever stands in the others' fields.
        if asked.way != "worker" {
            asked.worker.clear();
        }
        if asked.way != "queue" {
            asked.queue.clear();
        }
        asked
    }
}

pub async fn hand_over(page: Page, staff: Staff, Form(fields): Form<Vec<(String, String)>>) -> Result<Response, Problem> {
    let asked = Asked::of(fields);
    if asked.leave {
        // First of all, or what goes back to a queue would be offered to whoever leaves.
        let request = SetPresenceRequest { present: false, ..SetPresenceRequest::default() };
        staff.calls.routing().set_presence(request).await?;
    }
    let names = Names::load(&page, &staff).await?;
    let mine = cases::mine(&page, &staff, &names, staff.calls.now()).await?;
    let chosen: Vec<&str> = mine.iter().map(|row| row.id.as_str()).filter(|id| asked.cases.iter().any(|one| one == id)).collect();
    if chosen.is_empty() {
        let said = if asked.leave { "left" } else { "none-chosen" };
        return Ok(page.then(&format!("/staff/hand-over?said={said}"), &staff.calls));
    }
    if !asked.note.trim().is_empty() {
        for case in &chosen {
            transfer::leave_note(&staff, case, &asked.note).await?;
        }
    }
    if chosen.len() == mine.len() {
        let request = HandOverRequest { to_worker_id: asked.worker.clone(), queue_id: asked.queue.clone(), ..HandOverRequest::default() };
        staff.calls.routing().hand_over(request).await?;
    } else {
        for case in chosen {
            one(&staff, case, &asked).await?;
        }
    }
    let said = if asked.way == "worker" { "offered-on" } else { "handed-on" };
    Ok(page.then(&format!("/staff/hand-over?said={said}"), &staff.calls))
}

async fn one(staff: &Staff, case: &str, asked: &Asked) -> Result<(), Problem> {
    let mut routing = staff.calls.routing();
    if asked.worker.is_empty() && asked.queue.is_empty() {
        routing.release_case(ReleaseCaseRequest { case_id: case.to_owned(), ..ReleaseCaseRequest::default() }).await?;
        return Ok(());
    }
    let request = TransferCaseRequest {
        case_id: case.to_owned(),
        worker_id: asked.worker.clone(),
        queue_id: asked.queue.clone(),
        ..TransferCaseRequest::default()
    };
    routing.transfer_case(request).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_chosen_way_counts() {
        let fields = [("case", "a"), ("case", "b"), ("way", "queue"), ("worker", "siv"), ("queue", "nurses"), ("leave", "on")];
        let asked = Asked::of(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert_eq!((asked.cases.len(), asked.worker.as_str(), asked.queue.as_str(), asked.leave), (2, "", "nurses", true));
        assert_eq!(Asked::of(Vec::new()), Asked::default());
    }
}
