//! Bells: a worker's offers have changed, look again. Nothing is lost if a bell is: whoever listens also looks by itself.

use bus::{Bus, LiveStream};
use bytes::Bytes;
use kernel::{Id, Result};
use tokio::sync::broadcast;

/// Bells that a slow listener may be behind; it then looks anyway.
const ROOM: usize = 256;

/// Cheap to clone.
#[derive(Clone)]
pub struct Bells {
    /// For listeners in this process, who hear it even while the bus is away.
    here: broadcast::Sender<String>,
    bus: Bus,
}

impl Bells {
    pub fn new(bus: Bus) -> Self {
        Self { here: broadcast::Sender::new(ROOM), bus }
    }

    /// Rings for a worker, here and in the other replicas. Does not block.
    pub fn ring(&self, worker: &str) {
        // Without a listener nobody needs to be told.
        let _ = self.here.send(worker.to_owned());
        let (bus, subject) = (self.bus.clone(), subject(worker));
        tokio::spawn(async move { bus.publish_live(&subject, Bytes::new()).await });
    }

    /// Bells for any worker in this process, and those for `worker` from anywhere.
    pub async fn listen(&self, worker: &str) -> Result<(broadcast::Receiver<String>, LiveStream)> {
        let here = self.here.subscribe();
        Ok((here, self.bus.subscribe_live(&subject(worker)).await?))
    }
}

/// A worker's id can be read as a name, and no name rides in a subject.
fn subject(worker: &str) -> String {
    bus::live_subject(&format!("worker-{}", Id::derived(&[b"worker", worker.as_bytes()])))
}
