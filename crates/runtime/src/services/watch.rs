//! An integrator's stream of its own organisation's events. The resume token is sealed: positions would tell how much other
//! organisations do.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use futures::Stream;
use kernel::{Error, Result};
use log::reader;
use proto::log::{Envelope, WatchResponse};
use rpc::{Caller, status};
use store::args;
use tokio::sync::mpsc;
use tonic::Status;

use crate::Node;

/// Most events read at a time and shard.
const PAGE: i64 = 200;
/// How often a quiet stream says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Other replicas commit too, and ring no bell here.
const POLL: Duration = Duration::from_secs(1);
/// Events that a slow reader may be behind before reading the log pauses.
const ROOM: usize = 256;
const PURPOSE: &str = "watch";

pub type Watched = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

/// Last position seen, by shard.
type Positions = BTreeMap<u32, i64>;

pub async fn watch(node: Node, caller: &Caller, resume_token: &str, from_start: bool) -> Result<Watched> {
    let (caller, organisation) = (caller.clone(), caller.principal.organisation.clone());
    let heads = reader::heads(node.db()).await?;
    let mut positions: Positions = if resume_token.is_empty() {
        heads.iter().map(|head| (head.shard, if from_start { 0 } else { head.position })).collect()
    } else {
        open(&node, &organisation, resume_token)?
    };
    for head in &heads {
        positions.entry(head.shard).or_insert(0);
    }
    // From here on the caller sees what happens to every case of the organisation, so one row for all of it.
    node.log_read(&caller, vec![Node::many(&caller)]).await?;
    let (sender, receiver) = mpsc::channel(ROOM);
    let tasks = node.platform.tasks.clone();
    tasks.spawn(async move {
        let shutdown = node.platform.shutdown.clone();
        let authenticator = node.platform.peers.authenticator();
        tokio::select! {
            () = sender.closed() => {}
            () = shutdown.cancelled() => {}
            error = authenticator.ended(&caller) => {
                let _ = sender.send(Err(status(error))).await;
            }
            done = follow(&node, &organisation, positions, &sender) => {
                if let Err(error) = done {
                    // The reader may be gone, which ends the stream too.
                    let _ = sender.send(Err(status(error))).await;
                }
            }
        }
    });
    Ok(Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver)))
}

async fn follow(
    node: &Node,
    organisation: &str,
    mut positions: Positions,
    sender: &mpsc::Sender<Result<WatchResponse, Status>>,
) -> Result<()> {
    let mut heads = node.log.progress().heads();
    let mut quiet_since = tokio::time::Instant::now();
    // This process's heads when a shard was last read to its end; none: look into every shard.
    let mut looked = Vec::new();
    loop {
        let now = heads.borrow_and_update().clone();
        let mut any = false;
        for shard in positions.keys().copied().collect::<Vec<_>>() {
            let at = |heads: &Vec<i64>| heads.get(shard as usize).copied();
            if at(&looked).is_some() && at(&looked) == at(&now) {
                continue;
            }
            while let Some(page) = page(node, organisation, shard, positions.get(&shard).copied().unwrap_or(0)).await? {
                any = true;
                for (position, event) in page {
                    positions.insert(shard, position);
                    let resume_token = seal(node, organisation, &positions)?;
                    if sender.send(Ok(WatchResponse { event: Some(event), resume_token })).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
        looked = now;
        if any {
            quiet_since = tokio::time::Instant::now();
        }
        if quiet_since.elapsed() >= HEARTBEAT {
            quiet_since = tokio::time::Instant::now();
            let resume_token = seal(node, organisation, &positions)?;
            if sender.send(Ok(WatchResponse { event: None, resume_token })).await.is_err() {
                return Ok(());
            }
        }
        tokio::select! {
            _ = heads.changed() => {}
            () = tokio::time::sleep(POLL) => looked.clear(),
        }
    }
}

/// The next events of a shard; none if there are no more.
async fn page(node: &Node, organisation: &str, shard: u32, after: i64) -> Result<Option<Vec<(i64, Envelope)>>> {
    let rows = node
        .db()
        .of(organisation)
        .rows(
            "SELECT position, envelope FROM event_log WHERE organisation = $1 AND shard = $2 AND position > $3 ORDER BY position LIMIT $4",
            args![organisation, shard, after, PAGE],
        )
        .await?;
    if rows.is_empty() {
        return Ok(None);
    }
    rows.iter()
        .map(|row| {
            let bytes: Vec<u8> = row.get(1)?;
            let mut event: Envelope = prost::Message::decode(bytes.as_slice())
                .map_err(|error| Error::internal(format!("a stored event cannot be read: {error}")))?;
            event.position = 0;
            Ok((row.int(0)?, event))
        })
        .collect::<Result<_>>()
        .map(Some)
}

fn seal(node: &Node, organisation: &str, positions: &Positions) -> Result<String> {
    let content = serde_json::to_vec(&(node.service, organisation, positions)).map_err(|error| Error::internal(error.to_string()))?;
    node.platform.secret.seal(PURPOSE, &content)
}

fn open(node: &Node, organisation: &str, token: &str) -> Result<Positions> {
    let wrong = || Error::invalid("resume_token", "is not one of this log and organisation; begin without one");
    let content = node.platform.secret.open(PURPOSE, token).ok_or_else(wrong)?;
    let (service, owner, positions): (String, String, Positions) = serde_json::from_slice(&content).map_err(|_| wrong())?;
    if service == node.service && owner == organisation { Ok(positions) } else { Err(wrong()) }
}
