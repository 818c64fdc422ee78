//! `/leader/change/closings`: days on which a calendar differs. Before a day is changed, the page shows what the doors will say and
//! whom it reaches.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use kernel::Time;
use proto::intake::{CaseState, ChangeKind, ClinicCalendar, ClinicItem, ListItemsResponse, RevertChangeRequest, SetChangeRequest};
use proto::scheduling::{CountBookingsRequest, GetOpeningRequest, Interval};
use region::Exception;
use serde::Deserialize;

use super::change::{Done, done, list};
use super::only_leaders;
use crate::pages::staff::cases;
use crate::pages::staff::names::Names;
use crate::pages::staff::said::{Notice, Said};
use crate::pages::staff::view;
use crate::pages::visitor::words;
use crate::web::{Form, Page, Problem, Staff};

/// A calendar by the doors that keep its hours.
struct Choice {
    id: String,
    label: String,
}

/// A day that differs.
struct Day {
    item: String,
    etag: String,
    date: String,
    weekday: String,
    calendar: String,
    hours: String,
    reason: String,
    changed: Option<(String, String)>,
    /// As it was described, if a leader has changed it.
    was: Option<String>,
    gone: bool,
    fits: bool,
    changeable: bool,
}

#[derive(Clone, Default, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    calendar: String,
    #[serde(default)]
    date: String,
    /// `shut` or `other`.
    #[serde(default)]
    how: String,
    /// `09:00-12:00, 13:00-15:00`
    #[serde(default)]
    hours: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    etag: String,
}

#[derive(Template)]
#[template(path = "leader/closings.html")]
struct Closings {
    page: Page,
    staff: Staff,
    notice: Option<Notice>,
    calendars: Vec<Choice>,
    days: Vec<Day>,
    wanted: Wanted,
    wrong: &'static str,
    refused: String,
    today: String,
}

/// What the doors will say, and whom it reaches.
#[derive(Template)]
#[template(path = "leader/closing_preview.html")]
struct Preview {
    page: Page,
    staff: Staff,
    wanted: Wanted,
    day: String,
    /// Names of the doors and of what is booked by these hours.
    doors: Vec<String>,
    resources: Vec<String>,
    shut: bool,
    /// When the doors open again, in the reader's words; empty: nobody knows.
    opens: String,
    /// What holds for the day so far.
    replaces: Option<String>,
    bookings: u32,
    waiting: usize,
    ongoing: usize,
    is_today: bool,
}

pub async fn show(page: Page, staff: Staff, Query(said): Query<Said>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let notice = said.notice(&page);
    present(page, staff, notice, Wanted::default(), "", String::new()).await
}

/// The form once more, with what was written in it.
pub async fn again(page: Page, staff: Staff, Form(wanted): Form<Wanted>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    present(page, staff, None, wanted, "", String::new()).await
}

async fn present(
    page: Page,
    staff: Staff,
    notice: Option<Notice>,
    wanted: Wanted,
    wrong: &'static str,
    refused: String,
) -> Result<Response, Problem> {
    let (names, all) = (Names::load(&page, &staff).await?, list(&staff, ChangeKind::Exception).await?);
    let today = today(&staff);
    let mut days: Vec<Day> = all.items.iter().filter_map(|item| day(&page, &names, &all, item)).filter(|day| day.date >= today).collect();
    days.sort_by(|a, b| a.date.cmp(&b.date).then_with(|| a.calendar.cmp(&b.calendar)));
    let mine = all.calendars.iter().filter(|one| one.changeable);
    let calendars = mine.map(|one| Choice { id: one.calendar_id.clone(), label: label(&names, one) }).collect();
    page.show(&Closings { page: page.clone(), staff, notice, calendars, days, wanted, wrong, refused, today })
}

/// The day at the clinics.
fn today(staff: &Staff) -> String {
    view::as_field(staff.calls.now()).get(..10).unwrap_or_default().to_owned()
}

fn label(names: &Names, calendar: &ClinicCalendar) -> String {
    let doors = calendar.entry_point_ids.iter().map(|id| names.door(id));
    let all: Vec<&str> = doors.chain(calendar.resource_names.iter().map(String::as_str)).collect();
    if all.is_empty() { calendar.calendar_id.clone() } else { all.join(", ") }
}

fn hours(page: &Page, exception: &Exception) -> String {
    if exception.hours.is_empty() {
        return page.say("closing-shut").to_string();
    }
    exception.hours.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn day(page: &Page, names: &Names, all: &ListItemsResponse, item: &ClinicItem) -> Option<Day> {
    let gone = item.body_json.is_empty();
    let body: Exception = serde_json::from_str(if gone { &item.described_json } else { &item.body_json }).ok()?;
    let calendar = all.calendars.iter().find(|one| item.item_id.split_once('/').is_some_and(|(id, _)| id == one.calendar_id))?;
    let changed = !item.set_by.is_empty();
    let described: Option<Exception> = serde_json::from_str(&item.described_json).ok();
    Some(Day {
        item: item.item_id.clone(),
        etag: item.etag.clone(),
        date: body.date.to_string(),
        weekday: words::weekday(page, u32::try_from(body.date.weekday().to_monday_one_offset()).unwrap_or(1)),
        calendar: label(names, calendar),
        hours: hours(page, &body),
        reason: body.reason.clone(),
        changed: changed.then(|| (names.worker(&item.set_by).to_owned(), view::moment(item.set_at.as_ref()))),
        was: described.filter(|_| changed && !gone).map(|was| format!("{}: {}", hours(page, &was), was.reason)),
        gone,
        fits: item.in_effect,
        changeable: item.changeable,
    })
}

/// The day as the description would have it, or the key of what is wrong with the form.
fn exception(wanted: &Wanted) -> Result<Exception, &'static str> {
    let date = wanted.date.parse().map_err(|_| "wrong-date")?;
    let reason = wanted.reason.trim().to_owned();
    if reason.is_empty() {
        return Err("wrong-reason");
    }
    let spans = wanted.hours.split([',', ';']).map(|span| span.trim().replace(['–', '—'], "-").replace(' ', ""));
    let spans: Vec<String> = if wanted.how == "other" { spans.filter(|span| !span.is_empty()).collect() } else { Vec::new() };
    if wanted.how == "other" && spans.is_empty() {
        return Err("wrong-hours");
    }
    let hours = spans.into_iter().map(|span| serde_json::from_value(span.into())).collect::<Result<_, _>>().map_err(|_| "wrong-hours")?;
    Ok(Exception { date, hours, reason })
}

fn of_day(date: &str, time: &str) -> Option<Time> {
    view::local(&format!("{date}T{time}"))
}

pub async fn preview(page: Page, staff: Staff, Form(wanted): Form<Wanted>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let exception = match exception(&wanted) {
        Ok(exception) => exception,
        Err(wrong) => return present(page, staff, None, wanted, wrong, String::new()).await,
    };
    let (names, all) = (Names::load(&page, &staff).await?, list(&staff, ChangeKind::Exception).await?);
    let calendar = all.calendars.iter().find(|one| one.calendar_id == wanted.calendar && one.changeable).ok_or_else(Problem::not_found)?;
    let date = exception.date.to_string();
    let item = format!("{}/{date}", calendar.calendar_id);
    let stands = all.items.iter().find(|one| one.item_id == item);
    // Midnight of the next day by noon plus a day: days are not all of 24 hours.
    let noon = of_day(&date, "12:00").ok_or_else(Problem::invalid)?;
    let next = view::as_field(Time::from_secs(noon.secs() + 86_400)).get(..10).and_then(|next| of_day(next, "00:00"));
    let (from, to) = (of_day(&date, "00:00").unwrap_or(noon), next.unwrap_or(noon));
    let today = today(&staff);
    let window = Interval { from: Some(proto::timestamp(from)), to: Some(proto::timestamp(to)) };
    let count = CountBookingsRequest { calendar_id: calendar.calendar_id.clone(), window: Some(window) };
    let after = GetOpeningRequest { calendar_id: calendar.calendar_id.clone(), at: Some(proto::timestamp(to)) };
    let (mut scheduling, mut hours_of) = (staff.calls.scheduling(), staff.calls.scheduling());
    let open = [CaseState::Open, CaseState::Waiting, CaseState::Offered, CaseState::Active];
    let counted = async { Ok(scheduling.count_bookings(count).await?.into_inner().bookings) };
    let opening = async { Ok(hours_of.get_opening(after).await?.into_inner()) };
    let (bookings, opening, open) = tokio::try_join!(counted, opening, cases::list(&staff, &open, "", 200))?;
    let here: Vec<_> = open.iter().filter(|case| !case.practice && calendar.entry_point_ids.contains(&case.entry_point_id)).collect();
    let ongoing = here.iter().filter(|case| case.state() == CaseState::Active).count();
    let opens_at = if opening.open { Some(proto::timestamp(to)) } else { opening.next_opening_at };
    let preview = Preview {
        doors: calendar.entry_point_ids.iter().map(|id| names.door(id).to_owned()).collect(),
        resources: calendar.resource_names.clone(),
        shut: exception.hours.is_empty(),
        opens: opens_at.map(|at| words::when(&page, Some(&at))).unwrap_or_default(),
        replaces: stands
            .filter(|one| !one.body_json.is_empty())
            .and_then(|one| serde_json::from_str::<Exception>(&one.body_json).ok())
            .map(|one| format!("{}: {}", hours(&page, &one), one.reason)),
        bookings,
        waiting: here.len() - ongoing,
        ongoing,
        is_today: date == today,
        day: format!("{} {date}", words::weekday(&page, u32::try_from(exception.date.weekday().to_monday_one_offset()).unwrap_or(1))),
        wanted: Wanted {
            etag: stands.map_or_else(|| all.absent_etag.clone(), |one| one.etag.clone()),
            hours: exception.hours.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            reason: exception.reason.clone(),
            date,
            ..wanted
        },
        page: page.clone(),
        staff,
    };
    page.show(&preview)
}

pub async fn set(page: Page, staff: Staff, Form(wanted): Form<Wanted>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let exception = match exception(&wanted) {
        Ok(exception) => exception,
        Err(wrong) => return present(page, staff, None, wanted, wrong, String::new()).await,
    };
    let request = SetChangeRequest {
        kind: ChangeKind::Exception.into(),
        item_id: format!("{}/{}", wanted.calendar, exception.date),
        body_json: serde_json::to_string(&exception).map_err(|_| Problem::internal())?,
        etag: wanted.etag.clone(),
        ..SetChangeRequest::default()
    };
    let said = match done(staff.calls.clinics().set_change(request).await)? {
        Done::Well => "closing-set",
        Done::Meanwhile => "item-changed",
        Done::Refused(refused) => return present(page, staff, None, wanted, "", refused).await,
    };
    Ok(page.then(&format!("/leader/change/closings?said={said}"), &staff.calls))
}

#[derive(Deserialize)]
pub struct Back {
    item: String,
    #[serde(default)]
    etag: String,
    /// `away`: the described day is to be a day like any other.
    #[serde(default)]
    how: String,
}

/// Takes a leader's change back, or takes a described day away.
pub async fn revert(page: Page, staff: Staff, Form(back): Form<Back>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let mut clinics = staff.calls.clinics();
    let kind = ChangeKind::Exception.into();
    let came = if back.how == "away" {
        done(clinics.set_change(SetChangeRequest { kind, item_id: back.item, etag: back.etag, ..SetChangeRequest::default() }).await)?
    } else {
        done(clinics.revert_change(RevertChangeRequest { kind, item_id: back.item, etag: back.etag }).await)?
    };
    let said = match came {
        Done::Well => "item-reverted",
        Done::Meanwhile => "item-changed",
        Done::Refused(_) => "item-refused",
    };
    Ok(page.then(&format!("/leader/change/closings?said={said}"), &staff.calls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_shut_or_has_hours_and_always_a_reason() {
        let wanted = |how: &str, hours: &str, reason: &str| Wanted {
            date: "2026-11-25".into(),
            how: how.into(),
            hours: hours.into(),
            reason: reason.into(),
            ..Wanted::default()
        };
        assert!(exception(&wanted("shut", "09:00-12:00", "Vattenläcka")).unwrap().hours.is_empty());
        assert_eq!(exception(&wanted("other", "09:00-12:00, 13:00–15:00", "x")).unwrap().hours.len(), 2);
        for (how, hours, reason, wrong) in
            [("shut", "", " ", "wrong-reason"), ("other", "", "x", "wrong-hours"), ("other", "12:00-09:00", "x", "wrong-hours")]
        {
            assert_eq!(exception(&wanted(how, hours, reason)).unwrap_err(), wrong);
        }
        assert_eq!(exception(&Wanted { date: "i dag".into(), ..wanted("shut", "", "x") }).unwrap_err(), "wrong-date");
    }
}
