//! A door, as a visitor sees it.

use kernel::{Error, Language, Result};
use proto::intake::{ContactReason, EntryPoint, GetEntryPointRequest};
use region::Anonymity;

use crate::app::App;
use crate::app::doors::Door;
use crate::app::openings::Opening;

pub async fn get(app: &App, request: &GetEntryPointRequest) -> Result<EntryPoint> {
    if request.entry_point_id.is_empty() {
        return Err(Error::invalid("entry_point_id", "is required"));
    }
    let door = Door::find(app.node.region.get(), &request.entry_point_id)?;
    let (organisation, entry_point) = (door.organisation()?, door.entry_point()?);
    let language = if request.language.is_empty() {
        organisation.default_language()
    } else {
        Language::from_code(&request.language).ok_or_else(|| Error::invalid("language", "must be sv, nb, nn or en"))?
    };
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
