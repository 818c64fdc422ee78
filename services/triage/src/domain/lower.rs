//! Who may change a severity: automation only raises it; a named worker lowers it, with a reason.

use kernel::{Error, Severity};
use serde::{Deserialize, Serialize};

/// Who wants the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By<'a> {
    /// A rule, a red flag, a timer.
    Automation,
    /// A worker's id.
    Worker(&'a str),
}

/// What becomes of the severity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// It stays as it is: nothing to write.
    Kept,
    Raised {
        from: Severity,
        to: Severity,
    },
    Lowered {
        from: Severity,
        to: Severity,
        worker: String,
        reason: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody is named.
    WorkerMissing,
    /// The reason holds no word.
    ReasonMissing,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::WorkerMissing => Self::invalid("worker_id", "is required to lower a severity"),
            Refusal::ReasonMissing => Self::invalid("reason", "is required to lower a severity"),
        }
    }
}

/// Decides on a change of severity to `to`.
///
/// Properties: automation's outcome is the graver of the two, whatever it asked for; every `Lowered` names a worker and
/// a reason; raising is never refused.
pub fn change(current: Severity, to: Severity, by: By<'_>, reason: &str) -> Result<Change, Refusal> {
    match (to.cmp(&current), by) {
        (std::cmp::Ordering::Greater, _) => Ok(Change::Raised { from: current, to }),
        (std::cmp::Ordering::Equal, _) | (_, By::Automation) => Ok(Change::Kept),
        (_, By::Worker(worker)) if worker.trim().is_empty() => Err(Refusal::WorkerMissing),
        // A dash or a full stop explains nothing to whoever reads the audit.
        (_, By::Worker(_)) if !reason.chars().any(char::is_alphanumeric) => Err(Refusal::ReasonMissing),
        (_, By::Worker(worker)) => Ok(Change::Lowered { from: current, to, worker: worker.into(), reason: reason.trim().into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_severities_obeys_the_rule() {
        for &current in Severity::ALL {
            for &to in Severity::ALL {
                let expected = if to > current { Change::Raised { from: current, to } } else { Change::Kept };
                assert_eq!(change(current, to, By::Automation, "because"), Ok(expected));
                let by_worker = change(current, to, By::Worker("eva"), "  talked to her ");
                match by_worker.unwrap() {
                    Change::Kept => assert_eq!(to, current),
                    Change::Raised { .. } => assert!(to > current),
                    Change::Lowered { from, to: lowered, worker, reason } => {
                        assert!(lowered < from && (from, lowered) == (current, to));
                        assert_eq!((worker.as_str(), reason.as_str()), ("eva", "talked to her"));
                    }
                }
            }
        }
    }

    #[test]
    fn lowering_needs_a_name_and_a_reason_and_raising_neither() {
        let (grave, mild) = (Severity::Urgent, Severity::Soon);
        assert_eq!(change(grave, mild, By::Worker(" "), "fine"), Err(Refusal::WorkerMissing));
        for reason in ["", "  ", "-", "..."] {
            assert_eq!(change(grave, mild, By::Worker("eva"), reason), Err(Refusal::ReasonMissing));
        }
        assert_eq!(change(mild, grave, By::Worker(""), ""), Ok(Change::Raised { from: mild, to: grave }));
        assert_eq!(Error::from(Refusal::ReasonMissing).violations[0].field, "reason");
    }
}
