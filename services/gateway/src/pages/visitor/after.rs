//! Beside and after the conversation: ending it, opening it again, rating it, booked times.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use kernel::Id;
use proto::intake::{
    Case, CaseState, CloseCaseRequest, EntryPoint, IdentityField, Outcome, RateCaseRequest, ReopenCaseRequest, RequestVideoRequest,
    RevealIdentityRequest,
};
use proto::notifications::ListNotificationsRequest;
use proto::scheduling::{Booking, BookingState, CancelBookingRequest, ConfirmBookingRequest, GetBookingRequest, ListBookingsRequest};
use serde::Deserialize;

use super::chat;
use super::{calendar, start, words};
use crate::pages::case;
use crate::services::Calls;
use crate::web::{Form, Page, Problem, Visitor};

/// A time that is offered or booked.
pub struct Time {
    pub id: String,
    pub what: String,
    pub when: String,
    pub how: String,
    /// Offered, not yet booked.
    pub held: bool,
    /// Until when it is offered.
    pub until: String,
}

/// What can be done beside the conversation.
pub struct After {
    pub bookings: Vec<Time>,
    pub rating: i32,
    /// Nobody has taken the case yet: to end it is to leave the queue.
    pub waiting: bool,
    /// Until when the closed case can be opened again; empty: not any more.
    pub reopen_until: String,
    /// A mail can be sent when an answer waits.
    pub mail: bool,
    /// Or a text message.
    pub sms: bool,
    /// One of them will be sent.
    pub told: bool,
    /// A video meeting can be asked for.
    pub video: bool,
}

impl After {
    pub async fn load(page: &Page, calls: &Calls, case: &Case, door: &EntryPoint) -> Self {
        let now = page.gateway().services().clock().now().secs();
        let reopen = case.reopen_until.filter(|until| until.seconds > now);
        let request = ListBookingsRequest { case_id: case.case_id.clone() };
        // A calendar that does not answer takes nothing from the conversation.
        let bookings = calls.scheduling().list_bookings(request).await.map(|answer| answer.into_inner().bookings).unwrap_or_default();
        let (mail, sms) = (page.gateway().settings().mail, page.gateway().settings().sms);
        let told = (mail || sms) && case.state() != CaseState::Closed && told(calls, case).await;
        Self {
            told,
            bookings: bookings.into_iter().filter_map(|booking| time(page, &booking)).collect(),
            rating: case.rating,
            reopen_until: words::when(page, reopen.as_ref()),
            mail,
            sms,
            video: door.can_meet_by_video && !case.worker_id.is_empty(),
            waiting: matches!(case.state(), CaseState::Open | CaseState::Waiting | CaseState::Offered),
        }
    }
}

/// Whether an address is kept for this case.
async fn told(calls: &Calls, case: &Case) -> bool {
    let request = ListNotificationsRequest { case_id: case.case_id.clone() };
    calls.notifications().list_notifications(request).await.is_ok_and(|answer| answer.into_inner().contact_channel != 0)
}

/// Times that are offered or booked, as a part of the page.
#[derive(Template)]
#[template(path = "visitor/bookings.html")]
struct Bookings {
    page: Page,
    id: Id,
    after: Times,
}

struct Times {
    bookings: Vec<Time>,
}

/// The same for a screen that is open while a time is booked or given up.
pub async fn times(page: Page, visitor: Visitor, Path(id): Path<Id>) -> Result<Response, Problem> {
    let found = visitor.calls(id)?.scheduling().list_bookings(ListBookingsRequest { case_id: id.to_string() }).await?.into_inner().bookings;
    let bookings = found.iter().filter_map(|booking| time(&page, booking)).collect();
    page.show(&Bookings { page: page.clone(), id, after: Times { bookings } })
}

fn time(page: &Page, booking: &Booking) -> Option<Time> {
    let slot = booking.slot.as_ref()?;
    if !matches!(booking.state(), BookingState::Held | BookingState::Confirmed) {
        return None;
    }
    Some(Time {
        id: booking.booking_id.clone(),
        what: slot.resource_name.clone(),
        when: words::when(page, slot.time.as_ref()?.from.as_ref()),
        how: words::channel(page, slot.channel()),
        held: booking.state() == BookingState::Held,
        until: page.time(booking.held_until.as_ref()),
    })
}

fn home(page: &Page, case: Id) -> String {
    format!("{}/c/{case}", page.base())
}

pub async fn close(page: Page, visitor: Visitor, Path(case): Path<Id>) -> Result<Response, Problem> {
    let calls = visitor.calls(case)?;
    let request = CloseCaseRequest { request_id: start::fresh_id()?, case_id: case.to_string(), outcome: Outcome::Abandoned.into() };
    match calls.cases().close_case(request).await {
        // Somebody has taken it just now: the conversation shows who, and goes on.
        Err(status) if status.code() != tonic::Code::FailedPrecondition => Err(status.into()),
        _ => Ok(page.then(&home(&page, case), &calls)),
    }
}

pub async fn reopen(page: Page, visitor: Visitor, Path(case): Path<Id>) -> Result<Response, Problem> {
    let calls = visitor.calls(case)?;
    calls.cases().reopen_case(ReopenCaseRequest { request_id: start::fresh_id()?, case_id: case.to_string() }).await?;
    Ok(page.then(&home(&page, case), &calls))
}

#[derive(Deserialize)]
pub struct Rating {
    rating: i32,
    #[serde(default)]
    text: String,
}

pub async fn rate(page: Page, visitor: Visitor, Path(case): Path<Id>, Form(given): Form<Rating>) -> Result<Response, Problem> {
    let calls = visitor.calls(case)?;
    let (request_id, case_id) = (start::fresh_id()?, case.to_string());
    let request = RateCaseRequest { request_id, case_id, rating: given.rating, text: given.text.trim().to_owned() };
    let rated = calls.cases().rate_case(request).await?.into_inner();
    // Signs of danger in these words too are answered at once.
    let Some(notice) = rated.safety else { return Ok(page.then(&home(&page, case), &calls)) };
    let practice = case::load(&calls, &case.to_string()).await?.practice;
    page.show(&Thanks { page: page.clone(), case, practice, safety: chat::Told::new(&notice).html(&page)? })
}

#[derive(Template)]
#[template(path = "visitor/thanks.html")]
struct Thanks {
    page: Page,
    case: Id,
    practice: bool,
    safety: String,
}

pub async fn video(page: Page, visitor: Visitor, Path(case): Path<Id>) -> Result<Response, Problem> {
    let calls = visitor.calls(case)?;
    calls.cases().request_video(RequestVideoRequest { case_id: case.to_string() }).await?;
    Ok(page.then(&format!("{}#latest", home(&page, case)), &calls))
}

#[derive(Deserialize)]
pub struct Told {
    field: String,
    #[serde(default)]
    value: String,
}

/// The visitor tells a part of who they are; nobody but them decides when.
pub async fn identity(page: Page, visitor: Visitor, Path(case): Path<Id>, Form(given): Form<Told>) -> Result<Response, Problem> {
    let calls = visitor.calls(case)?;
    let field = match given.field.as_str() {
        "name" => IdentityField::Name,
        "phone" => IdentityField::Phone,
        "email" => IdentityField::Email,
        "person-number" => IdentityField::PersonNumber,
        _ => return Err(Problem::invalid()),
    };
    let (request_id, case_id) = (start::fresh_id()?, case.to_string());
    let request = RevealIdentityRequest { request_id, case_id, field: field.into(), value: given.value.trim().to_owned() };
    match calls.cases().reveal_identity(request).await {
        Ok(_) => Ok(page.then(&format!("{}#latest", home(&page, case)), &calls)),
        // What was typed stays, to be put right; it is on this one page only.
        Err(status) if status.code() == tonic::Code::InvalidArgument => {
            let asked = chat::From::wrong("identity", &given.field, &given.value);
            let shown = chat::shown(&page, &visitor, case, asked, String::new(), String::new()).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, shown).into_response())
        }
        Err(status) => Err(status.into()),
    }
}

#[derive(Deserialize)]
pub struct Choice {
    booking: String,
    /// `yes` books it, anything else gives it up.
    answer: String,
}

pub async fn booking(page: Page, visitor: Visitor, Path(case): Path<Id>, Form(given): Form<Choice>) -> Result<Response, Problem> {
    let calls = visitor.calls(case)?;
    let (request_id, booking_id) = (start::fresh_id()?, given.booking);
    if given.answer == "yes" {
        calls.scheduling().confirm_booking(ConfirmBookingRequest { request_id, booking_id, external_ref: String::new() }).await?;
    } else {
        calls.scheduling().cancel_booking(CancelBookingRequest { request_id, booking_id }).await?;
    }
    Ok(page.then(&format!("{}#bookings", home(&page, case)), &calls))
}

/// A booked time for the visitor's own calendar (iCalendar). It says when and how, never with whom or why: others may see a calendar.
pub async fn ics(page: Page, visitor: Visitor, Path((case, booking)): Path<(Id, String)>) -> Result<Response, Problem> {
    let calls = visitor.calls(case)?;
    let booking = calls.scheduling().get_booking(GetBookingRequest { booking_id: booking }).await?.into_inner().booking;
    let booking = booking.filter(|one| one.case_id == case.to_string()).ok_or_else(Problem::not_found)?;
    let slot = booking.slot.clone().ok_or_else(Problem::not_found)?;
    let time = slot.time.ok_or_else(Problem::not_found)?;
    let how = words::channel(&page, slot.channel());
    let (Some(from), Some(to)) = (time.from, time.to) else { return Err(Problem::not_found()) };
    calendar::file(&page, &booking.booking_id, &page.say("booking-ics").with("how", how).to_string(), [from, to])
}
