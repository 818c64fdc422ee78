//! A door, as a visitor sees it.

use kernel::{Error, Language, Result};
use proto::intake::{ContactReason, EntryPoint, EntryPointSummary, GetEntryPointRequest};
use region::{Anonymity, Region};

use crate::app::App;
use crate::app::doors::Door;
use crate::app::openings::Opening;

pub async fn get(app: &App, request: &GetEntryPointRequest) -> Result<EntryPoint> {
    if request.entry_point_id.is_empty() {
        return Err(Error::invalid("entry_point_id", "is required"));
    }
    let door = Door::find(app.node.region.get(), &request.entry_point_id)?;
    let (organisation, entry_point) = (door.organisation()?, door.entry_point()?);
    let language = if request.language.is_empty() { organisation.default_language() } else { read(&request.language)? };
    let opening = door.opening(app, app.node.now()).await?;
    let (open, closes_at, next_opening_at) = match opening {
        Opening::Open { closes_at } => (true, closes_at, None),
        Opening::Closed { opens_at } => (false, None, opens_at),
    };
    Ok(EntryPoint {
        entry_point_id: entry_point.id.clone(),
        organisation_id: organisation.id.clone(),
        organisation_name: organisation.name.clone(),
        clinic_id: entry_point.clinic.clone(),
        clinic_name: organisation.clinic(&entry_point.clinic).map(|clinic| clinic.name.clone()).unwrap_or_default(),
        name: organisation.text(&entry_point.name, language).to_owned(),
        channels: entry_point.channels.iter().map(|channel| proto::intake::Channel::from(*channel).into()).collect(),
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
    })
}

fn read(language: &str) -> Result<Language> {
    Language::from_code(language).ok_or_else(|| Error::invalid("language", "must be sv, nb, nn or en"))
}

/// Every door, without asking whether it is open.
pub fn list(region: &Region, language: &str) -> Result<Vec<EntryPointSummary>> {
    let asked = if language.is_empty() { None } else { Some(read(language)?) };
    let of = |organisation: &region::Organisation| {
        let language = asked.unwrap_or_else(|| organisation.default_language());
        let one = |entry_point: &region::EntryPoint| {
            let clinic = organisation.clinic(&entry_point.clinic);
            EntryPointSummary {
                entry_point_id: entry_point.id.clone(),
                name: organisation.text(&entry_point.name, language).to_owned(),
                organisation_name: organisation.name.clone(),
                clinic_name: clinic.map(|clinic| clinic.name.clone()).unwrap_or_default(),
                place: clinic.map(|clinic| clinic.place.clone()).unwrap_or_default(),
                channels: entry_point.channels.iter().map(|channel| proto::intake::Channel::from(*channel).into()).collect(),
                languages: organisation.languages_at(entry_point).iter().map(|language| language.code().to_owned()).collect(),
                practice: entry_point.practice,
            }
        };
        organisation.entry_points.iter().map(one).collect::<Vec<_>>()
    };
    Ok(region.organisations.iter().flat_map(of).collect())
}
