//! The bus inside one process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::stream;
use tokio::sync::broadcast;

use crate::{Live, LiveStream, LogStream};

/// Batches that a slow reader may be behind before it loses the oldest and must backfill.
const LOG_ROOM: usize = 1024;
/// Live messages that a slow reader may be behind before it is told of a gap.
const LIVE_ROOM: usize = 256;

#[derive(Clone, Default)]
pub struct LocalBus(Arc<Inner>);

#[derive(Default)]
struct Inner {
    logs: Mutex<HashMap<String, broadcast::Sender<Bytes>>>,
    live: Mutex<HashMap<String, broadcast::Sender<Bytes>>>,
}

impl LocalBus {
    fn log(&self, service: &str) -> broadcast::Sender<Bytes> {
        let mut logs = self.0.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.entry(service.to_owned()).or_insert_with(|| broadcast::Sender::new(LOG_ROOM)).clone()
    }

    pub fn publish_log(&self, service: &str, batch: Bytes) {
        // Without a reader nobody needs it: a reader that comes later asks the log.
        let _ = self.log(service).send(batch);
    }

    pub fn subscribe_log(&self, service: &str) -> LogStream {
        let receiver = self.log(service).subscribe();
        Box::pin(stream::unfold(receiver, |mut receiver| async move {
            loop {
                match receiver.recv().await {
                    Ok(batch) => return Some((batch, receiver)),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        }))
    }

    pub fn publish_live(&self, subject: &str, message: Bytes) {
        let mut live = self.0.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = live.get(subject)
            && sender.send(message).is_err()
        {
            live.remove(subject);
        }
    }

    pub fn subscribe_live(&self, subject: &str) -> LiveStream {
        let mut live = self.0.live.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = live.entry(subject.to_owned()).or_insert_with(|| broadcast::Sender::new(LIVE_ROOM)).subscribe();
        Box::pin(stream::unfold(receiver, |mut receiver| async move {
            match receiver.recv().await {
                Ok(message) => Some((Live::Message(message), receiver)),
                Err(broadcast::error::RecvError::Lagged(_)) => Some((Live::Gap, receiver)),
                Err(broadcast::error::RecvError::Closed) => None,
            }
        }))
    }
}
