//! The life of one e-mail or text message: pending, sending, and an end.

use std::time::Duration;

use kernel::{Id, Time};

/// Most tries of one delivery.
pub const MAX_TRIES: u32 = 8;
/// No new try begins later than this after the first was due.
pub const MAX_AGE: Duration = Duration::from_secs(24 * 3600);
/// How long a try may take before it counts as lost with the process that made it. Longer than any try takes.
pub const LEASE: Duration = Duration::from_secs(120);
const FIRST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Pending,
    /// Handed to a sender, which reports back or dies.
    Sending,
    Delivered,
    /// Refused for good.
    Failed,
    /// Tried for as long as it made sense.
    Expired,
    /// No longer needed.
    Cancelled,
}

impl State {
    pub const ALL: [Self; 6] = [Self::Pending, Self::Sending, Self::Delivered, Self::Failed, Self::Expired, Self::Cancelled];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    pub const fn is_end(self) -> bool {
        !matches!(self, Self::Pending | Self::Sending)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: Id,
    pub state: State,
    pub tries: u32,
    /// When its first try was due.
    pub due_at: Time,
    /// False once it is no longer needed, while a try is still on its way.
    pub wanted: bool,
}

/// What a timer finds around a delivery.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    /// There is an address to send to.
    pub address: bool,
    /// There is a server to send by.
    pub server: bool,
    /// This very process is still busy with the last try.
    pub busy: bool,
}

/// What to do when the timer fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Nothing,
    /// The last try is still on its way: look again then.
    Wait(Time),
    /// Make try number `tries`, which is lost if nobody reports by `lease`.
    Try {
        tries: u32,
        lease: Time,
    },
    End(State),
}

/// How a try went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Accepted,
    /// No repetition can help.
    Refused,
    /// The server was away, or said to come back.
    Later,
    /// There is nobody any more to whom it would say anything.
    Pointless,
}

/// What follows from a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It is no longer this try's to say.
    Nothing,
    End(State),
    Retry(Time),
}

/// Decides when the timer of `delivery` fires.
///
/// Properties: an ended delivery stays as it is; tries never exceed `MAX_TRIES`; the first try is made however late it is,
/// since whoever is away is away still.
pub fn due(delivery: &Delivery, around: Around, now: Time) -> Due {
    match delivery.state {
        State::Delivered | State::Failed | State::Expired | State::Cancelled => Due::Nothing,
        State::Sending if around.busy => Due::Wait(now + LEASE),
        _ if !delivery.wanted || !around.address => Due::End(State::Cancelled),
        _ if !around.server => Due::End(State::Failed),
        _ if delivery.tries > 0 && is_over(delivery, now) => Due::End(State::Expired),
        State::Pending | State::Sending => Due::Try { tries: delivery.tries + 1, lease: now + LEASE },
    }
}

/// Decides when try number `tries` of `delivery` has ended.
///
/// Properties: only the last try has a say; what is no longer wanted is not tried again; a retry comes later than now.
pub fn after(delivery: &Delivery, tries: u32, outcome: Outcome, now: Time) -> After {
    if delivery.state != State::Sending || delivery.tries != tries {
        return After::Nothing;
    }
    let next = now + pause(delivery.id, tries);
    match outcome {
        Outcome::Accepted => After::End(State::Delivered),
        Outcome::Refused => After::End(State::Failed),
        Outcome::Pointless => After::End(State::Cancelled),
        Outcome::Later if !delivery.wanted => After::End(State::Cancelled),
        Outcome::Later if is_over(delivery, next) => After::End(State::Expired),
        Outcome::Later => After::Retry(next),
    }
}

fn is_over(delivery: &Delivery, now: Time) -> bool {
    delivery.tries >= MAX_TRIES || now > delivery.due_at + MAX_AGE
}

/// Half a minute, doubled with every try, and up to a quarter more, so that what failed together is not repeated together.
/// The spread follows from the id: the same delivery waits equally long on every run.
pub fn pause(id: Id, tries: u32) -> Duration {
    let pause = FIRST_PAUSE.saturating_mul(1 << tries.saturating_sub(1).min(16));
    let spread = kernel::id::key_hash(&format!("{id}/{tries}")) % 1_000;
    pause + pause.mul_f64(0.25 * spread as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: Around = Around { address: true, server: true, busy: false };

    fn delivery(state: State, tries: u32) -> Delivery {
        Delivery { id: Id::derived(&[b"mail"]), state, tries, due_at: Time::from_secs(1_000), wanted: true }
    }

    #[test]
    fn a_server_that_always_says_later_is_tried_eight_times_with_growing_pauses() {
        let mut mail = delivery(State::Pending, 0);
        let (mut now, mut last) = (mail.due_at, Duration::ZERO);
        loop {
            let Due::Try { tries, .. } = due(&mail, READY, now) else { panic!("a try is due") };
            mail = Delivery { state: State::Sending, tries, ..mail };
            match after(&mail, tries, Outcome::Later, now) {
                After::Retry(next) => {
                    assert!(next.since(now) > last);
                    last = next.since(now);
                    now = next;
                    mail.state = State::Pending;
                }
                end => break assert_eq!(end, After::End(State::Expired)),
            }
        }
        assert_eq!(mail.tries, MAX_TRIES);
        assert!(now.since(mail.due_at) < Duration::from_secs(2 * 3600));
    }

    #[test]
    fn a_day_is_enough_but_the_first_try_is_made_however_late() {
        let late = Time::from_secs(1_000) + MAX_AGE + Duration::from_secs(1);
        assert!(matches!(due(&delivery(State::Pending, 0), READY, late), Due::Try { tries: 1, .. }));
        assert_eq!(due(&delivery(State::Pending, 1), READY, late), Due::End(State::Expired));
        assert_eq!(after(&delivery(State::Sending, 1), 1, Outcome::Later, late), After::End(State::Expired));
    }

    #[test]
    fn only_the_last_try_has_a_say_and_what_nobody_wants_is_not_repeated() {
        let mail = delivery(State::Sending, 2);
        assert_eq!(after(&mail, 1, Outcome::Accepted, Time::ZERO), After::Nothing);
        assert_eq!(after(&delivery(State::Cancelled, 2), 2, Outcome::Accepted, Time::ZERO), After::Nothing);
        let unwanted = Delivery { wanted: false, ..mail };
        assert_eq!(after(&unwanted, 2, Outcome::Later, Time::ZERO), After::End(State::Cancelled));
        assert_eq!(after(&mail, 2, Outcome::Pointless, Time::ZERO), After::End(State::Cancelled));
        assert_eq!(after(&unwanted, 2, Outcome::Accepted, Time::ZERO), After::End(State::Delivered));
        assert_eq!(due(&unwanted, READY, Time::ZERO), Due::End(State::Cancelled));
    }

    #[test]
    fn what_is_on_its_way_here_is_waited_for_and_what_died_elsewhere_is_tried_again() {
        let now = Time::from_secs(2_000);
        let mail = delivery(State::Sending, 1);
        assert_eq!(due(&mail, Around { busy: true, ..READY }, now), Due::Wait(now + LEASE));
        assert_eq!(due(&mail, READY, now), Due::Try { tries: 2, lease: now + LEASE });
        assert_eq!(due(&mail, Around { address: false, ..READY }, now), Due::End(State::Cancelled));
        assert_eq!(due(&mail, Around { server: false, ..READY }, now), Due::End(State::Failed));
        for state in State::ALL.into_iter().filter(|state| state.is_end()) {
            assert_eq!(due(&delivery(state, 1), READY, now), Due::Nothing);
        }
    }
}
