//! What leaders may change, as it holds now: the description with their changes on top, and whose each thing is.

use kernel::{Error, Result, Time};
use proto::intake::{ChangeKind, ClinicCalendar, ClinicItem, ListItemsRequest, ListItemsResponse};
use region::drift::{Kind, overlay};
use region::{Drift, Organisation, Region};
use rpc::Caller;
use runtime::Node;
use serde::Serialize;

use super::changes::{clinics, etag, kind_of, may, wire};
use crate::app::App;

pub async fn list(app: &App, caller: &Caller, request: &ListItemsRequest) -> Result<ListItemsResponse> {
    let kind = ChangeKind::try_from(request.kind).ok().and_then(kind_of);
    let kind = kind.ok_or_else(|| Error::invalid("kind", "must be exception, canned_reply, referral or worker"))?;
    // Staff are persons: who looks at the list is worth a row.
    app.node.log_read(caller, vec![Node::many(caller)]).await?;
    let (described, drift) = (app.node.region.described(), app.node.region.drift());
    let (current, in_effect) = overlay(&described, &drift);
    let organisation = current.organisation(&caller.principal.organisation).ok_or_else(|| Error::not_found("organisation"))?;
    let changes: Vec<(&Drift, bool)> =
        drift.iter().zip(in_effect).filter(|(change, _)| change.kind == kind && change.organisation == organisation.id).collect();
    let held = held(organisation, kind)?;
    let mut items: Vec<ClinicItem> = held
        .iter()
        .map(|(id, body)| {
            let change = changes.iter().find(|(change, _)| change.item == *id);
            item(caller, (&described, organisation), kind, id, body, change)
        })
        .collect();
    // What was taken away, and what fits no more.
    let gone = changes.iter().filter(|(change, _)| !held.iter().any(|(id, _)| *id == change.item));
    items.extend(gone.map(|change| item(caller, (&described, organisation), kind, &change.0.item, &change.0.body, Some(change))));
    let calendars = if kind == Kind::Exception { calendars(caller, organisation) } else { Vec::new() };
    let languages = organisation.languages.iter().map(|language| language.code().to_owned()).collect();
    Ok(ListItemsResponse { items, calendars, languages, absent_etag: etag(None, None) })
}

/// All things of a kind as they hold: id and JSON.
fn held(organisation: &Organisation, kind: Kind) -> Result<Vec<(String, String)>> {
    match kind {
        Kind::Exception => organisation
            .calendars
            .iter()
            .flat_map(|calendar| calendar.exceptions.iter().map(move |one| (format!("{}/{}", calendar.id, one.date), one)))
            .map(|(id, one)| Ok((id, json(one)?)))
            .collect(),
        Kind::CannedReply => organisation.canned_replies.iter().map(|one| Ok((one.id.clone(), json(one)?))).collect(),
        Kind::Referral => organisation.referrals.iter().map(|one| Ok((one.id.clone(), json(one)?))).collect(),
        Kind::Worker => organisation.workers.iter().map(|one| Ok((one.id.clone(), json(one)?))).collect(),
    }
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal(format!("a described thing cannot be written: {error}")))
}

fn item(
    caller: &Caller,
    (described, organisation): (&Region, &Organisation),
    kind: Kind,
    id: &str,
    body: &str,
    change: Option<&(&Drift, bool)>,
) -> ClinicItem {
    let thing =
        Drift { organisation: organisation.id.clone(), kind, item: id.to_owned(), body: String::new(), set_by: String::new(), set_at: 0 };
    let was = thing.described(described);
    // What is taken away is asked of the description: it must be the leader's to bring back.
    let of = if clinics(organisation, kind, id).is_some() { Some(organisation) } else { described.organisation(&organisation.id) };
    ClinicItem {
        kind: wire(kind).into(),
        item_id: id.to_owned(),
        body_json: body.to_owned(),
        set_by: change.map(|(change, _)| change.set_by.clone()).unwrap_or_default(),
        set_at: change.map(|(change, _)| proto::timestamp(Time::from_micros(change.set_at))),
        etag: etag(change.map(|(change, _)| *change), was.as_deref()),
        changeable: of.is_some_and(|organisation| may(caller, organisation, kind, id).is_ok()),
        in_effect: change.is_none_or(|(_, in_effect)| *in_effect),
        described_json: was.unwrap_or_default(),
    }
}

fn calendars(caller: &Caller, organisation: &Organisation) -> Vec<ClinicCalendar> {
    let one = |calendar: &region::Calendar| ClinicCalendar {
        calendar_id: calendar.id.clone(),
        entry_point_ids: organisation.entry_points.iter().filter(|door| door.calendar == calendar.id).map(|door| door.id.clone()).collect(),
        resource_names: organisation.resources.iter().filter(|one| one.calendar == calendar.id).map(|one| one.name.clone()).collect(),
        changeable: may(caller, organisation, Kind::Exception, &format!("{}/", calendar.id)).is_ok(),
    };
    organisation.calendars.iter().map(one).collect()
}
