//! `/c/<case>/copy`: one's own conversation to keep. As a page to read and print, as a text, and as a document for programs.

use std::fmt::Write;

use askama::Template;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use kernel::Id;
use proto::intake::{EntryPoint, ExportCaseRequest, Message, SenderKind};

use super::{entry, line};
use crate::pages::case;
use crate::pages::staff::view;
use crate::web::{Page, Problem, Visitor};

/// A message, or a line of Samtal's own, in words alone.
struct Said {
    when: String,
    /// Empty: nobody said it.
    who: String,
    /// Paragraphs.
    text: Vec<String>,
}

impl Said {
    fn new(page: &Page, message: &Message) -> Self {
        let when = view::moment(message.created_at.as_ref());
        let mut said = match &message.system {
            Some(system) => {
                let line = line::line(page, system);
                let parts = [line.text].into_iter().chain(line.numbers).chain(line.card).chain([line.phone, line.url, line.code]);
                Self { when, who: String::new(), text: parts.collect() }
            }
            None => {
                let mine = message.sender_kind() == SenderKind::Visitor;
                let who = if mine { page.say("sender-me") } else { page.sender(message.sender_kind()) };
                let text = if message.erased { page.say("chat-erased").to_string() } else { message.text.clone() };
                let files = message.attachments.iter().map(|file| file.file_name.clone());
                Self { when, who: who.to_string(), text: [text].into_iter().chain(files).collect() }
            }
        };
        said.text.retain(|part| !part.is_empty());
        said
    }
}

#[derive(Template)]
#[template(path = "visitor/copy.html")]
struct Copy {
    page: Page,
    id: Id,
    door: EntryPoint,
    opened: String,
    practice: bool,
    all: Vec<Said>,
}

async fn load(page: &Page, visitor: &Visitor, id: Id) -> Result<Copy, Problem> {
    let calls = visitor.calls(id)?;
    let case = case::load(&calls, &id.to_string()).await?;
    let door = entry::door(page, &case.entry_point_id).await?;
    let all = case::messages(&calls, &case.case_id, 0).await?.iter().map(|message| Said::new(page, message)).collect();
    Ok(Copy { page: page.clone(), id, door, opened: view::moment(case.opened_at.as_ref()), practice: case.practice, all })
}

pub async fn read(page: Page, visitor: Visitor, Path(id): Path<Id>) -> Result<Response, Problem> {
    page.show(&load(&page, &visitor, id).await?)
}

pub async fn text(page: Page, visitor: Visitor, Path(id): Path<Id>) -> Result<Response, Problem> {
    let copy = load(&page, &visitor, id).await?;
    Ok((attachment("text/plain; charset=utf-8", "samtal.txt"), plain(&copy)).into_response())
}

/// With the line ends that every editor understands.
fn plain(copy: &Copy) -> String {
    let mut text = format!("{}\r\n{}, {}\r\n", copy.door.name, copy.door.clinic_name, copy.opened);
    for said in &copy.all {
        let who = if said.who.is_empty() { String::new() } else { format!(" {}:", said.who) };
        // Into a string, which takes everything.
        let _ = write!(text, "\r\n[{}]{who}\r\n{}\r\n", said.when, said.text.join("\n").replace('\n', "\r\n"));
    }
    text
}

/// For programs: everything, in the shape `samtal.case.v1`.
pub async fn data(visitor: Visitor, Path(case): Path<Id>) -> Result<Response, Problem> {
    let request = ExportCaseRequest { case_id: case.to_string() };
    let copy = visitor.calls(case)?.cases().export_case(request).await?.into_inner();
    Ok((attachment("application/json; charset=utf-8", "samtal.json"), copy.document_json).into_response())
}

fn attachment(kind: &'static str, name: &'static str) -> [(header::HeaderName, String); 2] {
    [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))]
}
