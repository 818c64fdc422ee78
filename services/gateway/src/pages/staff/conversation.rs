//! `/staff/c/<case>`: one conversation, beside it what is known of the case and what can be done, and the way to one's others.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::HeaderMap;
use axum::response::Response;
use kernel::{Id, Time};
use proto::intake::{
    AnsweredQuestion, CannedReply, Case, CaseMode, CaseState, EntryPoint, GetEntryPointRequest, GetSummaryRequest, ListNotesRequest,
    Message, Note, Outcome, SenderKind, Severity, Summary, SystemCode, Transfer, TransferState,
};
use proto::scheduling::{Booking, BookingState, ListBookingsRequest};
use proto::triage::{GetTriageRequest, Triage};
use serde::Deserialize;

use super::desk::followed;
use super::names::Names;
use super::said::{Notice, Said};
use super::view::{self, Row};
use super::{acts, cases, history, onward, pass_on, replies, side, transfer};
use crate::pages::case;
use crate::web::{Page, Problem, Staff};

/// How a case can end, in the order of the form.
pub const OUTCOMES: [Outcome; 6] =
    [Outcome::Advice, Outcome::Treated, Outcome::Booked, Outcome::Referred, Outcome::Administrative, Outcome::Abandoned];
pub const SEVERITIES: [Severity; 5] = [Severity::Emergency, Severity::Urgent, Severity::Soon, Severity::Routine, Severity::Admin];

#[derive(Default, Deserialize)]
pub struct Wanted {
    /// Anything: from the first message on.
    all: Option<String>,
    /// Why the visitor's earlier contacts are opened; without it they stay closed.
    #[serde(default)]
    history: String,
    /// Beside others, on a page that has all that the conversations share.
    #[serde(skip)]
    framed: bool,
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
    summary: Option<Summary>,
    replies: Vec<CannedReply>,
    goals: transfer::Goals,
    /// The visitor's other cases; None: nobody has asked for them.
    past: Option<Vec<history::Past>>,
    /// What stands in the field for the next message.
    draft: String,
    /// Bytes of the largest file that can be sent along; 0: none can.
    max_file: u64,
    /// A video meeting can be had.
    video: bool,
    referrals: Vec<onward::Referred>,
    /// What was proposed last: to go on at another organisation.
    transfer: Option<Transfer>,
    draft_due: String,
    framed: bool,
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

    /// Whether another organisation may be proposed now: one proposal waits at a time.
    fn may_pass_on(&self) -> bool {
        let waits = self.transfer.as_ref().is_some_and(|one| one.state() == TransferState::Proposed);
        self.own() && !self.closed() && !self.staff.is_volunteer() && !waits
    }

    /// This one and the most pressing of the others.
    fn side(&self) -> String {
        let other = self.mine.iter().find(|row| row.id != self.case.case_id);
        other.map_or_else(|| self.case.case_id.clone(), |row| format!("{},{}", self.case.case_id, row.id))
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

    fn red_flag(&self, category: &str) -> String {
        view::red_flag(&self.page, category)
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

    /// What was asked at the door, and what was answered.
    fn answered(&self) -> &[AnsweredQuestion] {
        self.summary.as_ref().map(|summary| summary.answers.as_slice()).unwrap_or_default()
    }

    /// What the visitor has been told to do by the rules that held.
    fn advice(&self) -> &[String] {
        self.summary.as_ref().map(|summary| summary.advice.as_slice()).unwrap_or_default()
    }

    /// Parts of the summary were not to be had.
    fn incomplete(&self) -> bool {
        self.summary.as_ref().is_none_or(|summary| summary.incomplete)
    }

    /// `3 of the visitor, 2 of staff`.
    fn counted(&self) -> String {
        let (visitor, staff) = self.summary.as_ref().map_or((0, 0), |one| (one.visitor_messages, one.worker_messages));
        self.page.say("summary-counted").with("visitor", visitor).with("staff", staff).to_string()
    }

    /// Whom the visitor was guided on to in this conversation.
    fn referred(&self) -> Vec<&str> {
        let lines = self.messages.iter().filter_map(|message| message.system.as_ref());
        let cards = lines.filter(|line| line.code() == SystemCode::Referral);
        cards.filter_map(|line| line.params.get("name")).map(String::as_str).collect()
    }

    /// What the visitor has told of themselves, each with what it is.
    fn told(&self) -> Vec<(String, &str)> {
        let told = self.case.revealed.iter();
        told.map(|one| (view::identity_field(&self.page, one.field()).to_string(), one.value.as_str())).collect()
    }

    /// Whether somebody vouches for who the visitor is, so that there is a history to look into.
    fn known(&self) -> bool {
        let identified = self.case.visitor.as_ref().is_some_and(|visitor| visitor.identified);
        identified && !self.staff.is_volunteer()
    }

    /// Why one may look into it.
    fn reasons(&self) -> Vec<(&'static str, String)> {
        history::REASONS.map(|one| (one, self.page.say(&format!("history-{}", one.replace('_', "-"))).to_string())).into()
    }

    fn documented(&self) -> String {
        view::moment(self.case.documented_at.as_ref())
    }

    /// Whether the case has to go into the journal: nobody writes down who left unanswered, or practice.
    fn to_document(&self) -> bool {
        cases::to_document(&self.case)
    }

    fn noted(&self, note: &Note) -> String {
        view::short(note.created_at.as_ref(), self.now)
    }
}

pub async fn show(
    page: Page,
    staff: Staff,
    Path(case): Path<Id>,
    Query(mut wanted): Query<Wanted>,
    Query(said): Query<Said>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let notice = said.notice(&page);
    wanted.framed = side::framed(&headers);
    open(page, staff, &case.to_string(), &wanted, notice, String::new()).await
}

/// The page, with `draft` in the field for the next message.
pub async fn open(page: Page, staff: Staff, id: &str, wanted: &Wanted, notice: Option<Notice>, draft: String) -> Result<Response, Problem> {
    let now = staff.calls.now();
    let case = case::load(&staff.calls, id).await?;
    let names = Names::load(&page, &staff).await?;
    let from = if wanted.all.is_some() { 0 } else { (case.last_seq - case::SHOWN).max(0) };
    let answers = case.worker_id == staff.id && case.state() != CaseState::Closed;
    let (mine, messages, notes, triage, bookings, summary, replies, goals, past, door, referrals) = tokio::try_join!(
        cases::mine(&page, &staff, &names, now),
        case::messages(&staff.calls, id, from),
        notes(&staff, id),
        triage(&staff, id),
        bookings(&page, &staff, id),
        summary(&page, &staff, id),
        replies::list(&staff, id, answers),
        transfer::goals(&page, &staff, &names, &case, answers),
        history::past(&page, &staff, &names, &case, &wanted.history),
        entry_point(&staff, &case.entry_point_id),
        onward::referrals(&page, &staff, id, now),
    )?;
    let transfer = pass_on::last(&staff, id, &messages).await?;
    let conversation = Conversation {
        notice,
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
        summary,
        replies,
        goals,
        past,
        draft,
        framed: wanted.framed,
        max_file: door.max_attachment_bytes,
        video: door.can_meet_by_video,
        referrals,
        transfer,
    };
    page.show(&conversation)
}

/// For the journal, in the language of who reads it here. While intake cannot put it together the conversation goes on without.
async fn summary(page: &Page, staff: &Staff, case: &str) -> Result<Option<Summary>, Problem> {
    let request = GetSummaryRequest { case_id: case.to_owned(), language: page.language().code().to_owned() };
    match staff.calls.cases().get_summary(request).await {
        Ok(answer) => Ok(answer.into_inner().summary),
        Err(status) if status.code() == tonic::Code::Unauthenticated => Err(status.into()),
        Err(_) => Ok(None),
    }
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

async fn bookings(page: &Page, staff: &Staff, case: &str) -> Result<Vec<Booked>, Problem> {
    let found = match staff.calls.scheduling().list_bookings(ListBookingsRequest { case_id: case.to_owned() }).await {
        Ok(answer) => answer.into_inner().bookings,
        Err(status) if status.code() == tonic::Code::Unauthenticated => return Err(status.into()),
        Err(_) => Vec::new(),
    };
    let shown = found.into_iter().filter(|one| matches!(one.state(), BookingState::Confirmed | BookingState::Cancelled));
    Ok(shown.map(|one| booked(page, &one)).collect())
}

fn booked(page: &Page, booking: &Booking) -> Booked {
    let slot = booking.slot.clone().unwrap_or_default();
    let starts = slot.time.as_ref().and_then(|time| time.from);
    Booked {
        id: booking.booking_id.clone(),
        // In whole, for it goes into the journal.
        when: view::moment(starts.as_ref()),
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
