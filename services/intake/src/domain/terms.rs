//! The closed vocabularies of a case's life.

/// Whether somebody waits at a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Live,
    /// Answers take hours or days.
    Asynchronous,
}

/// Where a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Opened and not yet in a queue.
    Open,
    Waiting,
    Offered,
    /// A worker has it.
    Active,
    /// The visitor's turn.
    WaitingForVisitor,
    /// The worker's turn.
    WaitingForUs,
    Closed,
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Advice,
    Treated,
    Booked,
    Referred,
    Administrative,
    /// The visitor left before somebody answered.
    Abandoned,
    /// Went on at another organisation.
    Transferred,
}

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    Visitor,
    Worker,
    /// Samtal itself.
    System,
}
