//! `/staff/c/<case>`: one conversation, beside it what is known of the case and what can be done, and the way to one's others.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use kernel::{Id, Time};
use proto::intake::{
    Case, CaseMode, CaseState, EntryPoint, GetEntryPointRequest, ListNotesRequest, Message, Note, Outcome, SenderKind, Severity,
};
use proto::routing::{ListPresenceRequest, NamedWorker};
use proto::scheduling::{Booking, BookingState, ListBookingsRequest};
use proto::triage::{GetTriageRequest, Triage};
use serde::Deserialize;

use super::desk::followed;
use super::names::Names;
use super::said::{Notice, Said};
use super::view::{self, Row};
use super::{acts, cases, onward};
use crate::pages::case;
use crate::web::{Page, Problem, Staff};

/// How a case can end, in the order of the form.
pub const OUTCOMES: [Outcome; 6] =
    [Outcome::Advice, Outcome::Treated, Outcome::Booked, Outcome::Referred, Outcome::Administrative, Outcome::Abandoned];
pub const SEVERITIES: [Severity; 5] = [Severity::Emergency, Severity::Urgent, Severity::Soon, Severity::Routine, Severity::Admin];

#[derive(Deserialize)]
pub struct Wanted {
    /// Anything: from the first message on.
    all: Option<String>,
}

/// Somebody who could have the case instead.
struct Colleague {
    id: String,
    name: String,
    profession: String,
    present: bool,
}

/// A booking as it is shown.
struct Booked {
    id: String,
    when: String,
    what: String,
    stands: bool,
}

#[derive(Template)]
#[template(path = "staff/conversation.html")]
struct Conversation {
    page: Page,
    staff: Staff,
    now: Time,
    notice: Option<Notice>,
    row: Row,
    case: Case,
    door: String,
    mine: Vec<Row>,
    messages: Vec<Message>,
    /// Earlier messages are not shown.
    more: bool,
    notes: Vec<Note>,
    names: Names,
    triage: Option<Triage>,
    bookings: Vec<Booked>,
    colleagues: Vec<Colleague>,
    /// Bytes of the largest file that can be sent along; 0: none can.
    max_file: u64,
    /// A video meeting can be had.
    video: bool,
    referrals: Vec<onward::Referred>,
    draft_due: String,
}

impl Conversation {
    /// For a form that must not be taken twice.
    fn fresh(&self) -> Id {
        Id::new(self.now)
    }

    fn closed(&self) -> bool {
        self.case.state() == CaseState::Closed
    }

    /// Whether the caller is the one who answers here.
    fn own(&self) -> bool {
        self.case.worker_id == self.staff.id
    }

    fn live(&self) -> bool {
        self.case.mode() == CaseMode::Live
    }

    fn followed(&self) -> String {
        followed(&self.mine)
    }

    fn is_mine(&self, message: &Message) -> bool {
        message.sender_kind() == SenderKind::Worker
    }

    /// Why it is as grave as it is, in words.
    fn because(&self) -> Vec<String> {
        let Some(triage) = &self.triage else { return Vec::new() };
        let say = |key: &str| self.page.say(key);
        let mut because: Vec<String> = Vec::new();
        if !triage.set_by_worker_id.is_empty() {
            let name = self.names.worker(&triage.set_by_worker_id);
            because.push(say("because-worker").with("name", name).with("reason", &triage.set_reason).to_string());
        }
        because.extend(triage.red_flags.iter().map(|flag| say("because-red-flag").with("flag", self.red_flag(flag)).to_string()));
        because.extend(triage.rule_ids.iter().map(|rule| say("because-rule").with("rule", rule).to_string()));
        if triage.untriaged {
            because.push(say("because-untriaged").to_string());
        }
        because
    }

    /// A red flag's category in words, or its code if there are none yet.
    fn red_flag(&self, category: &str) -> String {
        let key = format!("red-flag-{}", category.replace('_', "-"));
        let said = self.page.say(&key).to_string();
        if said == key { category.to_owned() } else { said }
    }

    fn severities(&self) -> Vec<(&'static str, String, bool)> {
        let now = self.case.severity();
        SEVERITIES.map(|one| (acts::severity_code(one), view::severity(&self.page, one).to_string(), one == now)).into()
    }

    fn outcomes(&self) -> Vec<(&'static str, String)> {
        OUTCOMES.map(|one| (acts::outcome_code(one), view::outcome(&self.page, one).to_string())).into()
    }

    fn opened(&self) -> String {
        view::moment(self.case.opened_at.as_ref())
    }

    fn taken(&self) -> String {
        view::moment(self.case.first_assigned_at.as_ref())
    }

    fn ended(&self) -> String {
        view::moment(self.case.closed_at.as_ref())
    }

    fn erased(&self) -> String {
        view::moment(self.case.erase_at.as_ref())
    }

    fn noted(&self, note: &Note) -> String {
        view::short(note.created_at.as_ref(), self.now)
    }
}

pub async fn show(
    page: Page,
    staff: Staff,
    Path(case): Path<Id>,
    Query(wanted): Query<Wanted>,
    Query(said): Query<Said>,
) -> Result<Response, Problem> {
    let id = case.to_string();
    let now = staff.calls.now();
    let case = case::load(&staff.calls, &id).await?;
    let names = Names::load(&page, &staff).await?;
    let from = if wanted.all.is_some() { 0 } else { (case.last_seq - case::SHOWN).max(0) };
    let (mine, messages, notes, triage, bookings, present, door, referrals) = tokio::try_join!(
        cases::mine(&page, &staff, &names, now),
        case::messages(&staff.calls, &id, from),
        notes(&staff, &id),
        triage(&staff, &id),
        bookings(&page, &staff, &id, now),
        present(&staff),
        entry_point(&staff, &case.entry_point_id),
        onward::referrals(&page, &staff, &id, now),
    )?;
    let colleagues = colleagues(&page, &staff, &names, &case, &present);
    let conversation = Conversation {
        notice: said.notice(&page),
        row: Row::new(&page, &names, &case, now),
        door: names.door(&case.entry_point_id).to_owned(),
        more: messages.first().is_some_and(|first| first.seq > 1),
        draft_due: view::as_field(Time::from_secs(now.secs() + 86_400)),
        page: page.clone(),
        staff,
        now,
        case,
        mine,
        messages,
        notes,
        names,
        triage,
        bookings,
        colleagues,
        max_file: door.max_attachment_bytes,
        video: door.can_meet_by_video,
        referrals,
    };
    page.show(&conversation)
}

async fn notes(staff: &Staff, case: &str) -> Result<Vec<Note>, Problem> {
    Ok(staff.calls.conversations().list_notes(ListNotesRequest { case_id: case.to_owned() }).await?.into_inner().notes)
}

/// What triage says. Nobody waits for it with an answer: a conversation goes on while it is away, or has not yet looked.
async fn triage(staff: &Staff, case: &str) -> Result<Option<Triage>, Problem> {
    match staff.calls.triage().get_triage(GetTriageRequest { case_id: case.to_owned() }).await {
        Ok(answer) => Ok(answer.into_inner().triage),
        Err(status) if status.code() == tonic::Code::Unauthenticated => Err(status.into()),
        Err(_) => Ok(None),
    }
}

async fn bookings(page: &Page, staff: &Staff, case: &str, now: Time) -> Result<Vec<Booked>, Problem> {
    let found = match staff.calls.scheduling().list_bookings(ListBookingsRequest { case_id: case.to_owned() }).await {
        Ok(answer) => answer.into_inner().bookings,
        Err(status) if status.code() == tonic::Code::Unauthenticated => return Err(status.into()),
        Err(_) => Vec::new(),
    };
    let shown = found.into_iter().filter(|one| matches!(one.state(), BookingState::Confirmed | BookingState::Cancelled));
    Ok(shown.map(|one| booked(page, &one, now)).collect())
}

fn booked(page: &Page, booking: &Booking, now: Time) -> Booked {
    let slot = booking.slot.clone().unwrap_or_default();
    let starts = slot.time.as_ref().and_then(|time| time.from);
    Booked {
        id: booking.booking_id.clone(),
        when: view::short(starts.as_ref(), now),
        what: format!("{}, {}", slot.resource_name, view::channel(page, slot.channel())),
        stands: booking.state() == BookingState::Confirmed,
    }
}

/// What the case's door allows; nothing, if it cannot be asked.
async fn entry_point(staff: &Staff, door: &str) -> Result<EntryPoint, Problem> {
    let request = GetEntryPointRequest { entry_point_id: door.to_owned(), language: String::new() };
    let answer = staff.calls.cases().get_entry_point(request).await;
    Ok(answer.ok().and_then(|answer| answer.into_inner().entry_point).unwrap_or_default())
}

/// Who is there, for handing over. Volunteers cannot hand over and see nobody.
async fn present(staff: &Staff) -> Result<Vec<String>, Problem> {
    if staff.is_volunteer() {
        return Ok(Vec::new());
    }
    let known = staff.calls.routing().list_presence(ListPresenceRequest::default()).await?.into_inner().presences;
    Ok(known.into_iter().filter(|one| one.present).map(|one| one.worker_id).collect())
}

/// Those who are there first, then by name.
fn colleagues(page: &Page, staff: &Staff, names: &Names, case: &Case, present: &[String]) -> Vec<Colleague> {
    if staff.is_volunteer() {
        return Vec::new();
    }
    let others = names.workers().filter(|one| one.worker_id != case.worker_id && one.clinic_ids.contains(&case.clinic_id));
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
