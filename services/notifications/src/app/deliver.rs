//! The life of an e-mail or a text message in the database: its timer, its tries, its end. No network here: a try is handed to the sender once
//! the transaction that says so is committed.
//!
//! A mail is sent twice only if the process dies, or loses its database for longer than the lease, between the mail
//! server's OK and the commit of the outcome. Both mails then have the same Message-ID.

use futures::future::BoxFuture;
use kernel::{Id, Result, Time};
use log::Unit;
use log::timers::Fire;
use proto::notifications::DeliveryEnded;

use super::sender::{Job, Outbox};
use crate::domain::delivery::{After, Around, Due, LEASE, Outcome, State, after, due};
use crate::store::contacts::{self, Contact};
use crate::store::notifications::{self, Notification};

/// Timer of a delivery, keyed by the notification: its next try, or the end of the lease of the running one.
pub const TIMER: &str = "deliver";

/// Starts tries as they fall due.
pub struct Deliveries {
    pub outbox: Outbox,
}

impl Fire for Deliveries {
    fn fire<'a>(&'a self, unit: &'a mut Unit<'_>, kind: &'a str, key: Id) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if kind != TIMER {
                return Ok(());
            }
            let Some(mut mail) = notifications::lock(unit.tx, key).await? else { return Ok(()) };
            let address = mail.is_way_in() || contacts::get(unit.tx, mail.case).await?.is_some();
            let around = Around { address, server: self.outbox.open().by(mail.channel), busy: self.outbox.is_busy_with(key) };
            match due(&mail.delivery, around, unit.now) {
                Due::Nothing => Ok(()),
                Due::Wait(until) => look_again(unit, &mut mail, until).await,
                Due::End(state) => end(unit, &mut mail, state).await,
                Due::Try { tries, lease } => {
                    mail.delivery.state = State::Sending;
                    mail.delivery.tries = tries;
                    look_again(unit, &mut mail, lease).await?;
                    let outbox = self.outbox.clone();
                    let job = Job { id: key, tries, organisation: mail.scope.organisation.into() };
                    unit.after_commit(move || outbox.hand_over(job));
                    Ok(())
                }
            }
        })
    }
}

/// A try that may begin: to whom, and in whose name.
pub enum Claim {
    Visitor {
        contact: Contact,
        organisation: String,
    },
    /// A mail about a staff member's way in, to whom intake says.
    WayIn {
        mail: Id,
        organisation: String,
    },
}

/// Takes `job` up right before it is sent, with a fresh lease, however long it has waited; None if it is not to be sent
/// any more.
pub async fn claim(unit: &mut Unit<'_>, job: &Job) -> Result<Option<Claim>> {
    let Some(mut mail) = notifications::lock(unit.tx, job.id).await? else { return Ok(None) };
    if mail.delivery.state != State::Sending || mail.delivery.tries != job.tries {
        return Ok(None);
    }
    let lease = unit.now + LEASE;
    if mail.is_way_in() {
        look_again(unit, &mut mail, lease).await?;
        return Ok(Some(Claim::WayIn { mail: mail.case, organisation: mail.scope.organisation }));
    }
    let contact = contacts::get(unit.tx, mail.case).await?;
    // Whatever wanted it: from practice nothing leaves the house. An address that has changed its kind meanwhile waits for the next answer.
    let wanted = mail.delivery.wanted && !mail.scope.practice;
    let Some(contact) = contact.filter(|contact| wanted && contact.address.channel() == mail.channel) else {
        end(unit, &mut mail, State::Cancelled).await?;
        return Ok(None);
    };
    look_again(unit, &mut mail, lease).await?;
    Ok(Some(Claim::Visitor { contact, organisation: mail.scope.organisation }))
}

/// Keeps how a try went.
pub async fn report(unit: &mut Unit<'_>, job: &Job, outcome: Outcome) -> Result<()> {
    let Some(mut mail) = notifications::lock(unit.tx, job.id).await? else { return Ok(()) };
    match after(&mail.delivery, job.tries, outcome, unit.now) {
        After::Nothing => Ok(()),
        After::End(state) => end(unit, &mut mail, state).await,
        After::Retry(at) => {
            mail.delivery.state = State::Pending;
            look_again(unit, &mut mail, at).await
        }
    }
}

async fn look_again(unit: &mut Unit<'_>, mail: &mut Notification, at: Time) -> Result<()> {
    notifications::set_delivery(unit.tx, &mail.delivery, Some(at)).await?;
    unit.set_timer(TIMER, mail.delivery.id, at).await
}

/// Brings a delivery to its end. Its timer is left alone and will find nothing to do: whoever fires it holds it and waits for
/// the delivery's row, so taking it away with that row locked could wait for ever.
pub async fn end(unit: &mut Unit<'_>, mail: &mut Notification, state: State) -> Result<()> {
    mail.delivery.state = state;
    notifications::set_delivery(unit.tx, &mail.delivery, None).await?;
    if mail.is_way_in() {
        notifications::delete(unit.tx, mail.delivery.id).await?;
    } else if state != State::Cancelled {
        // Whether it reached anybody or not: there is no second one.
        contacts::delete_used(unit.tx, mail.case).await?;
    }
    tell(unit, mail)
}

/// Says that a delivery has ended.
pub fn tell(unit: &mut Unit<'_>, ended: &Notification) -> Result<()> {
    let event = DeliveryEnded {
        notification_id: ended.delivery.id.to_string(),
        channel: ended.channel.code().to_owned(),
        state: ended.delivery.state.code().to_owned(),
        tries: ended.delivery.tries,
    };
    if !ended.scope.practice {
        let (channel, how) = (ended.channel.code(), ended.delivery.state.code());
        unit.after_commit(move || telemetry::metrics::delivery(channel, how));
    }
    unit.emit(ended.case, &ended.scope, &event)
}
