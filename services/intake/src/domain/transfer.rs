//! The life of a proposal to go on at another organisation. Pure.
//!
//! Properties, tested below:
//! - a proposal ends once, and an end is for ever;
//! - the same end again changes nothing, so a repeated yes is one yes;
//! - nobody agrees to what has run out, whether or not its timer has fired.

use std::time::Duration;

use kernel::{Error, Result, Time};

/// How long a proposal waits for its answer.
pub const LIFE: Duration = Duration::from_secs(7 * 86_400);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Proposed,
    /// Yes; and it is done.
    Agreed,
    Declined,
    /// Taken back, or closed with its case.
    Withdrawn,
    /// Nobody answered in time.
    Expired,
    /// Yes, and it could not be done any more.
    Failed,
}

/// Whether the proposal ends with `end` now; false if it ended so before.
pub fn ends(state: State, end: State, expires_at: Time, now: Time) -> Result<bool> {
    let late = now >= expires_at;
    match state {
        _ if state == end => Ok(false),
        State::Proposed if end == State::Expired => Ok(late),
        State::Proposed if !late || end == State::Withdrawn => Ok(true),
        _ => Err(Error::precondition("TRANSFER_OVER", "the proposal is answered already, or over")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn end() -> impl Strategy<Value = State> {
        prop_oneof![Just(State::Agreed), Just(State::Declined), Just(State::Withdrawn), Just(State::Expired), Just(State::Failed)]
    }

    proptest! {
        #[test]
        fn a_proposal_ends_once(steps in proptest::collection::vec((end(), 0_i64..20), 0..20)) {
            let expires_at = Time::from_secs(10);
            let (mut state, mut second) = (State::Proposed, 0);
            for (end, pause) in steps {
                second += pause;
                let Ok(ended) = ends(state, end, expires_at, Time::from_secs(second)) else { continue };
                prop_assert!(!ended || state == State::Proposed);
                prop_assert!(!ended || end != State::Agreed || second < 10);
                prop_assert!(!ended || end != State::Expired || second >= 10);
                if ended {
                    state = end;
                }
            }
        }
    }
}
