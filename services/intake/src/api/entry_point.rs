//! Doors, as visitors see them: one with all there is to say, and the list in which people look for theirs.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use auth::Role;
use jiff::civil::Date;
use kernel::error::Violations;
use kernel::{Channel, Error, Language, Profession, Result, Time};
use proto::intake::{
    self, Choice, ContactReason, DayHours, EntryPoint, EntryPointSummary, GetEntryPointRequest, HelpNumber, ListEntryPointsRequest,
    ListEntryPointsResponse,
};
use region::{Anonymity, Calendar, Country, Organisation, Region, Weekday};
use rpc::Caller;
use screening::Category;

use super::lists::{page_size, seal, unseal};
use crate::app::doors::{Door, for_whom};
use crate::app::openings::Opening;
use crate::app::register::Listing;
use crate::app::{App, safety};
use crate::domain::{language, search};

/// Times of opening that a door shows.
const NEXT: usize = 7;
const WEEK: [Weekday; 7] = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

/// `/e/demo-open`
fn address(id: &str) -> String {
    format!("/e/{id}")
}

pub async fn get(app: &App, request: &GetEntryPointRequest) -> Result<EntryPoint> {
    if request.entry_point_id.is_empty() {
        return Err(Error::invalid("entry_point_id", "is required"));
    }
    let door = Door::find(app.node.region.get(), &request.entry_point_id)?;
    let (organisation, entry_point) = (door.organisation()?, door.entry_point()?);
    let language = language::named(&request.language)?.unwrap_or_else(|| organisation.default_language());
    let now = app.node.now();
    let opening = door.opening(app, now).await?;
    let (open, closes_at, next_opening_at) = match opening {
        Opening::Open { closes_at } => (true, closes_at, None),
        Opening::Closed { opens_at } => (false, None, opens_at),
    };
    let wait = app.waits.of(&entry_point.id).await;
    let clinic = organisation.clinic(&entry_point.clinic);
    let found_us = if entry_point.asks_found_us { organisation.found_us.as_slice() } else { &[] };
    let attachments = &organisation.attachments;
    Ok(EntryPoint {
        entry_point_id: entry_point.id.clone(),
        organisation_id: organisation.id.clone(),
        organisation_name: organisation.name.clone(),
        clinic_id: entry_point.clinic.clone(),
        clinic_name: clinic.map(|clinic| clinic.name.clone()).unwrap_or_default(),
        name: organisation.text(&entry_point.name, language).to_owned(),
        channels: channels(&entry_point.channels),
        languages: organisation.languages_at(entry_point).iter().map(|language| language.code().to_owned()).collect(),
        anonymous_allowed: entry_point.anonymity == Anonymity::Allowed,
        open,
        next_opening_at: next_opening_at.map(proto::timestamp),
        closes_at: closes_at.map(proto::timestamp),
        closed_reason: if open { String::new() } else { app.openings.closed_reason(&entry_point.calendar).await },
        retention_days: entry_point.retention_days,
        contact_reasons: organisation
            .reasons_at(entry_point)
            .into_iter()
            .map(|reason| ContactReason {
                contact_reason_id: reason.id.clone(),
                name: organisation.text(&reason.name, language).to_owned(),
            })
            .collect(),
        practice: entry_point.practice,
        address: address(&entry_point.id),
        place: clinic.map(|clinic| clinic.place.clone()).unwrap_or_default(),
        professions: professions(organisation, &entry_point.clinic),
        week: organisation.calendar(&entry_point.calendar).map(|calendar| week(calendar, today(organisation, now))).unwrap_or_default(),
        next_openings: door
            .next_openings(app, now, NEXT)
            .await?
            .into_iter()
            .map(|(from, to)| intake::Opening { from: Some(proto::timestamp(from)), to: to.map(proto::timestamp) })
            .collect(),
        numbers: numbers(organisation.country, language),
        can_leave_message: true,
        expected_wait: Some(wait.expected),
        for_whom: entry_point.for_whom.iter().map(|one| for_whom(*one).into()).collect(),
        found_us: found_us
            .iter()
            .map(|choice| Choice { choice_id: choice.id.clone(), name: organisation.text(&choice.name, language).to_owned() })
            .collect(),
        timezone: organisation.timezone.clone(),
        country: organisation.country.code().to_owned(),
        max_attachment_bytes: if attachments.allowed { u64::from(attachments.max_mib) << 20 } else { 0 },
        reopen_days: entry_point.reopen_days,
        can_meet_by_video: !organisation.video_url.is_empty(),
        full: open && wait.full,
    })
}

fn channels(channels: &[Channel]) -> Vec<i32> {
    channels.iter().map(|channel| intake::Channel::from(*channel).into()).collect()
}

/// Those who work in the clinic's queues.
fn professions(organisation: &Organisation, clinic: &str) -> Vec<String> {
    let queues: Vec<_> = organisation.queues.iter().filter(|queue| queue.clinic == clinic).collect();
    let there = organisation.workers.iter().filter(|worker| queues.iter().any(|queue| worker.answers(queue)));
    let all: BTreeSet<Profession> = there.map(|worker| worker.profession).filter(|one| *one != Profession::Any).collect();
    all.into_iter().map(|one| one.code().to_owned()).collect()
}

fn today(organisation: &Organisation, now: Time) -> Option<Date> {
    let zone = jiff::tz::TimeZone::get(&organisation.timezone).ok()?;
    Some(jiff::Timestamp::from_microsecond(now.micros()).ok()?.to_zoned(zone).date())
}

/// The weekly hours in force; none of a calendar that never closes.
fn week(calendar: &Calendar, today: Option<Date>) -> Vec<DayHours> {
    let begun = |from: Option<Date>| from.is_none_or(|from| today.is_some_and(|today| from <= today));
    let Some(week) = calendar.weeks.iter().rfind(|week| begun(week.from)).or_else(|| calendar.weeks.first()) else { return Vec::new() };
    (1..)
        .zip(WEEK)
        .map(|(weekday, day)| DayHours { weekday, spans: week.hours.get(&day).into_iter().flatten().map(ToString::to_string).collect() })
        .collect()
}

/// The emergency number first, each once.
fn numbers(country: Country, language: Language) -> Vec<HelpNumber> {
    let mut all: Vec<HelpNumber> = Vec::new();
    for category in [Category::DangerToLife, Category::Suicide, Category::Violence] {
        for number in safety::numbers(country, category, language) {
            if !all.iter().any(|one| one.number == number.number) {
                all.push(number);
            }
        }
    }
    all
}

/// A door that was found, by what it is sorted.
struct Found {
    key: (String, String, String, String),
    organisation: usize,
    entry_point: usize,
    /// Names by which it is shown; the clinic's own if empty.
    listing: Listing,
}

pub async fn list(app: &App, caller: &Caller, request: &ListEntryPointsRequest) -> Result<ListEntryPointsResponse> {
    let limit = page_size(request.page_size)? as usize;
    let mut violations = Violations::default();
    violations.optional_text("query", &request.query, 200);
    violations.optional_text("organisation_id", &request.organisation_id, 64);
    violations.optional_text("language", &request.language, 8);
    violations.done()?;
    let language = language::named(&request.language)?;
    let region = app.node.region.get();
    // Whoever runs the region sees every door.
    let every = caller.role() == Role::Operator;
    let mut listings = app.register.listings(&region);
    if every {
        listings.extend(unlisted(&region, &listings));
    }
    let mut found = find(&region, listings, request, language, every);
    found.sort_by(|a, b| a.key.cmp(&b.key));
    let after = unseal(app, &request.page_token)?;
    // The last id of the page before: a door that came or went meanwhile moves no other one.
    let start = match &after {
        None => 0,
        Some(id) => found.iter().position(|one| one.key.3 == *id).map_or(0, |at| at + 1),
    };
    let page: Vec<Found> = found.into_iter().skip(start).collect();
    let more = page.len() > limit;
    let next_page_token = match page.get(limit.saturating_sub(1)).filter(|_| more) {
        Some(last) => seal(app, &last.key.3)?,
        None => String::new(),
    };
    let shown = futures::future::join_all(page.iter().take(limit).map(|one| summary(app, region.clone(), one, language))).await;
    Ok(ListEntryPointsResponse { entry_points: shown.into_iter().collect::<Result<_>>()?, next_page_token })
}

/// A door of the region that nobody looks for by name, as if it were listed.
fn unlisted(region: &Region, listings: &[Listing]) -> Vec<Listing> {
    let known: BTreeSet<&str> = listings.iter().map(|listing| listing.entry_point.as_str()).collect();
    let doors = region.organisations.iter().flat_map(|organisation| &organisation.entry_points);
    let missing = doors.filter(|door| !known.contains(door.id.as_str()));
    missing.map(|door| Listing { entry_point: door.id.clone(), ..Listing::default() }).collect()
}

/// Listed doors that hold every word of the query in their place, clinic, organisation or name, in any language. A door is found once,
/// whatever the register says, and a practice door only by whoever sees `every` door.
fn find(region: &Region, listings: Vec<Listing>, request: &ListEntryPointsRequest, language: Option<Language>, every: bool) -> Vec<Found> {
    let words = search::words(&request.query);
    let mut doors = HashMap::new();
    for (i, organisation) in region.organisations.iter().enumerate() {
        if request.organisation_id.is_empty() || organisation.id == request.organisation_id {
            doors.extend(organisation.entry_points.iter().enumerate().map(|(j, door)| (door.id.as_str(), (i, organisation, j, door))));
        }
    }
    let mut all = Vec::new();
    for listing in listings {
        let Some((i, organisation, j, door)) = doors.remove(listing.entry_point.as_str()).filter(|(.., door)| every || !door.practice)
        else {
            continue;
        };
        let own = organisation.clinic(&door.clinic);
        let clinic = first(&listing.clinic, own.map(|clinic| &clinic.name));
        let place = first(&listing.place, own.map(|clinic| &clinic.place));
        let texts = [clinic.as_str(), place.as_str(), organisation.name.as_str()].into_iter().chain(door.name.values().map(String::as_str));
        if !search::holds(texts.chain(listing.also.iter().map(String::as_str)), &words) {
            continue;
        }
        let name = organisation.text(&door.name, language.unwrap_or_else(|| organisation.default_language()));
        let key = (search::fold(&place), search::fold(&clinic), search::fold(name), door.id.clone());
        all.push(Found { key, organisation: i, entry_point: j, listing: Listing { clinic, place, ..listing } });
    }
    all
}

/// What the register says, else what the description does.
fn first(listed: &str, described: Option<&String>) -> String {
    if listed.is_empty() { described.cloned().unwrap_or_default() } else { listed.to_owned() }
}

async fn summary(app: &App, region: Arc<Region>, found: &Found, language: Option<Language>) -> Result<EntryPointSummary> {
    let door = Door::in_region(region, found.organisation, found.entry_point);
    let (organisation, entry_point) = (door.organisation()?, door.entry_point()?);
    let language = language.unwrap_or_else(|| organisation.default_language());
    // A list does without the hours while scheduling is away.
    let (open, next_opening_at) = match door.opening(app, app.node.now()).await {
        Ok(Opening::Open { .. }) => (Some(true), None),
        Ok(Opening::Closed { opens_at }) => (Some(false), opens_at),
        Err(_) => (None, None),
    };
    Ok(EntryPointSummary {
        entry_point_id: entry_point.id.clone(),
        name: organisation.text(&entry_point.name, language).to_owned(),
        organisation_id: organisation.id.clone(),
        organisation_name: organisation.name.clone(),
        clinic_id: entry_point.clinic.clone(),
        clinic_name: found.listing.clinic.clone(),
        place: found.listing.place.clone(),
        address: address(&entry_point.id),
        channels: channels(&entry_point.channels),
        languages: organisation.languages_at(entry_point).iter().map(|language| language.code().to_owned()).collect(),
        anonymous_allowed: entry_point.anonymity == Anonymity::Allowed,
        practice: entry_point.practice,
        unlisted: !entry_point.listed,
        open,
        next_opening_at: next_opening_at.map(proto::timestamp),
    })
}
