//! The consumer of one shard of another service's log, as a state machine: every event takes effect once, in order, or
//! the shard stops and says why.
//!
//! Properties, held by the simulation:
//! - what takes effect is a prefix of the source's log, without a gap and without a repetition;
//! - a log that went back in time never takes effect: the shard halts until the source has rejoined;
//! - once messages get through again, everything takes effect.

use std::collections::VecDeque;

use proto::log::{Batch, Envelope, Head};

/// Batches kept while one takes effect; beyond that the source is asked for them again.
const MAX_PENDING: usize = 64;

/// How far a consumer has come. Stored in the same transaction as the effects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Empty before the first event.
    pub incarnation: String,
    pub position: i64,
    /// Id of the event at `position`; empty at the start of an incarnation.
    pub event_id: String,
}

/// What the consumer learns.
#[derive(Clone, Debug)]
pub enum Input {
    /// From the bus.
    Batch(Batch),
    /// Where the source's log stands.
    Head(Head),
    /// The source's answer to `Action::Backfill`.
    Backfilled { batch: Batch, head: Head },
    /// The source did not answer; the driver waits before it gives this.
    BackfillFailed,
    /// The events of `Action::Apply` have taken effect, and this cursor is stored.
    Applied(Cursor),
    /// They have not; the driver waits before it gives this.
    ApplyFailed,
}

/// What the consumer wants done. One action at a time: its answer comes before the next.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Let these take effect and store the cursor, in one transaction. No events: only store the cursor.
    Apply { events: Vec<Envelope>, cursor: Cursor },
    /// Ask the source's log for events from this position on, and for its head.
    Backfill(i64),
}

/// Why a shard stands still until somebody acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// The source's log ends before what was consumed.
    WentBack { head: i64, cursor: i64 },
    /// The source's log holds another event than the one consumed at this position.
    OtherHistory { position: i64 },
    /// The source has a new incarnation that begins below the cursor.
    BeginsBelow { start: i64, cursor: i64 },
}

impl std::fmt::Display for Halt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::WentBack { head, cursor } => {
                write!(
                    f,
                    "the source's log ends at {head}, but {cursor} was consumed: it was restored from a backup; run `samtal log rejoin`"
                )
            }
            Self::OtherHistory { position } => {
                write!(
                    f,
                    "the source's log holds another event at {position} than the one consumed: it was restored; run `samtal log rejoin`"
                )
            }
            Self::BeginsBelow { start, cursor } => {
                write!(f, "the source's new incarnation begins after {start}, but {cursor} was consumed: run `samtal log rejoin` again")
            }
        }
    }
}

/// The checks that keep a consumer honest. All are on; the simulation takes each away to show that it is needed.
#[derive(Clone, Copy, Debug)]
pub struct Checks {
    /// Events must follow on the cursor without a gap.
    pub gap: bool,
    /// The log must be the one that was consumed.
    pub incarnation: bool,
}

impl Checks {
    pub const ALL: Self = Self { gap: true, incarnation: true };
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    Idle,
    Applying(Action),
    Backfilling,
    Halted(Halt),
}

/// One shard's consumer.
#[derive(Debug)]
pub struct Consumer {
    cursor: Cursor,
    state: State,
    /// Furthest position that the source is known to have: beyond the cursor there is more to ask for.
    known: i64,
    /// Batches that came while another was taking effect.
    pending: VecDeque<Batch>,
    checks: Checks,
}

impl Consumer {
    pub fn new(cursor: Cursor, checks: Checks) -> Self {
        Self { known: cursor.position, cursor, state: State::Idle, pending: VecDeque::new(), checks }
    }

    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    pub fn halted(&self) -> Option<&Halt> {
        match &self.state {
            State::Halted(halt) => Some(halt),
            _ => None,
        }
    }

    /// Whether nothing that it knows of is left to take effect.
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle && self.known <= self.cursor.position
    }

    pub fn on(&mut self, input: Input) -> Option<Action> {
        match input {
            Input::Batch(batch) => {
                self.known = self.known.max(end_of(&batch));
                match self.state {
                    State::Idle => return self.take(batch),
                    State::Applying(_) | State::Backfilling if self.pending.len() < MAX_PENDING => self.pending.push_back(batch),
                    // Either halted, or so far behind that the source is asked anyway.
                    _ => {}
                }
                None
            }
            Input::Head(head) => self.head(&head, false),
            Input::Backfilled { batch, head } => {
                if self.state != State::Backfilling {
                    return None;
                }
                self.state = State::Idle;
                // What the source says of its end is newer than what was heard before.
                self.known = self.cursor.position.max(end_of(&batch)).max(head.position);
                if batch.events.is_empty() {
                    self.head(&head, batch.incarnation == head.incarnation)
                } else {
                    self.backfilled(batch, &head)
                }
            }
            Input::BackfillFailed => {
                if self.state != State::Backfilling {
                    return None;
                }
                self.backfill()
            }
            Input::Applied(cursor) => {
                if !matches!(self.state, State::Applying(_)) {
                    return None;
                }
                self.cursor = cursor;
                self.state = State::Idle;
                self.more()
            }
            Input::ApplyFailed => match &self.state {
                State::Applying(action) => Some(action.clone()),
                _ => None,
            },
        }
    }

    /// A batch while idle.
    fn take(&mut self, batch: Batch) -> Option<Action> {
        let cursor = self.cursor.position;
        let last = end_of(&batch);
        if self.checks.incarnation && !self.cursor.incarnation.is_empty() && batch.incarnation != self.cursor.incarnation {
            // Only the source itself can say how this incarnation follows on the one that was consumed.
            return self.backfill();
        }
        if last < cursor {
            // Seen before. If the log went back, the comparison of heads finds out.
            return None;
        }
        if batch.first > cursor + 1 && self.checks.gap {
            return self.backfill();
        }
        if self.checks.incarnation && !self.chained(&batch) {
            return self.halt(Halt::OtherHistory { position: cursor });
        }
        self.apply(batch)
    }

    /// A batch that the source itself answered with.
    fn backfilled(&mut self, batch: Batch, head: &Head) -> Option<Action> {
        let cursor = self.cursor.position;
        // The log has rejoined above the cursor: the operator has declared that what it holds beyond the cursor counts,
        // even if it went other ways before.
        let declared =
            !self.cursor.incarnation.is_empty() && head.incarnation != self.cursor.incarnation && head.incarnation_start >= cursor;
        // At the very start of an incarnation the events before are a void that the operator has declared.
        let opens = batch.previous_event_id.is_empty() && batch.first > cursor && batch.incarnation != self.cursor.incarnation;
        if self.checks.gap && batch.first > cursor + 1 && !opens {
            // The source has lost events in between, or answered another question: ask again later, never skip.
            return self.halt(Halt::WentBack { head: batch.first - 1, cursor });
        }
        if self.checks.incarnation && !opens && !declared && !self.chained(&batch) {
            return self.halt(Halt::OtherHistory { position: cursor });
        }
        self.apply(batch)
    }

    /// Whether the batch continues, or overlaps, exactly what was consumed.
    fn chained(&self, batch: &Batch) -> bool {
        if batch.first == self.cursor.position + 1 {
            return batch.previous_event_id == self.cursor.event_id;
        }
        batch.events.iter().find(|event| event.position == self.cursor.position).is_none_or(|event| event.event_id == self.cursor.event_id)
    }

    /// The part of a batch that is new.
    fn apply(&mut self, batch: Batch) -> Option<Action> {
        let cursor = self.cursor.position;
        let events: Vec<Envelope> = batch.events.into_iter().filter(|event| event.position > cursor).collect();
        let Some(last) = events.last() else { return self.more() };
        let cursor = Cursor { incarnation: batch.incarnation, position: last.position, event_id: last.event_id.clone() };
        self.act(Action::Apply { events, cursor })
    }

    /// `nothing`: the source has answered that its log holds no event beyond the cursor.
    fn head(&mut self, head: &Head, nothing: bool) -> Option<Action> {
        let cursor = self.cursor.position;
        let fresh = self.cursor.incarnation.is_empty();
        let rejoined = head.incarnation != self.cursor.incarnation && (!fresh || nothing && head.incarnation_start > 0);
        match &self.state {
            State::Idle => {}
            // A new incarnation is what a halted shard waits for.
            State::Halted(_) if rejoined => self.state = State::Idle,
            _ => return None,
        }
        if !self.checks.incarnation {
            self.known = self.known.max(head.position);
            return self.more();
        }
        if rejoined {
            if head.incarnation_start < cursor {
                return self.halt(Halt::BeginsBelow { start: head.incarnation_start, cursor });
            }
            if cursor < head.previous_end && !nothing {
                self.known = self.known.max(head.position);
                return self.backfill();
            }
            let cursor = Cursor { incarnation: head.incarnation.clone(), position: head.incarnation_start, event_id: String::new() };
            self.known = head.position;
            return self.act(Action::Apply { events: Vec::new(), cursor });
        }
        if head.position < cursor {
            return self.halt(Halt::WentBack { head: head.position, cursor });
        }
        if head.position == cursor && !fresh && head.event_id != self.cursor.event_id {
            return self.halt(Halt::OtherHistory { position: cursor });
        }
        self.known = self.known.max(head.position);
        self.more()
    }

    /// Goes on with what has come meanwhile, or asks for what is known to be there.
    fn more(&mut self) -> Option<Action> {
        while let Some(batch) = self.pending.pop_front() {
            if end_of(&batch) > self.cursor.position {
                return self.take(batch);
            }
        }
        if self.known > self.cursor.position { self.backfill() } else { None }
    }

    fn backfill(&mut self) -> Option<Action> {
        self.state = State::Backfilling;
        Some(Action::Backfill(self.cursor.position + 1))
    }

    fn act(&mut self, action: Action) -> Option<Action> {
        self.state = State::Applying(action.clone());
        Some(action)
    }

    fn halt(&mut self, halt: Halt) -> Option<Action> {
        self.state = State::Halted(halt);
        None
    }
}

fn end_of(batch: &Batch) -> i64 {
    batch.events.last().map_or(0, |last| last.position)
}
