//! A case as routing sees it: who is asked to take it, and who holds it.
//!
//! Timers and answers race; the state decides. An offer can be accepted before `until` and times out from `until` on,
//! never both at one moment. A timer's command that is refused was overtaken by something else: nothing is left to do.

mod decide;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use kernel::{Error, Id, Profession, Severity, Time};
use serde::{Deserialize, Serialize};

pub use self::decide::decide;
use super::eligible::Needs;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// When it came. Its place in every queue counts from here, whatever happens to it.
    pub since: Time,
    pub severity: Severity,
    /// False: routed without triage's verdict.
    pub triaged: bool,
    pub needs: Needs,
    /// Workers who declined it, let its offer time out, or gave it away, since it last began to wait.
    pub excluded: BTreeSet<String>,
    pub state: State,
}

/// A worker who is asked to take the case, until then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub offer: Id,
    pub worker: String,
    pub until: Time,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Triage has not answered; at the deadline the case is routed without it.
    Pending {
        deadline: Time,
    },
    Waiting,
    Offered(Offer),
    /// `handover`: offered to a colleague; the holder holds it until that offer is accepted. `turned_down`: the last colleague did not.
    Assigned {
        worker: String,
        since: Time,
        handover: Option<Offer>,
        #[serde(default)]
        turned_down: Option<TurnedDown>,
    },
    Done,
}

/// A colleague who declined a hand-over, let its offer time out, or left before answering.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnedDown {
    pub worker: String,
    pub at: Time,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Triage's verdict. On a case that waits without one already it raises the severity and, with a queue, says where it belongs.
    Triaged {
        severity: Severity,
        queue: Option<String>,
        profession: Profession,
    },
    /// A named worker lowered the severity; triage has checked that.
    Lowered {
        severity: Severity,
    },
    /// Signs of danger, and somebody is there: it does not wait for triage.
    Alert {
        severity: Severity,
    },
    /// The timer of `Pending`.
    TriageLate,
    OfferTo(Offer),
    /// The timer of an offer.
    OfferTimedOut {
        offer: Id,
    },
    Decline {
        offer: Id,
    },
    Accept {
        offer: Id,
        worker: String,
    },
    /// From a shared list, or one's own offer; an emergency also while a colleague is being asked: whoever is there first takes it.
    Claim {
        worker: String,
    },
    /// The holder gives it back, or has vanished.
    Release {
        worker: String,
    },
    /// The holder passes it on.
    Transfer {
        worker: String,
        to: Target,
    },
    /// A leader sends a case that nobody has somewhere else.
    Direct {
        to: Target,
    },
    /// A leader takes the case, from whoever has it.
    TakeOver {
        worker: String,
    },
    /// The matter is finished, whoever says so.
    Close,
    /// The visitor left while waiting.
    Abandon,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// Back to waiting, there, at its age.
    Queue { queue: String, profession: Profession },
    /// To a colleague, who has to accept.
    Worker(Offer),
}

/// What happened; the caller turns it into events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// It waits, in the queue of `needs`, since `since`.
    Queued,
    SeverityChanged {
        from: Severity,
        to: Severity,
    },
    Offered(Offer),
    /// Every offer ends once.
    OfferEnded {
        offer: Id,
        worker: String,
        how: Ended,
    },
    Assigned {
        worker: String,
    },
    /// Every assignment ends once, before the next begins.
    Unassigned {
        worker: String,
        how: Unassigned,
    },
    Done {
        abandoned: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    Accepted,
    Declined,
    TimedOut,
    /// The case went elsewhere meanwhile.
    Rescinded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unassigned {
    Released,
    Transferred,
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub case: Case,
    pub effects: Vec<Effect>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Closed,
    /// Triage has not spoken yet, or the case is past waiting.
    NotWaiting,
    /// A worker is being asked right now.
    AlreadyOffered,
    AlreadyAssigned,
    /// The offer is not the open one.
    StaleOffer,
    /// The offer was open, but its time is over.
    OfferExpired,
    /// The offer is somebody else's.
    OtherWorkersOffer,
    /// The worker does not hold the case.
    NotHolder,
    /// A timer came early, or an offer would end before it begins.
    NotDue,
}

impl Refusal {
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Closed => "CASE_CLOSED",
            Self::NotWaiting => "CASE_NOT_WAITING",
            Self::AlreadyOffered => "CASE_ALREADY_OFFERED",
            Self::AlreadyAssigned => "CASE_ALREADY_ASSIGNED",
            Self::StaleOffer => "OFFER_STALE",
            Self::OfferExpired => "OFFER_EXPIRED",
            Self::OtherWorkersOffer => "OFFER_OF_ANOTHER_WORKER",
            Self::NotHolder => "NOT_HOLDER",
            Self::NotDue => "NOT_DUE",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Closed => "the case is closed",
            Self::NotWaiting => "the case does not wait in a queue",
            Self::AlreadyOffered => "the case is offered to a worker; read it again when that offer has ended",
            Self::AlreadyAssigned => "a worker holds the case already",
            Self::StaleOffer => "this offer has ended",
            Self::OfferExpired => "the time to answer this offer is over",
            Self::OtherWorkersOffer => "this offer was made to another worker",
            Self::NotHolder => "only the worker who holds the case can pass it on or give it back",
            Self::NotDue => "it is too early",
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::precondition(refusal.reason(), refusal.text())
    }
}

impl Case {
    /// A new case, which waits for triage until `deadline`.
    pub fn opened(needs: Needs, severity: Severity, now: Time, deadline: Time) -> Self {
        Self { since: now, severity, triaged: false, needs, excluded: BTreeSet::new(), state: State::Pending { deadline } }
    }

    pub fn holder(&self) -> Option<&str> {
        match &self.state {
            State::Assigned { worker, .. } => Some(worker),
            _ => None,
        }
    }

    /// Who did not take what its holder wanted to hand over last.
    pub fn turned_down(&self) -> Option<&TurnedDown> {
        match &self.state {
            State::Assigned { turned_down, .. } => turned_down.as_ref(),
            _ => None,
        }
    }

    /// The open offer, of a waiting case or to a colleague.
    pub fn offer(&self) -> Option<&Offer> {
        match &self.state {
            State::Offered(offer) | State::Assigned { handover: Some(offer), .. } => Some(offer),
            _ => None,
        }
    }

    /// When the case's timer fires, and the command it then gives.
    pub fn timer(&self) -> Option<(Time, Command)> {
        match &self.state {
            State::Pending { deadline } => Some((*deadline, Command::TriageLate)),
            _ => self.offer().map(|o| (o.until, Command::OfferTimedOut { offer: o.offer })),
        }
    }
}
