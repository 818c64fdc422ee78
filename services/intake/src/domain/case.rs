//! The life of a case, as intake sees it. Pure: `decide(life, command) -> life`, or why not.
//!
//! Properties, tested below:
//! - a closed case changes by nothing but a rating and a reopening;
//! - the first assignment is kept for ever;
//! - nothing that routing or triage says late can reopen a case or take a worker's case back to a queue it has left.

use kernel::error::Code;
use kernel::{Error, Severity, Time};

use super::terms::{Mode, Outcome, Sender, State};

/// What changes in a case's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    pub mode: Mode,
    pub state: State,
    pub severity: Option<Severity>,
    /// The worker who has it, or had it when it was closed; empty if nobody.
    pub worker: String,
    pub first_assigned_at: Option<Time>,
    pub due_at: Option<Time>,
    pub closed_at: Option<Time>,
    pub outcome: Option<Outcome>,
    /// 1 to 5; 0 if not rated.
    pub rating: i32,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Visitor,
    Worker,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Somebody writes.
    Post(Sender),
    SetMode {
        mode: Mode,
        state: State,
        due_at: Option<Time>,
    },
    Close {
        by: By,
        outcome: Outcome,
    },
    /// Nobody has written for as long as texts are kept, and nobody waits for an answer.
    Lapse,
    /// None: at any time; a visitor's until then.
    Reopen {
        until: Option<Time>,
    },
    Rate(i32),
    /// What routing and triage say.
    Queued,
    Offered,
    OfferEnded,
    Assigned(String),
    Released,
    Triaged {
        severity: Severity,
    },
}

fn refuse(reason: &'static str, message: &str) -> Error {
    Error::precondition(reason, message)
}

/// The life after `command`; the same life if the command comes too late to matter.
pub fn decide(life: &Life, command: &Command, now: Time) -> Result<Life, Error> {
    let mut next = life.clone();
    let closed = life.state == State::Closed;
    match command {
        Command::Post(sender) => {
            if closed {
                return Err(refuse("CASE_CLOSED", "the case is closed; open it again to write"));
            }
            next.state = after_post(life, *sender);
            if next.state != State::WaitingForUs {
                next.due_at = None;
            }
        }
        Command::SetMode { mode, state, due_at } => {
            if closed {
                return Err(refuse("CASE_CLOSED", "the case is closed"));
            }
            if life.worker.is_empty() {
                return Err(refuse("CASE_NOT_ASSIGNED", "nobody has the case yet"));
            }
            next.mode = *mode;
            next.state = if *mode == Mode::Live { State::Active } else { *state };
            next.due_at = if next.state == State::WaitingForUs { *due_at } else { None };
        }
        Command::Close { by, outcome } => {
            if closed {
                return Err(refuse("CASE_CLOSED", "the case is closed already"));
            }
            if *by == By::Visitor && !life.worker.is_empty() {
                return Err(refuse("CASE_ANSWERED", "a worker has the case; they close it"));
            }
            if *by == By::Worker && *outcome == Outcome::Abandoned && life.first_assigned_at.is_some() {
                return Err(refuse(
                    "CASE_ANSWERED",
                    "somebody has answered this case: abandoned is one whose visitor left before; say how it ended",
                ));
            }
            next.state = State::Closed;
            next.closed_at = Some(now);
            next.due_at = None;
            next.outcome = Some(if *by == By::Visitor { Outcome::Abandoned } else { *outcome });
        }
        Command::Lapse => {
            if !closed && matches!(life.state, State::Active | State::WaitingForVisitor) {
                next.state = State::Closed;
                next.closed_at = Some(now);
                next.due_at = None;
            }
        }
        Command::Reopen { until } => {
            if !closed {
                return Err(refuse("CASE_NOT_CLOSED", "the case is not closed"));
            }
            if until.is_some_and(|until| now >= until) {
                return Err(refuse("REOPEN_TOO_LATE", "the case was closed too long ago to be opened again; open a new one"));
            }
            next.state = if life.worker.is_empty() { State::Open } else { State::Active };
            if life.mode == Mode::Live {
                // Whoever had it may not be there: it goes through the queue again.
                next.worker.clear();
                next.state = State::Open;
            }
            next.closed_at = None;
            next.outcome = None;
        }
        Command::Rate(rating) => {
            if !closed {
                return Err(refuse("CASE_NOT_CLOSED", "a case can be rated once it is closed"));
            }
            if life.outcome == Some(Outcome::Abandoned) {
                return Err(refuse("CASE_NOT_ANSWERED", "nobody answered the case, so there is nothing to rate"));
            }
            if life.rating != 0 && life.rating != *rating {
                return Err(Error::new(Code::AlreadyExists, "ALREADY_RATED", "the case is rated already"));
            }
            next.rating = *rating;
        }
        _ if closed => {}
        Command::Queued => {
            // Routing knows who has it: whoever intake still shows has given it up.
            next.worker.clear();
            next.state = State::Waiting;
            next.due_at = None;
        }
        Command::Offered => {
            if life.worker.is_empty() {
                next.state = State::Offered;
            }
        }
        Command::OfferEnded => {
            if life.state == State::Offered {
                next.state = State::Waiting;
            }
        }
        Command::Assigned(worker) => {
            next.worker.clone_from(worker);
            next.first_assigned_at = life.first_assigned_at.or(Some(now));
            next.state = match life.mode {
                Mode::Asynchronous => State::WaitingForUs,
                Mode::Live => State::Active,
            };
        }
        Command::Released => {
            next.worker.clear();
            next.state = State::Waiting;
            next.due_at = None;
        }
        Command::Triaged { severity } => next.severity = Some(*severity),
    }
    Ok(next)
}

/// Whose turn it is after a message.
fn after_post(life: &Life, sender: Sender) -> State {
    if life.mode != Mode::Asynchronous || life.worker.is_empty() {
        return life.state;
    }
    match sender {
        Sender::Worker => State::WaitingForVisitor,
        Sender::Visitor => State::WaitingForUs,
        Sender::System => life.state,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opened(mode: Mode) -> Life {
        Life {
            mode,
            state: State::Open,
            severity: None,
            worker: String::new(),
            first_assigned_at: None,
            due_at: None,
            closed_at: None,
            outcome: None,
            rating: 0,
        }
    }

    fn command() -> impl Strategy<Value = Command> {
        prop_oneof![
            Just(Command::Post(Sender::Visitor)),
            Just(Command::Post(Sender::Worker)),
            Just(Command::SetMode { mode: Mode::Asynchronous, state: State::WaitingForUs, due_at: Some(Time::from_secs(9)) }),
            Just(Command::SetMode { mode: Mode::Live, state: State::Active, due_at: None }),
            Just(Command::Close { by: By::Worker, outcome: Outcome::Advice }),
            Just(Command::Close { by: By::Visitor, outcome: Outcome::Advice }),
            proptest::option::of(0_i64..40).prop_map(|until| Command::Reopen { until: until.map(Time::from_secs) }),
            Just(Command::Lapse),
            (1..=5).prop_map(Command::Rate),
            Just(Command::Queued),
            Just(Command::Offered),
            Just(Command::OfferEnded),
            Just(Command::Assigned("anna".into())),
            Just(Command::Released),
            Just(Command::Triaged { severity: Severity::Soon }),
        ]
    }

    proptest! {
        #[test]
        fn lives_stay_in_order(commands in proptest::collection::vec(command(), 0..40), live in any::<bool>()) {
            let mut life = opened(if live { Mode::Live } else { Mode::Asynchronous });
            for (second, command) in commands.iter().enumerate() {
                let Ok(next) = decide(&life, command, Time::from_secs(second as i64)) else { continue };
                if life.state == State::Closed && !matches!(command, Command::Reopen { .. } | Command::Rate(_)) {
                    prop_assert_eq!(&next, &life);
                }
                if let Command::Reopen { until: Some(until) } = command {
                    prop_assert!(Time::from_secs(second as i64) < *until);
                }
                if life.first_assigned_at.is_some() {
                    prop_assert_eq!(next.first_assigned_at, life.first_assigned_at);
                }
                prop_assert_eq!(next.state == State::Closed, next.closed_at.is_some());
                prop_assert!(next.due_at.is_none() || next.state == State::WaitingForUs);
                prop_assert!(next.state != State::Active || !next.worker.is_empty());
                life = next;
            }
        }
    }

    #[test]
    fn a_visitor_who_leaves_has_abandoned_and_cannot_rate() {
        let life = decide(&opened(Mode::Live), &Command::Close { by: By::Visitor, outcome: Outcome::Treated }, Time::ZERO).unwrap();
        assert_eq!(life.outcome, Some(Outcome::Abandoned));
        assert_eq!(decide(&life, &Command::Rate(5), Time::ZERO).unwrap_err().reason, "CASE_NOT_ANSWERED");
    }
}
