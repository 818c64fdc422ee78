//! The pipe between services: batches of events (stored for a while), and live text and bells (never stored).
//!
//! At least once and in no particular order is all that the bus promises; the log's consumers need no more.

pub mod conformance;
mod local;
mod nats;
mod settings;

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use kernel::{Error, Result};

pub use settings::Settings;

/// Batches of a log as they arrive. Ends only when the bus is dropped; a gap is the reader's to find.
pub type LogStream = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// Live messages. Slow readers lose the oldest; nothing is stored.
pub type LiveStream = Pin<Box<dyn Stream<Item = Live> + Send>>;

/// What a live reader gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Live {
    Message(Bytes),
    /// Something may have been lost: compare with the store.
    Gap,
}

/// A NATS server as this user sees it.
#[derive(Clone, Debug)]
pub struct Server {
    /// `2.12.1`.
    pub version: String,
    /// Addresses of servers of its cluster, itself among them; 1 without a cluster.
    pub servers: usize,
    pub encrypted: bool,
    /// It asks who we are.
    pub asks_who: bool,
    /// Copies of the stream; None if there is no stream yet.
    pub replicas: Option<usize>,
    /// The stream is smaller than it should be, for want of room.
    pub small: bool,
}

/// A bus: inside this process, or NATS. Cheap to clone.
#[derive(Clone)]
pub enum Bus {
    Local(local::LocalBus),
    Nats(Arc<nats::NatsBus>),
}

impl Bus {
    pub fn local() -> Self {
        Self::Local(local::LocalBus::default())
    }

    /// NATS need not answer yet: it is tried for as long as it takes. `name`: the service, by which NATS knows the connection and its
    /// answers (`_INBOX_samtal-<name>.>`).
    pub async fn connect(settings: impl Into<Settings>, name: &str) -> Result<Self> {
        let settings = settings.into();
        match settings.url.split_once(':') {
            Some(("local", _)) => Ok(Self::local()),
            Some(("nats" | "tls", _)) => Ok(Self::Nats(Arc::new(nats::NatsBus::connect(&settings, name).await?))),
            _ => Err(Error::invalid("bus", "must be local: or nats://HOST:PORT")),
        }
    }

    /// Makes what NATS must hold, or changes it to what the settings say: a step of deployment, with the rights to do so. Answers what stands.
    pub async fn provision(&self) -> Result<String> {
        match self {
            Self::Local(_) => Ok("the bus is inside the process: nothing to make".to_owned()),
            Self::Nats(bus) => bus.provision().await,
        }
    }

    /// What NATS is like, for `samtal check`; None inside the process.
    pub async fn server(&self) -> Result<Option<Server>> {
        match self {
            Self::Local(_) => Ok(None),
            Self::Nats(bus) => bus.server().await.map(Some),
        }
    }

    /// Hands a batch over; once this returns, the bus has it. `message_id` names the batch for the bus's own duplicate check.
    pub async fn publish_log(&self, service: &str, shard: u32, message_id: &str, batch: Bytes) -> Result<()> {
        match self {
            Self::Local(bus) => {
                bus.publish_log(service, batch);
                Ok(())
            }
            Self::Nats(bus) => bus.publish_log(service, shard, message_id, batch).await,
        }
    }

    /// The last batch of a shard that the bus still stores; None if it stores none.
    pub async fn last_log(&self, service: &str, shard: u32) -> Result<Option<Bytes>> {
        match self {
            Self::Local(_) => Ok(None),
            Self::Nats(bus) => bus.last_log(service, shard).await,
        }
    }

    /// Batches of `service`'s log that are published from now on.
    pub async fn subscribe_log(&self, service: &'static str) -> LogStream {
        match self {
            Self::Local(bus) => bus.subscribe_log(service),
            Self::Nats(bus) => bus.subscribe_log(service),
        }
    }

    /// Tells whoever listens right now. Lost if nobody does.
    pub async fn publish_live(&self, subject: &str, message: Bytes) {
        match self {
            Self::Local(bus) => bus.publish_live(subject, message),
            Self::Nats(bus) => bus.publish_live(subject, message).await,
        }
    }

    /// Live messages on `subject` from now on: once this returns, nothing published afterwards is missed, or a gap is told.
    pub async fn subscribe_live(&self, subject: &str) -> Result<LiveStream> {
        match self {
            Self::Local(bus) => Ok(bus.subscribe_live(subject)),
            Self::Nats(bus) => bus.subscribe_live(subject).await,
        }
    }

    /// Whether the bus answers right now.
    pub fn is_connected(&self) -> bool {
        match self {
            Self::Local(_) => true,
            Self::Nats(bus) => bus.is_connected(),
        }
    }
}

/// Subject of live text and signs of one case.
pub fn live_subject(case: &str) -> String {
    format!("samtal.live.{case}")
}

/// Subject that wakes whoever follows a service's log.
pub fn bell_subject(service: &str) -> String {
    format!("samtal.bell.{service}")
}
