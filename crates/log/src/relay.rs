//! The relay of one shard, as a state machine: what is committed goes to the bus in position order, at least once.

use proto::log::{Batch, Envelope};

use crate::reader::{MAX_BYTES, MAX_EVENTS};

/// Committed events that are kept in memory for the relay; beyond that it reads them from the log.
const MAX_READY: usize = 4 * MAX_EVENTS;

/// What the relay learns.
#[derive(Debug)]
pub enum Input {
    /// Events were committed, and here they are, with the id of the event that the log holds before them.
    Committed { previous: Option<String>, events: Vec<Envelope> },
    /// Something may have been committed: look.
    Bell,
    /// The log's answer to `Action::Load`.
    Loaded(Batch),
    /// The bus has stored the batch that ends at this position.
    Published(i64),
    /// The bus or the log did not answer; the driver waits before it gives this.
    Failed,
}

/// What the relay wants done. One action at a time: the answer comes before the next.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Read a batch from this position on.
    Load(i64),
    Publish(Batch),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Busy {
    No,
    Loading,
    /// A batch that ends at this position is on its way.
    Publishing(i64),
}

/// One shard's relay.
#[derive(Debug)]
pub struct Relay {
    service: String,
    shard: u32,
    /// Last position that the bus has.
    published: i64,
    busy: Busy,
    /// Something beyond what is published or ready may be in the log.
    look: bool,
    incarnation: String,
    /// Id of the last event that was published or is on its way; None if this relay has not seen it.
    last_event_id: Option<String>,
    /// Committed events that follow without a gap on what is published or on its way.
    ready: Vec<Envelope>,
}

impl Relay {
    /// A relay that has published up to `published` and does not know yet what came after.
    pub fn new(service: &str, shard: u32, published: i64) -> Self {
        Self {
            service: service.to_owned(),
            shard,
            published,
            busy: Busy::No,
            look: true,
            incarnation: String::new(),
            last_event_id: None,
            ready: Vec::new(),
        }
    }

    pub fn published(&self) -> i64 {
        self.published
    }

    /// Whether everything that it knows of is on the bus.
    pub fn is_idle(&self) -> bool {
        self.busy == Busy::No && !self.look && self.ready.is_empty()
    }

    pub fn on(&mut self, input: Input) -> Option<Action> {
        match input {
            Input::Committed { previous, events } => self.committed(previous, events),
            Input::Bell => self.look = true,
            Input::Loaded(batch) => {
                self.busy = Busy::No;
                if let Some(last) = batch.events.last() {
                    // There may be more behind it.
                    self.look = true;
                    self.last_event_id = Some(last.event_id.clone());
                    self.incarnation.clone_from(&batch.incarnation);
                    return self.publish(batch);
                }
                // The log may have lost or replaced what was published, or have rejoined. Then nothing that is committed
                // from now on may be chained to it from memory.
                if batch.incarnation != self.incarnation || self.last_event_id.as_ref() != Some(&batch.previous_event_id) {
                    self.last_event_id = None;
                }
            }
            Input::Published(position) => {
                self.busy = Busy::No;
                self.published = self.published.max(position);
            }
            Input::Failed => {
                // What was on its way is read again from the log: it may be cut anew, never lost.
                self.busy = Busy::No;
                self.look = true;
                self.last_event_id = None;
            }
        }
        self.next()
    }

    fn committed(&mut self, previous: Option<String>, events: Vec<Envelope>) {
        let end = match self.busy {
            Busy::Publishing(end) => end,
            Busy::No | Busy::Loading => self.published,
        };
        let (end, id) = match self.ready.last() {
            Some(last) => (last.position, Some(&last.event_id)),
            None => (end, self.last_event_id.as_ref()),
        };
        // A failover may have lost what was published and filled its positions anew: the position alone says nothing.
        let follows = events.first().is_some_and(|first| first.position == end + 1) && previous.as_ref() == id;
        // Only a relay that knows the event before can chain a batch without asking the log.
        if follows && !self.look && self.busy != Busy::Loading && self.last_event_id.is_some() && self.ready.len() < MAX_READY {
            self.ready.extend(events);
        } else {
            self.look = true;
        }
    }

    fn next(&mut self) -> Option<Action> {
        if self.busy != Busy::No {
            return None;
        }
        if self.look {
            self.look = false;
            self.ready.clear();
            self.busy = Busy::Loading;
            return Some(Action::Load(self.published + 1));
        }
        let first = self.ready.first()?.position;
        let events = self.take_ready();
        let previous = self.last_event_id.replace(events.last().map(|last| last.event_id.clone()).unwrap_or_default());
        let batch = Batch {
            service: self.service.clone(),
            incarnation: self.incarnation.clone(),
            shard: self.shard,
            first,
            previous_event_id: previous.unwrap_or_default(),
            events,
        };
        self.publish(batch)
    }

    /// As many ready events as fit into one batch.
    fn take_ready(&mut self) -> Vec<Envelope> {
        let mut bytes = 0;
        let fit = self
            .ready
            .iter()
            .take(MAX_EVENTS)
            .take_while(|event| {
                bytes += prost::Message::encoded_len(*event);
                bytes <= MAX_BYTES
            })
            .count()
            .max(1);
        let rest = self.ready.split_off(fit.min(self.ready.len()));
        std::mem::replace(&mut self.ready, rest)
    }

    fn publish(&mut self, batch: Batch) -> Option<Action> {
        self.busy = Busy::Publishing(batch.events.last().map_or(self.published, |last| last.position));
        Some(Action::Publish(batch))
    }
}

/// The id under which a batch is published: a batch that was cut anew must not pass for the old one.
pub fn message_id(batch: &Batch) -> String {
    let last = batch.events.last().map_or(batch.first, |last| last.position);
    format!("{}/{}/{}/{}-{}", batch.service, batch.incarnation, batch.shard, batch.first, last)
}
