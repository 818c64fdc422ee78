//! What happens to a visitor's notifications as they go away and come back.

use std::time::Duration;

use kernel::{Id, Result};
use log::{Scope, Unit};
use region::Region;
use runtime::case_facts::Facts;

use super::deliver;
use super::sender::Open;
use crate::domain::delivery::{Delivery, State};
use crate::store::contacts;
use crate::store::notifications::{self, Channel, Notification, RecipientKind};

/// An answer waits for a visitor who has no screen open. One notification per absence, however many answers.
pub async fn answer_waits(unit: &mut Unit<'_>, region: &Region, facts: &Facts, open: Open) -> Result<()> {
    if contacts::go_away(unit.tx, &facts.organisation, facts.case).await? {
        in_app(unit, facts.case, &facts.scope(), RecipientKind::Visitor, &facts.visitor, "answer_waits").await?;
    }
    // Whoever plays the visitor sees the notice on the page.
    if facts.practice {
        return Ok(());
    }
    // A contact may have come since the first answer of this absence.
    if contacts::has_mail(unit.tx, facts.case).await? {
        return Ok(());
    }
    let Some(contact) = contacts::get(unit.tx, facts.case).await? else { return Ok(()) };
    let channel = contact.address.channel();
    let seconds = region.entry_point(&facts.entry_point).map_or(0, |(_, entry_point)| entry_point.away_seconds);
    let due_at = unit.now + Duration::from_secs(u64::from(seconds));
    let mut mail = Notification {
        delivery: Delivery { id: Id::new(unit.now), state: State::Pending, tries: 0, due_at, wanted: true },
        case: facts.case,
        scope: facts.scope(),
        recipient_kind: RecipientKind::Visitor,
        recipient: facts.visitor.clone(),
        kind: "answer_waits".to_owned(),
        channel,
        created_at: unit.now,
        next_try_at: Some(due_at),
        seen_at: None,
    };
    notifications::insert(unit.tx, &mail).await?;
    contacts::set_mail(unit.tx, facts.case, mail.delivery.id).await?;
    if open.by(channel) {
        unit.set_timer(deliver::TIMER, mail.delivery.id, due_at).await
    } else {
        tracing::warn!(notification = %mail.delivery.id, channel = channel.code(), "a message failed: there is no way for it (smtp, sms)");
        deliver::end(unit, &mut mail, State::Failed).await
    }
}

/// Something to show on the recipient's pages, from now on.
pub async fn in_app(
    unit: &mut Unit<'_>,
    case: Id,
    scope: &Scope,
    recipient_kind: RecipientKind,
    recipient: &str,
    kind: &str,
) -> Result<()> {
    let mut new = Notification {
        delivery: Delivery { id: Id::new(unit.now), state: State::Pending, tries: 1, due_at: unit.now, wanted: true },
        case,
        scope: scope.clone(),
        recipient_kind,
        recipient: recipient.to_owned(),
        kind: kind.to_owned(),
        channel: Channel::InApp,
        created_at: unit.now,
        next_try_at: None,
        seen_at: None,
    };
    new.delivery.state = State::Delivered;
    notifications::insert(unit.tx, &new).await?;
    deliver::tell(unit, &new)
}

/// The visitor is back: what has not left yet is not needed.
pub async fn visitor_back(unit: &mut Unit<'_>, case: Id) -> Result<()> {
    contacts::come_back(unit.tx, case).await?;
    cancel_mails(unit, case).await
}

/// Cancels what waits; what is on its way may still arrive, but is not tried again.
pub async fn cancel_mails(unit: &mut Unit<'_>, case: Id) -> Result<()> {
    for mut mail in notifications::lock_open_mails(unit.tx, case).await? {
        if mail.delivery.state == State::Sending {
            mail.delivery.wanted = false;
            notifications::set_delivery(unit.tx, &mail.delivery, mail.next_try_at).await?;
        } else {
            deliver::end(unit, &mut mail, State::Cancelled).await?;
        }
    }
    Ok(())
}

/// The case is erased: so is whom to tell.
pub async fn erase(unit: &mut Unit<'_>, case: Id) -> Result<()> {
    visitor_back(unit, case).await?;
    contacts::delete(unit.tx, case).await?;
    notifications::blank_recipients(unit.tx, case).await?;
    // Kept answers hold a hash of the address.
    unit.erase_key(case).await
}
