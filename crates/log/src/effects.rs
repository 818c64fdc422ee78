//! Events take effect: the cursor moves, and each event is handled, parked or passed over, in one transaction.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kernel::{Error, Result};
use proto::log::Envelope;
use store::args;
use tracing::{Instrument, Span};

use crate::consumer::Cursor;
use crate::consumer_driver::Handler;
use crate::dead_letter;
use crate::lease::{FENCED, Leases};
use crate::unit::{Origin, Unit};

/// What `Action::Apply` asks of one shard.
pub(crate) struct Task {
    pub shard: u32,
    pub epoch: i64,
    pub stored: Cursor,
    pub events: Vec<Envelope>,
    pub cursor: Cursor,
}

/// Reason of the error of a transaction that has something to say and so must not be one that may be lost; the message is
/// the type of the event that made it say so.
pub(crate) const SPEAKS: &str = "SPEAKS";

/// What letting events take effect needs; owned, because a transaction runs in a task of its own.
pub(crate) struct Context {
    pub source: &'static str,
    pub handler: Arc<dyn Handler>,
    pub leases: Leases,
}

impl Context {
    /// `at`: the index of the event that takes effect now. Not `durable`: fails with [`SPEAKS`] if something is said.
    pub async fn effects(&self, unit: &mut Unit<'_>, task: &Task, durable: bool, at: &AtomicUsize) -> Result<()> {
        self.leases.check(unit.tx, task.shard, task.epoch).await?;
        let moved = unit
            .tx
            .exec(
                "UPDATE log_cursor SET incarnation = $3, position = $4, event_id = $5 \
                 WHERE source = $1 AND shard = $2 AND position = $6 AND event_id = $7 AND incarnation = $8",
                args![
                    self.source,
                    task.shard,
                    &task.cursor.incarnation,
                    task.cursor.position,
                    &task.cursor.event_id,
                    task.stored.position,
                    &task.stored.event_id,
                    &task.stored.incarnation
                ],
            )
            .await?;
        if moved != 1 {
            return Err(Error::new(
                kernel::Code::Aborted,
                FENCED,
                format!("the cursor of shard {} is not where this replica left it", task.shard),
            ));
        }
        // Read here, under the cursor's lock, so that a letter that is settled meanwhile parks nothing more.
        let mut parked =
            if task.events.is_empty() { BTreeSet::new() } else { dead_letter::parked_keys(unit, self.source, task.shard).await? };
        for (index, event) in task.events.iter().enumerate() {
            at.store(index, Ordering::Relaxed);
            if !self.handler.wants(event) {
                continue;
            }
            if self.handler.erases(&event.r#type) && parked.remove(&event.key) {
                // An erasure waits behind nothing, and takes what waits with it.
                dead_letter::forget(unit, self.source, &event.key).await?;
            }
            if parked.contains(&event.key) {
                dead_letter::put(unit, self.source, task.shard, event, "").await?;
                continue;
            }
            unit.origin = Origin::event(event);
            // A child of what made the event happen, so that a case's trace goes on here. What is not traced costs nothing.
            let span = if event.traceparent.is_empty() { Span::none() } else { self.span(unit, event) };
            self.handler.apply(unit, event).instrument(span).await?;
            if !durable && unit.speaks() {
                return Err(Error::new(kernel::Code::Aborted, SPEAKS, event.r#type.clone()));
            }
        }
        // What fails from here on is no single event's fault.
        at.store(usize::MAX, Ordering::Relaxed);
        Ok(())
    }

    /// The span in which `event` takes effect; what follows from it is told to be in it.
    fn span(&self, unit: &mut Unit<'_>, event: &Envelope) -> Span {
        let span = tracing::info_span!(
            "process",
            otel.name = format!("process {}", event.r#type),
            otel.kind = "consumer",
            messaging.operation.r#type = "process",
            messaging.destination.name = self.source,
            messaging.consumer.group.name = unit.log.service(),
        );
        telemetry::continue_from(&span, &event.traceparent);
        let traceparent = telemetry::traceparent_of(&span);
        if !traceparent.is_empty() {
            unit.origin.traceparent = traceparent;
        }
        span
    }
}

#[cfg(test)]
mod tests;
