//! The functions that make and change a booking.
//!
//! `others` are the bookings of the slot's resource that may meet the slot, locked so that they do not change meanwhile; the booking
//! itself may be among them.
//!
//! Properties, over any sequence of commands on any bookings:
//! - at no moment do two bookings that occupy meet;
//! - from `until` on, a held slot can be held by another, and confirming it is refused;
//! - cancelled and expired are final;
//! - a command that is refused changes nothing; confirming or cancelling twice is no fault and changes nothing.

use kernel::{Id, Time};

use super::{Booking, Command, Decision, Effect, Refusal, Slot, State};

/// Holds a slot for a new booking. That the calendar offers the slot is the caller's to check, with `slots`.
pub fn hold(id: Id, slot: Slot, until: Time, others: &[Booking], now: Time) -> Result<Decision, Refusal> {
    let mut effects = free(id, &slot, others, now)?;
    if until <= now {
        return Err(Refusal::HoldExpired);
    }
    effects.push(Effect::Held { until });
    Ok(Decision { booking: Booking { id, slot, state: State::Held { until } }, effects })
}

/// Applies `command` to a booking at `now`. Only `Move` looks at `others`.
pub fn decide(booking: &Booking, others: &[Booking], command: &Command, now: Time) -> Result<Decision, Refusal> {
    let same = || Ok(Decision { booking: booking.clone(), effects: Vec::new() });
    let to = |state, effect| Ok(Decision { booking: Booking { state, ..booking.clone() }, effects: vec![effect] });
    let expired = || to(State::Expired, Effect::Expired { booking: booking.id });
    match (command, booking.state) {
        (Command::Confirm, State::Confirmed) | (Command::Cancel | Command::Expire, State::Cancelled | State::Expired) => same(),
        (Command::Cancel, State::Confirmed) => to(State::Cancelled, Effect::Cancelled),
        (Command::Cancel, State::Held { until }) if now < until => to(State::Cancelled, Effect::Cancelled),
        (Command::Cancel, State::Held { .. }) => expired(),
        (Command::Expire, State::Held { until }) if now >= until => expired(),
        (Command::Expire, State::Held { .. } | State::Confirmed) => Err(Refusal::NotDue),
        (_, State::Cancelled) => Err(Refusal::Cancelled),
        (_, State::Held { .. } | State::Expired) if !booking.occupies(now) => Err(Refusal::HoldExpired),
        (Command::Confirm, _) => to(State::Confirmed, Effect::Confirmed),
        (Command::Move { to }, _) if *to == booking.slot => same(),
        (Command::Move { to }, _) => {
            let mut effects = free(booking.id, to, others, now)?;
            effects.push(Effect::Moved { from: booking.slot.clone() });
            Ok(Decision { booking: Booking { slot: to.clone(), ..booking.clone() }, effects })
        }
    }
}

/// Whether `slot` is free for the booking `id`: the holds in its way that are over, or a refusal.
fn free(id: Id, slot: &Slot, others: &[Booking], now: Time) -> Result<Vec<Effect>, Refusal> {
    if slot.from < now || slot.from >= slot.to {
        return Err(Refusal::SlotPassed);
    }
    let in_way = || others.iter().filter(|other| other.id != id && other.slot.meets(slot));
    if in_way().any(|other| other.occupies(now)) {
        return Err(Refusal::SlotTaken);
    }
    let over = in_way().filter(|other| matches!(other.state, State::Held { .. }));
    Ok(over.map(|other| Effect::Expired { booking: other.id }).collect())
}
