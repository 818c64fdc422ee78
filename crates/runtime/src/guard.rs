//! The check at the start: has this log gone back in time? Whoever has seen it is asked. Until all have answered, writes
//! wait; after a while the log opens without those that are away, unless the bus stores more than it holds.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use kernel::{Error, Result};
use log::guard::{self, Phase};
use prost::Message;
use proto::log::event_log_service_client::EventLogServiceClient;
use proto::log::{Batch, Cursor, ListCursorsRequest};

use crate::Node;

/// How long a start waits for a consumer that is away. One in this process is waited for as long as it takes.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two questions to one that does not answer, doubled up to the patience.
const AGAIN: Duration = Duration::from_millis(250);
/// How often the mark in the database is looked at: another replica may have set or taken it.
const FOLLOW: Duration = Duration::from_secs(2);

/// Asks every peer, then follows the mark until the shutdown.
pub(crate) async fn run(node: Node) {
    let shutdown = node.platform.shutdown.clone();
    let work = async {
        check(&node).await;
        loop {
            if let Err(error) = guard::refresh(&node.log).await {
                tracing::debug!(service = node.service, %error, "whether the log is refused is not known right now");
            }
            tokio::time::sleep(FOLLOW).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = shutdown.cancelled() => drop(node.log.guard().set(Phase::Stopped)),
    }
}

async fn check(node: &Node) {
    let peers = &node.platform.peers;
    let mut away: BTreeSet<String> = peers.names().filter(|name| *name != node.service).map(str::to_owned).collect();
    let asking: FuturesUnordered<BoxFuture<'_, String>> = away.iter().map(|name| ask(node, name.clone())).collect();
    let (mut asking, mut doubt) = (asking, None);
    let mut bus = std::pin::pin!(ask_bus(node));
    let mut bus_away = true;
    let mut patience = std::pin::pin!(tokio::time::sleep(PATIENCE));
    let mut over = false;
    while !away.is_empty() {
        tokio::select! {
            Some(name) = asking.next() => drop(away.remove(&name)),
            why = &mut bus, if bus_away => (bus_away, doubt) = (false, why),
            () = &mut patience, if !over => over = true,
        }
        if !over || away.is_empty() || away.iter().any(|name| peers.is_here(name)) {
            continue;
        }
        let names = away.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let phase = match &doubt {
            Some(why) => Phase::Doubtful(format!("{why}, and {names} cannot be asked")),
            None => Phase::Open,
        };
        if node.log.guard().set(phase) {
            tracing::warn!(
                service = node.service,
                doubt,
                "{names} cannot be asked whether this log went back in time; they will tell when they are back"
            );
        }
    }
    node.log.guard().set(Phase::Open);
}

/// Asks one peer until it has answered and what it said is weighed.
fn ask(node: &Node, name: String) -> BoxFuture<'_, String> {
    Box::pin(async move {
        let mut pause = AGAIN;
        while let Err(error) = hear(node, &name).await {
            tracing::debug!(service = node.service, peer = name, %error, "a peer has not told its cursors");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PATIENCE);
        }
        name
    })
}

async fn hear(node: &Node, name: &str) -> Result<()> {
    let mut client = EventLogServiceClient::new(node.peer(name)?).max_decoding_message_size(crate::MAX_RESPONSE);
    let answer = client.list_cursors(ListCursorsRequest { service: name.to_owned() }).await;
    let cursors = answer.map_err(|status| rpc::status::error(&status))?.into_inner().cursors;
    guard::hear(&node.log, &cursors).await
}

/// Asks the bus until it has answered; says why what it stores gives reason for doubt. It is no witness by itself: if all
/// databases went back together, what it stores beyond them means nothing to anybody.
async fn ask_bus(node: &Node) -> Option<String> {
    loop {
        match stored(node).await {
            Ok(cursors) => match guard::contradicted(&node.log, &cursors).await {
                Ok(found) => return found.map(|(_, why)| why),
                Err(error) => tracing::debug!(service = node.service, %error, "the bus was not compared"),
            },
            Err(error) => tracing::debug!(service = node.service, %error, "the bus has not told what it stores"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The last event of each shard that the bus stores, as if it were a consumer.
async fn stored(node: &Node) -> Result<Vec<Cursor>> {
    let mut cursors = Vec::new();
    for shard in 0..node.log.shards() {
        let Some(bytes) = node.bus().last_log(node.service, shard).await? else { continue };
        let batch = Batch::decode(bytes).map_err(|error| Error::internal(format!("a batch on the bus cannot be read: {error}")))?;
        let Some(last) = batch.events.last() else { continue };
        cursors.push(Cursor {
            consumer: "the bus".to_owned(),
            source: batch.service,
            shard,
            incarnation: batch.incarnation,
            position: last.position,
            event_id: last.event_id.clone(),
            halted: String::new(),
        });
    }
    Ok(cursors)
}
