//! Leaders' changes beside the description: checked like the description itself, kept apart from it, taken back at will.

use auth::{Resource, Role};
use kernel::error::Violations;
use kernel::{Code, Error, Id, Result, Time};
use log::{Receipt, Scope, Unit};
use proto::intake::{ChangeKind, ClinicChange, ListChangesResponse, RevertChangeRequest, SetChangeRequest, SetChangeResponse};
use region::drift::{Kind, overlay, put};
use region::{Drift, Organisation, Region, Worker};
use rpc::Caller;
use runtime::RegionStore;

use crate::app::{App, invitations};

const MAX_ITEM: usize = 128;
const MAX_BODY: usize = 16 * 1024;
const MAX_ETAG: usize = 64;

pub(super) const fn kind_of(kind: ChangeKind) -> Option<Kind> {
    match kind {
        ChangeKind::Unspecified => None,
        ChangeKind::Exception => Some(Kind::Exception),
        ChangeKind::CannedReply => Some(Kind::CannedReply),
        ChangeKind::Referral => Some(Kind::Referral),
        ChangeKind::Worker => Some(Kind::Worker),
    }
}

pub(super) const fn wire(kind: Kind) -> ChangeKind {
    match kind {
        Kind::Exception => ChangeKind::Exception,
        Kind::CannedReply => ChangeKind::CannedReply,
        Kind::Referral => ChangeKind::Referral,
        Kind::Worker => ChangeKind::Worker,
    }
}

fn shown(change: &Drift, described: &Region, in_effect: bool) -> ClinicChange {
    ClinicChange {
        kind: wire(change.kind).into(),
        item_id: change.item.clone(),
        body_json: change.body.clone(),
        described_json: change.described(described).unwrap_or_default(),
        set_by: change.set_by.clone(),
        set_at: Some(proto::timestamp(Time::from_micros(change.set_at))),
        in_effect,
    }
}

/// The clinics that a thing is about, in the region as it is: none if it is not there.
pub(super) fn clinics(organisation: &Organisation, kind: Kind, item: &str) -> Option<Vec<String>> {
    match kind {
        Kind::Exception => {
            let calendar = organisation.calendar(item.split_once('/')?.0)?;
            let doors = organisation.entry_points.iter().filter(|door| door.calendar == calendar.id).map(|door| door.clinic.clone());
            let resources = organisation.resources.iter().filter(|one| one.calendar == calendar.id).map(|one| one.clinic.clone());
            Some(doors.chain(resources).collect())
        }
        Kind::CannedReply => organisation.canned_replies.iter().find(|one| one.id == item).map(|one| one.clinic.iter().cloned().collect()),
        // The directory is everybody's.
        Kind::Referral => organisation.referrals.iter().any(|one| one.id == item).then(Vec::new),
        Kind::Worker => organisation.worker(item).map(|worker: &Worker| worker.clinics.clone()),
    }
}

/// A leader changes only what is about clinics of their own. What a text for all clinics says is not theirs.
pub(super) fn may(caller: &Caller, organisation: &Organisation, kind: Kind, item: &str) -> Result<()> {
    let missing = || Error::not_found("item");
    let Some(about) = clinics(organisation, kind, item) else {
        // Not there yet: whose it becomes is asked of the region with it.
        return if kind == Kind::Exception { Err(missing()) } else { Ok(()) };
    };
    if about.is_empty() && kind != Kind::Referral {
        return Err(missing());
    }
    for clinic in &about {
        caller.check("item", &Resource { organisation: &organisation.id, clinic, ..Resource::default() })?;
    }
    Ok(())
}

/// Roles are the description's: a leader can neither make leaders nor unmake them.
fn keeps_roles(before: &Organisation, after: &Organisation, item: &str) -> Result<()> {
    let leads = |organisation: &Organisation| organisation.worker(item).is_some_and(|worker| worker.role == region::Role::Leader);
    if leads(before) != leads(after) {
        return Err(Error::precondition("ROLE_DESCRIBED", "who leads is said in the region's description; ask those who apply it"));
    }
    Ok(())
}

fn parse(kind: i32, item: &str, violations: &mut Violations) -> Kind {
    let kind = kind_of(ChangeKind::try_from(kind).unwrap_or_default());
    violations.check(kind.is_some(), "kind", "must be exception, canned_reply, referral or worker");
    violations.text("item_id", item, MAX_ITEM);
    kind.unwrap_or(Kind::Exception)
}

/// Names a state of a thing: the change that made it so, or else what the description says.
pub(super) fn etag(change: Option<&Drift>, described: Option<&str>) -> String {
    let state = match change {
        Some(change) => Id::derived(&[b"changed", change.set_at.to_string().as_bytes(), change.set_by.as_bytes(), change.body.as_bytes()]),
        None => Id::derived(&[b"described", described.unwrap_or_default().as_bytes()]),
    };
    state.to_string()
}

/// Refuses if the thing is not any more in the state that the caller has seen. The ledger says, whatever this process has heard.
async fn unchanged(unit: &mut Unit<'_>, regions: &RegionStore, thing: &Drift, seen: &str) -> Result<()> {
    if seen.is_empty() {
        return Ok(());
    }
    let stands = regions.standing_drift(unit, thing).await?;
    if etag(stands.as_ref(), thing.described(&regions.described()).as_deref()) == seen {
        return Ok(());
    }
    Err(Error::new(Code::Aborted, "ITEM_CHANGED", "somebody has changed it meanwhile; look at it again"))
}

pub async fn set(app: &App, caller: &Caller, request: SetChangeRequest) -> Result<(SetChangeResponse, Receipt)> {
    let once = caller.once(&request.request_id, &request)?;
    let mut violations = Violations::default();
    let kind = parse(request.kind, &request.item_id, &mut violations);
    violations.optional_text("body_json", &request.body_json, MAX_BODY);
    violations.optional_text("etag", &request.etag, MAX_ETAG);
    violations.done()?;
    let etag = request.etag;
    let change = Drift {
        organisation: caller.principal.organisation.clone(),
        kind,
        item: request.item_id,
        body: request.body_json,
        set_by: caller.principal.id.clone(),
        set_at: app.node.now().micros(),
    };
    let before = app.node.region.get();
    let organisation = before.organisation(&change.organisation).ok_or_else(|| Error::not_found("item"))?;
    may(caller, organisation, kind, &change.item)?;
    let mut after = Region::clone(&before);
    put(&mut after, &change).map_err(|problem| Error::invalid("body_json", problem))?;
    if let Some((path, problem)) = region::validate(&after).into_iter().next() {
        return Err(Error::invalid("body_json", format!("{path}: {problem}")));
    }
    let changed = after.organisation(&change.organisation).ok_or_else(|| Error::not_found("item"))?;
    if !change.body.is_empty() {
        may(caller, changed, kind, &change.item)?;
    }
    if kind == Kind::Worker {
        keeps_roles(organisation, changed, &change.item)?;
    }
    let scope = Scope { organisation: change.organisation.clone(), ..Scope::default() };
    let key = Id::derived(&[b"changes", change.organisation.as_bytes()]);
    let (regions, kept) = (app.node.region.clone(), change.clone());
    let (_, receipt) = app
        .node
        .commit(key, caller.origin(), move |unit| {
            let (once, scope, regions, change, etag) = (once.clone(), scope.clone(), regions.clone(), kept.clone(), etag.clone());
            Box::pin(async move {
                if unit.earlier_answer::<SetChangeResponse>(&once).await?.is_some() {
                    return Ok(());
                }
                unchanged(unit, &regions, &change, &etag).await?;
                if kind == Kind::Worker && change.body.is_empty() {
                    invitations::left(unit, &change.organisation, &change.item).await?;
                }
                regions.set_drift(unit, change).await?;
                unit.audit(key, &scope);
                unit.remember_answer(&once, "", &SetChangeResponse::default()).await
            })
        })
        .await?;
    Ok((SetChangeResponse { change: Some(shown(&change, &app.node.region.described(), true)) }, receipt))
}

pub async fn revert(app: &App, caller: &Caller, request: RevertChangeRequest) -> Result<Receipt> {
    let mut violations = Violations::default();
    let kind = parse(request.kind, &request.item_id, &mut violations);
    violations.optional_text("etag", &request.etag, MAX_ETAG);
    violations.done()?;
    let etag = request.etag;
    let organisation_id = caller.principal.organisation.clone();
    let (now, described) = (app.node.region.get(), app.node.region.described());
    let missing = || Error::not_found("item");
    // Both as it is and as it will be again, it must be the leader's.
    for region in [&*now, &described] {
        may(caller, region.organisation(&organisation_id).ok_or_else(missing)?, kind, &request.item_id)?;
    }
    let leaves = kind == Kind::Worker && described.organisation(&organisation_id).is_some_and(|one| one.worker(&request.item_id).is_none());
    let scope = Scope { organisation: organisation_id.clone(), ..Scope::default() };
    let key = Id::derived(&[b"changes", organisation_id.as_bytes()]);
    let regions = app.node.region.clone();
    let reverted =
        Drift { organisation: organisation_id, kind, item: request.item_id, body: String::new(), set_by: String::new(), set_at: 0 };
    let ((), receipt) = app
        .node
        .commit(key, caller.origin(), move |unit| {
            let (scope, regions, reverted, etag) = (scope.clone(), regions.clone(), reverted.clone(), etag.clone());
            Box::pin(async move {
                unchanged(unit, &regions, &reverted, &etag).await?;
                if !regions.revert_drift(unit, &scope.organisation, kind, &reverted.item).await? {
                    return Err(Error::not_found("item"));
                }
                if leaves {
                    invitations::left(unit, &scope.organisation, &reverted.item).await?;
                }
                unit.audit(key, &scope);
                Ok(())
            })
        })
        .await?;
    Ok(receipt)
}

pub fn list(app: &App, caller: &Caller) -> Result<ListChangesResponse> {
    if caller.role() != Role::Leader {
        return Err(Error::internal("the policy lets somebody list changes who leads nothing"));
    }
    let described = app.node.region.described();
    let all = app.node.region.drift();
    let (_, in_effect) = overlay(&described, &all);
    let own = all.iter().zip(in_effect).filter(|(change, _)| change.organisation == caller.principal.organisation);
    Ok(ListChangesResponse { changes: own.map(|(change, in_effect)| shown(change, &described, in_effect)).collect() })
}
