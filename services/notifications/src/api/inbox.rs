//! ListNotifications, MarkSeen: everybody sees their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use auth::{Resource, Role};
use kernel::{Error, Id, Result};
use log::unit::Once;
use log::{Scope, Unit};
use proto::notifications as wire;
use rpc::Caller;
use runtime::{Node, case_facts};
use tonic::{Request, Response};

use crate::SERVICE;
use crate::domain::delivery::State;
use crate::store::contacts;
use crate::store::notifications::{self, Channel, Notification, RecipientKind};

pub async fn list(node: &Node, request: Request<wire::ListNotificationsRequest>) -> Result<wire::ListNotificationsResponse> {
    let caller = rpc::caller(&request)?;
    let case_id = &request.get_ref().case_id;
    let me = &caller.principal;
    let case = match (case_id.as_str(), me.role) {
        ("", role) if role.is_staff() => None,
        (text, _) => Some(Id::parse("case_id", text)?),
    };
    let mut shown: BTreeMap<Id, Scope> = BTreeMap::new();
    let mut way = None;
    if let (Some(case), Role::Visitor) = (case, me.role) {
        let facts = case_facts::load(&node.of(&caller), case).await?;
        caller.check("case", &facts.resource())?;
        way = contacts::way(&node.of(&caller), case).await?;
        if way.is_some() {
            shown.insert(case, facts.scope());
        }
    }
    let found = notifications::of_recipient(&node.of(&caller), &me.organisation, kind_of(&caller), &me.id, case).await?;
    shown.extend(found.iter().map(|one| (one.case, one.scope.clone())));
    node.log_read(&caller, shown.into_iter().collect()).await?;
    Ok(wire::ListNotificationsResponse {
        notifications: found.iter().map(to_wire).collect(),
        contact_channel: way.map(|(way, _)| channel(way)).unwrap_or_default().into(),
        contact_once: way.is_some_and(|(_, once)| once),
    })
}

/// Staff and visitors have ids of different kinds, which might read the same.
fn kind_of(caller: &Caller) -> RecipientKind {
    if caller.role().is_staff() { RecipientKind::Worker } else { RecipientKind::Visitor }
}

struct Seen {
    caller: Caller,
    once: Once,
    id: Id,
}

pub async fn mark_seen(node: &Node, request: Request<wire::MarkSeenRequest>) -> Result<Response<wire::MarkSeenResponse>> {
    let caller = rpc::caller(&request)?;
    let request = request.into_inner();
    let once = caller.once(&request.request_id, &request)?;
    let id = Id::parse("notification_id", &request.notification_id)?;
    let origin = caller.origin();
    let seen = Arc::new(Seen { caller, once, id });
    let (answer, receipt) = node
        .commit(id, origin, move |unit| {
            let seen = seen.clone();
            Box::pin(async move { seen.run(unit).await })
        })
        .await?;
    Ok(rpc::caller::reply(SERVICE, answer, &receipt))
}

impl Seen {
    async fn run(&self, unit: &mut Unit<'_>) -> Result<wire::MarkSeenResponse> {
        if let Some(answer) = unit.earlier_answer(&self.once).await? {
            return Ok(answer);
        }
        let missing = || Error::not_found("notification");
        let found = notifications::lock(unit.tx, self.id).await?.filter(|found| found.recipient_kind == kind_of(&self.caller));
        let found = found.ok_or_else(missing)?;
        let resource = Resource { organisation: &found.scope.organisation, owner: &found.recipient, ..Resource::default() };
        self.caller.check("notification", &resource)?;
        if found.seen_at.is_none() {
            notifications::set_seen(unit.tx, self.id, unit.now).await?;
            unit.audit(found.case, &found.scope);
        }
        let answer = wire::MarkSeenResponse {};
        unit.remember_answer(&self.once, &found.case.to_string(), &answer).await?;
        Ok(answer)
    }
}

const fn channel(from: Channel) -> wire::DeliveryChannel {
    match from {
        Channel::InApp => wire::DeliveryChannel::InApp,
        Channel::Email => wire::DeliveryChannel::Email,
        Channel::Sms => wire::DeliveryChannel::Sms,
    }
}

fn to_wire(from: &Notification) -> wire::Notification {
    let state = match from.delivery.state {
        // A try on its way is nothing that a caller could act on.
        State::Pending | State::Sending => wire::DeliveryState::Pending,
        State::Delivered => wire::DeliveryState::Delivered,
        State::Failed => wire::DeliveryState::Failed,
        State::Expired => wire::DeliveryState::Expired,
        State::Cancelled => wire::DeliveryState::Cancelled,
    };
    wire::Notification {
        notification_id: from.delivery.id.to_string(),
        case_id: from.case.to_string(),
        kind: from.kind.clone(),
        channel: channel(from.channel).into(),
        state: state.into(),
        created_at: Some(proto::timestamp(from.created_at)),
        tries: from.delivery.tries,
        next_try_at: from.next_try_at.map(proto::timestamp),
        seen_at: from.seen_at.map(proto::timestamp),
    }
}
