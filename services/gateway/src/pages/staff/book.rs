//! `/staff/c/<case>/book`: free times of the case's clinic, and one of them for this visitor.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use kernel::{Id, Time};
use proto::intake::Channel;
use proto::scheduling::{CancelBookingRequest, ConfirmBookingRequest, HoldSlotRequest, Interval, ListSlotsRequest, Slot};
use serde::Deserialize;

use super::acts;
use super::names::Names;
use super::view::{self, Row};
use crate::pages::case;
use crate::web::{Form, Page, Problem, Staff};

/// How far one looks ahead at a time.
const WINDOW: Duration = Duration::from_secs(14 * 86_400);
/// Times that are shown at most.
const SHOWN: i32 = 200;
/// Ways to meet that have times.
pub const CHANNELS: [Channel; 3] = [Channel::Onsite, Channel::Video, Channel::Phone];

#[derive(Deserialize)]
pub struct Wanted {
    /// Unix seconds; from now on without it.
    from: Option<i64>,
    #[serde(default)]
    channel: String,
}

/// Times of one day at one resource.
struct Day {
    date: String,
    resource: String,
    channel: String,
    times: Vec<Free>,
}

struct Free {
    resource: String,
    starts: i64,
    said: String,
}

#[derive(Template)]
#[template(path = "staff/book.html")]
struct Book {
    page: Page,
    staff: Staff,
    row: Row,
    days: Vec<Day>,
    channels: Vec<(&'static str, String, bool)>,
    chosen: String,
    earlier: Option<i64>,
    later: i64,
}

pub fn channel_code(channel: Channel) -> &'static str {
    channel.as_str_name().trim_start_matches("CHANNEL_")
}

pub async fn slots(page: Page, staff: Staff, Path(case): Path<Id>, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    let now = staff.calls.now();
    let case = case::load(&staff.calls, &case.to_string()).await?;
    let names = Names::load(&page, &staff).await?;
    let from = wanted.from.map_or(now, Time::from_secs).max(now);
    let chosen = CHANNELS.into_iter().find(|one| channel_code(*one) == wanted.channel);
    let request = ListSlotsRequest {
        clinic_id: case.clinic_id.clone(),
        channel: chosen.unwrap_or_default().into(),
        window: Some(Interval { from: Some(proto::timestamp(from)), to: Some(proto::timestamp(from + WINDOW)) }),
        page_size: SHOWN,
    };
    let slots = staff.calls.scheduling().list_slots(request).await?.into_inner().slots;
    let window = WINDOW.as_secs() as i64;
    // A full page ends before its window does: the next begins right after its last time.
    let last = slots.last().filter(|_| slots.len() >= SHOWN as usize).and_then(|slot| slot.time.as_ref()?.from);
    let later = last.map(|starts| starts.seconds + 1);
    let book = Book {
        row: Row::new(&page, &names, &case, now),
        days: days(&page, &slots),
        channels: CHANNELS.map(|one| (channel_code(one), view::channel(&page, one).to_string(), Some(one) == chosen)).into(),
        chosen: chosen.map(channel_code).unwrap_or_default().to_owned(),
        earlier: (from > now).then(|| from.secs() - window),
        later: later.unwrap_or(from.secs() + window),
        page: page.clone(),
        staff,
    };
    page.show(&book)
}

/// Grouped by day and resource, in the order of the times.
fn days(page: &Page, slots: &[Slot]) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for slot in slots {
        let Some(starts) = slot.time.as_ref().and_then(|time| time.from) else { continue };
        let moment = view::moment(Some(&starts));
        let (date, time) = moment.split_once(' ').unwrap_or_default();
        let free = Free { resource: slot.resource_id.clone(), starts: starts.seconds, said: time.to_owned() };
        match days.iter_mut().find(|day| day.date == date && day.resource == slot.resource_name) {
            Some(day) => day.times.push(free),
            None => days.push(Day {
                date: date.to_owned(),
                resource: slot.resource_name.clone(),
                channel: view::channel(page, slot.channel()).to_string(),
                times: vec![free],
            }),
        }
    }
    days
}

#[derive(Deserialize)]
pub struct Chosen {
    /// `RESOURCE@SECONDS`.
    slot: String,
}

/// Holds the time and confirms it: whoever is at the screen has the visitor's word.
pub async fn book(page: Page, staff: Staff, Path(case): Path<Id>, Form(chosen): Form<Chosen>) -> Result<Response, Problem> {
    let case = case.to_string();
    let (resource, seconds) = chosen.slot.rsplit_once('@').ok_or_else(Problem::invalid)?;
    let starts = Time::from_secs(seconds.parse().map_err(|_| Problem::invalid())?);
    let mut scheduling = staff.calls.scheduling();
    let request = HoldSlotRequest {
        request_id: String::new(),
        case_id: case.clone(),
        resource_id: resource.to_owned(),
        starts_at: Some(proto::timestamp(starts)),
        hold_seconds: 60,
    };
    let held = match scheduling.hold_slot(request).await {
        Ok(answer) => answer.into_inner().booking.unwrap_or_default(),
        Err(status) => return acts::refused(&page, &staff, &case, status, "bookings"),
    };
    let request = ConfirmBookingRequest { request_id: String::new(), booking_id: held.booking_id, external_ref: String::new() };
    match scheduling.confirm_booking(request).await {
        Ok(_) => Ok(acts::back(&page, &staff, &case, "booked", "bookings")),
        Err(status) => acts::refused(&page, &staff, &case, status, "bookings"),
    }
}

#[derive(Deserialize)]
pub struct Given {
    booking: String,
}

pub async fn cancel(page: Page, staff: Staff, Path(case): Path<Id>, Form(given): Form<Given>) -> Result<Response, Problem> {
    let request = CancelBookingRequest { request_id: String::new(), booking_id: given.booking };
    staff.calls.scheduling().cancel_booking(request).await?;
    Ok(acts::back(&page, &staff, &case.to_string(), "booking-cancelled", "bookings"))
}
