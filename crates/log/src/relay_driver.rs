//! Does what the relays ask for: reads the log, publishes to the bus, waits when either is away.

use std::collections::BTreeMap;
use std::time::Duration;

use bus::Bus;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use prost::Message;
use proto::log::{Batch, Envelope};
use store::{Commit, args};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use crate::committer::jitter;
use crate::lease::Leases;
use crate::log::Log;
use crate::reader;
use crate::relay::{Action, Input, Relay, message_id};

/// Events that a transaction of this process committed.
#[derive(Debug)]
pub struct Committed {
    pub shard: u32,
    /// Id of the event that the log holds before them.
    pub previous: Option<String>,
    pub events: Vec<Envelope>,
}

/// How often the log is looked at without a bell, and the published positions are stored.
const POLL: Duration = Duration::from_secs(1);
/// A bus or a log that does not answer is tried again after this, doubled up to `MAX_PAUSE`.
const PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(2);

struct Shard {
    relay: Relay,
    pause: Duration,
    /// Position last stored in `log_relay`.
    stored: i64,
}

/// Relays this log's shards until `shutdown`, then once more what is left.
pub async fn run(log: Log, bus: Bus, leases: Leases, shutdown: CancellationToken) {
    tokio::select! {
        // What the bus stores last is evidence until then: an older batch, published again, would hide it.
        () = log.guard().opened() => {}
        () = shutdown.cancelled() => return,
    }
    let inbox = log.inner().relay_inbox.lock().ok().and_then(|mut inbox| inbox.take());
    let Some(mut inbox) = inbox else {
        tracing::error!(service = log.service(), "a second relay was started; it does nothing");
        return;
    };
    let mut owned = leases.owned();
    let mut shards: BTreeMap<u32, Shard> = BTreeMap::new();
    let mut running: FuturesUnordered<BoxFuture<'static, (u32, Input)>> = FuturesUnordered::new();
    let bell = bus::bell_subject(log.service());
    let mut bells = bus.subscribe_live(&bell).await.ok();
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let first = owned.borrow_and_update().clone();
    own(&log, &first, &mut shards).await;
    loop {
        let mut inputs: Vec<(u32, Input)> = Vec::new();
        tokio::select! {
            Some(committed) = inbox.recv() => {
                if shards.contains_key(&committed.shard) {
                    inputs.push((committed.shard, Input::Committed { previous: committed.previous, events: committed.events }));
                } else {
                    bus.publish_live(&bell, committed.shard.to_string().into()).await;
                }
            }
            Some(input) = running.next() => inputs.push(input),
            Some(rung) = next_bell(&mut bells) => match rung {
                bus::Live::Message(shard) => {
                    if let Some(shard) = std::str::from_utf8(&shard).ok().and_then(|text| text.parse().ok()) {
                        inputs.push((shard, Input::Bell));
                    }
                }
                bus::Live::Gap => inputs.extend(shards.keys().map(|shard| (*shard, Input::Bell))),
            },
            _ = poll.tick() => {
                store_positions(&log, &mut shards).await;
                inputs.extend(shards.keys().map(|shard| (*shard, Input::Bell)));
            }
            Ok(()) = owned.changed() => {
                let now = owned.borrow_and_update().clone();
                own(&log, &now, &mut shards).await;
            }
            () = shutdown.cancelled() => break,
        }
        for (shard, input) in inputs {
            let Some(state) = shards.get_mut(&shard) else { continue };
            if matches!(input, Input::Published(_) | Input::Loaded(_)) {
                state.pause = PAUSE;
            }
            if let Some(action) = state.relay.on(input) {
                running.push(perform(log.clone(), bus.clone(), shard, action, state.pause));
                state.pause = (state.pause * 2).min(MAX_PAUSE);
            }
        }
    }
    store_positions(&log, &mut shards).await;
}

async fn next_bell(bells: &mut Option<bus::LiveStream>) -> Option<bus::Live> {
    match bells {
        Some(bells) => bells.next().await,
        None => std::future::pending().await,
    }
}

/// Takes on the shards that fell to this replica and lets go of the others.
async fn own(log: &Log, owned: &BTreeMap<u32, i64>, shards: &mut BTreeMap<u32, Shard>) {
    shards.retain(|shard, _| owned.contains_key(shard));
    let positions = log.machinery().rows("SELECT shard, position FROM log_relay", args![]).await.unwrap_or_default();
    let positions: BTreeMap<u32, i64> = positions.iter().filter_map(|row| Some((row.int(0).ok()? as u32, row.int(1).ok()?))).collect();
    for shard in owned.keys() {
        // Without the stored position everything is published again, which is slow and harmless.
        let published = positions.get(shard).copied().unwrap_or(0);
        shards.entry(*shard).or_insert_with(|| Shard {
            relay: Relay::new(log.service(), *shard, published),
            pause: PAUSE,
            stored: published,
        });
    }
}

async fn store_positions(log: &Log, shards: &mut BTreeMap<u32, Shard>) {
    let moved: Vec<(u32, i64)> = shards
        .iter()
        .filter(|(_, state)| state.relay.published() > state.stored)
        .map(|(shard, state)| (*shard, state.relay.published()))
        .collect();
    if moved.is_empty() {
        return;
    }
    let rows = moved.clone();
    let done = log
        .machinery()
        .transaction_with(Commit::Repeatable, move |tx| {
            Box::pin(async move {
                for (shard, position) in rows {
                    tx.exec("UPDATE log_relay SET position = $2 WHERE shard = $1 AND position < $2", args![shard, position]).await?;
                }
                Ok(())
            })
        })
        .await;
    match done {
        Ok(()) => {
            for (shard, position) in moved {
                if let Some(state) = shards.get_mut(&shard) {
                    state.stored = position;
                }
            }
        }
        Err(error) => tracing::debug!(%error, "the relay's positions were not stored; more will be published twice"),
    }
}

/// A batch has many causes, so it is linked to them and is nobody's child. What is not traced costs nothing.
fn span(log: &Log, batch: &Batch) -> Span {
    let mut traced = batch.events.iter().map(|event| event.traceparent.as_str()).filter(|traceparent| !traceparent.is_empty()).peekable();
    if traced.peek().is_none() {
        return Span::none();
    }
    let span = tracing::info_span!(
        parent: None,
        "send",
        otel.name = format!("send {}", log.service()),
        otel.kind = "producer",
        messaging.operation.r#type = "send",
        messaging.destination.name = log.service(),
        messaging.destination.partition.id = batch.shard,
        messaging.batch.message_count = batch.events.len(),
    );
    traced.for_each(|traceparent| telemetry::link(&span, traceparent));
    span
}

fn perform(log: Log, bus: Bus, shard: u32, action: Action, pause: Duration) -> BoxFuture<'static, (u32, Input)> {
    Box::pin(async move {
        let done = match action {
            Action::Load(from) => reader::read(log.db(), log.service(), shard, from, reader::MAX_EVENTS).await.map(Input::Loaded),
            Action::Publish(batch) => {
                kernel::failpoint::pass("relay.before_publish");
                let last = batch.events.last().map_or(0, |last| last.position);
                let span = span(&log, &batch);
                let published =
                    bus.publish_log(log.service(), shard, &message_id(&batch), batch.encode_to_vec().into()).instrument(span).await;
                kernel::failpoint::pass("relay.after_publish");
                published.map(|()| Input::Published(last))
            }
        };
        match done {
            Ok(input) => (shard, input),
            Err(error) => {
                tracing::debug!(service = log.service(), shard, %error, "the relay waits");
                tokio::time::sleep(jitter(pause)).await;
                (shard, Input::Failed)
            }
        }
    })
}
