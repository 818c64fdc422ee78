//! NATS: JetStream for batches of events, core NATS for live messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::context::{CreateStreamError, CreateStreamErrorKind};
use async_nats::jetstream::{self, ErrorCode, consumer, stream};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use futures::StreamExt;
use kernel::{Error, Result};
use tokio::sync::{Mutex, broadcast, mpsc};

use crate::{Live, LiveStream, LogStream, Server, Settings};

/// The stream that caches the tail of every service's log.
const STREAM: &str = "SAMTAL_LOG";
/// How long the tail is kept: long enough for a weekend's outage of a consumer; never beyond the erasure deadline.
const MAX_AGE: Duration = Duration::from_secs(72 * 3600);
/// Bytes that the stream may take. A server reserves them when it makes the stream, so one with little room is asked for less: a
/// shorter tail means more reading from the logs themselves, and nothing worse.
const MAX_BYTES: [i64; 3] = [4 << 30, 1 << 30, 256 << 20];
/// Header that says whose batch it is.
const INSTALLATION: &str = "Samtal-Installation";
/// How long the server remembers message ids.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);
/// A client whose server is away may take no more subscriptions.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(2);
/// Batches that a slow reader may be behind before the newest are dropped and must be backfilled.
const LOG_ROOM: usize = 1024;

#[derive(Clone)]
pub struct NatsBus {
    client: Client,
    jetstream: jetstream::Context,
    /// Set once the stream is known to exist; cleared when a publish finds that it does not.
    stream_ready: Arc<AtomicBool>,
    making_stream: Arc<Mutex<()>>,
    replicas: usize,
    installation: Arc<str>,
    /// Told after every reconnect: live messages may have been lost meanwhile.
    reconnected: broadcast::Sender<()>,
}

impl NatsBus {
    pub async fn connect(settings: &Settings, name: &str) -> Result<Self> {
        let reconnected = broadcast::Sender::new(16);
        let told = reconnected.clone();
        // Said once for each time that it is away, not with every try.
        let said = Arc::new(AtomicBool::new(false));
        let (servers, options) = settings.connection()?;
        let client = options
            .name(format!("samtal-{name}"))
            // So that a user of NATS may be let hear the answers to its own service only.
            .custom_inbox_prefix(format!("_INBOX_samtal-{name}"))
            .retry_on_initial_connect()
            .event_callback(move |event| {
                let (told, said) = (told.clone(), said.clone());
                async move {
                    match event {
                        async_nats::Event::Connected => {
                            // Nobody may be listening, which is fine.
                            let _ = told.send(());
                            said.store(false, Ordering::Relaxed);
                            tracing::info!("connected to NATS");
                        }
                        async_nats::Event::ClientError(error) if !said.swap(true, Ordering::Relaxed) => {
                            tracing::warn!(%error, "waiting for NATS; trying again until it answers");
                        }
                        async_nats::Event::ServerError(error) => tracing::warn!(%error, "NATS refuses something"),
                        async_nats::Event::Disconnected => {
                            said.store(true, Ordering::Relaxed);
                            tracing::warn!("NATS is gone; trying again until it is back");
                        }
                        other => tracing::debug!(event = %other, "NATS"),
                    }
                }
            })
            .connect(servers)
            .await
            .map_err(|error| Error::invalid("bus", format!("is not an address of NATS: {error}")))?;
        let mut jetstream = jetstream::new(client.clone());
        jetstream.set_timeout(PUBLISH_TIMEOUT);
        let (stream_ready, making_stream) = <(Arc<AtomicBool>, Arc<Mutex<()>>)>::default();
        let (replicas, installation) = (settings.replicas, settings.installation.as_str().into());
        Ok(Self { client, jetstream, stream_ready, making_stream, replicas, installation, reconnected })
    }

    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }

    /// Makes the stream if it is not there: a store that was lost is made again, and the log fills it from where it stands.
    async fn stream(&self) -> Result<()> {
        if self.stream_ready.load(Ordering::Relaxed) {
            return Ok(());
        }
        let _one = self.making_stream.lock().await;
        if self.stream_ready.load(Ordering::Relaxed) {
            return Ok(());
        }
        let made = self.with_room(|config| self.jetstream.get_or_create_stream(config)).await;
        made.map_err(|error| Error::unavailable(format!("NATS has no stream {STREAM}: {error}")))?;
        self.stream_ready.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Makes the stream as large as the server has room for.
    async fn with_room<T, Made>(&self, make: impl Fn(stream::Config) -> Made) -> Result<T, CreateStreamError>
    where
        Made: Future<Output = Result<T, CreateStreamError>>,
    {
        let mut config = self.config();
        for smaller in MAX_BYTES.into_iter().skip(1) {
            match make(config.clone()).await {
                Err(error) if has_no_room(&error) => {
                    let (wanted, next) = (config.max_bytes >> 20, smaller >> 20);
                    tracing::warn!("NATS has no room for a stream of {wanted} MiB (max_file_store, disk); asking for {next} MiB");
                    config.max_bytes = smaller;
                }
                done => return done,
            }
        }
        make(config).await
    }

    /// What the stream is made with.
    fn config(&self) -> stream::Config {
        let num_replicas = match self.replicas {
            // In a cluster each server tells the others' addresses.
            0 if self.client.server_info().connect_urls.len() >= 3 => 3,
            0 => 1,
            wanted => wanted,
        };
        stream::Config {
            name: STREAM.to_owned(),
            subjects: vec!["samtal.log.>".to_owned()],
            storage: stream::StorageType::File,
            retention: stream::RetentionPolicy::Limits,
            discard: stream::DiscardPolicy::Old,
            max_age: MAX_AGE,
            duplicate_window: DUPLICATE_WINDOW,
            max_bytes: MAX_BYTES[0],
            num_replicas,
            ..Default::default()
        }
    }

    pub async fn server(&self) -> Result<Server> {
        let info = self.client.server_info();
        if info.version.is_empty() || !self.is_connected() {
            return Err(Error::unavailable("NATS is not connected"));
        }
        let stream = match self.jetstream.get_stream(STREAM).await {
            Ok(stream) => Some((stream.cached_info().config.num_replicas, stream.cached_info().config.max_bytes)),
            Err(error) if matches!(error.kind(), jetstream::context::GetStreamErrorKind::JetStream(_)) => None,
            Err(error) => return Err(Error::unavailable(format!("JetStream does not answer: {error}"))),
        };
        Ok(Server {
            version: info.version,
            servers: info.connect_urls.len().max(1),
            encrypted: info.tls_required,
            asks_who: info.auth_required,
            replicas: stream.map(|(replicas, _)| replicas),
            small: stream.is_some_and(|(_, max_bytes)| max_bytes < MAX_BYTES[0]),
        })
    }

    /// Makes the stream, or changes it to what it should be.
    pub async fn provision(&self) -> Result<String> {
        let made = self.with_room(|config| self.jetstream.create_or_update_stream(config)).await;
        let info = made.map_err(|error| Error::unavailable(format!("NATS does not make the stream {STREAM}: {error}")))?;
        Ok(format!(
            "stream {}: {} replica(s), {} batches, at most {} hours and {} MiB",
            info.config.name,
            info.config.num_replicas,
            info.state.messages,
            info.config.max_age.as_secs() / 3600,
            info.config.max_bytes / 1024 / 1024
        ))
    }

    pub async fn publish_log(&self, service: &str, shard: u32, message_id: &str, batch: Bytes) -> Result<()> {
        if !self.is_connected() {
            // The client would keep it until the server is back, and a second copy with every try.
            return Err(Error::unavailable("NATS is not connected"));
        }
        self.stream().await?;
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", message_id);
        headers.insert(INSTALLATION, &*self.installation);
        let failed = |error: &dyn std::fmt::Display| {
            self.stream_ready.store(false, Ordering::Relaxed);
            Error::unavailable(format!("NATS has not stored a batch: {error}"))
        };
        // Two futures: the first hands over to the client, the second waits until the server has stored it.
        let stored = self
            .jetstream
            .publish_with_headers(format!("samtal.log.{service}.{shard}"), headers, batch)
            .await
            .map_err(|error| failed(&error))?;
        tokio::time::timeout(PUBLISH_TIMEOUT, stored.into_future())
            .await
            .map_err(|error| failed(&error))?
            .map_err(|error| failed(&error))?;
        Ok(())
    }

    pub async fn last_log(&self, service: &str, shard: u32) -> Result<Option<Bytes>> {
        if !self.is_connected() {
            return Err(Error::unavailable("NATS is not connected"));
        }
        self.stream().await?;
        let failed = |error: &dyn std::fmt::Display| Error::unavailable(format!("NATS does not say what it stores: {error}"));
        let stream = self.jetstream.get_stream(STREAM).await.map_err(|error| failed(&error))?;
        match stream.get_last_raw_message_by_subject(&format!("samtal.log.{service}.{shard}")).await {
            // One of another installation proves nothing about this one's log.
            Ok(message) => Ok(self.is_ours(&message.headers).then_some(message.payload)),
            Err(error) if error.kind() == stream::LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    fn is_ours(&self, headers: &HeaderMap) -> bool {
        headers.get(INSTALLATION).map_or("", async_nats::HeaderValue::as_str) == &*self.installation
    }

    pub fn subscribe_log(&self, service: &'static str) -> LogStream {
        let (sender, receiver) = mpsc::channel(LOG_ROOM);
        tokio::spawn(follow(self.clone(), service, sender));
        Box::pin(futures::stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|batch| (batch, receiver)) }))
    }

    pub async fn publish_live(&self, subject: &str, message: Bytes) {
        if !self.is_connected() {
            // Whoever listens compares with the store once the connection is back.
            return;
        }
        if let Err(error) = self.client.publish(subject.to_owned(), message).await {
            tracing::debug!(%error, "a live message was not sent");
        }
    }

    pub async fn subscribe_live(&self, subject: &str) -> Result<LiveStream> {
        let reconnected = self.reconnected.subscribe();
        let no = |error: &dyn std::fmt::Display| Error::unavailable(format!("NATS takes no subscription: {error}"));
        let subscribing = self.client.subscribe(subject.to_owned());
        let subscription =
            tokio::time::timeout(SUBSCRIBE_TIMEOUT, subscribing).await.map_err(|error| no(&error))?.map_err(|error| no(&error))?;
        // Until the server has the subscription, a message could slip by. While NATS is away the reader lives on the
        // comparison with the store, so a failure here is only a gap.
        let _ = tokio::time::timeout(Duration::from_millis(500), self.client.flush()).await;
        let gaps = futures::stream::unfold(reconnected, |mut reconnected| async move {
            match reconnected.recv().await {
                Ok(()) | Err(broadcast::error::RecvError::Lagged(_)) => Some((Live::Gap, reconnected)),
                Err(broadcast::error::RecvError::Closed) => None,
            }
        });
        Ok(Box::pin(futures::stream::select(subscription.map(|message| Live::Message(message.payload)), gaps)))
    }
}

/// Whether the server lacks the bytes that the stream would reserve.
fn has_no_room(error: &CreateStreamError) -> bool {
    let CreateStreamErrorKind::JetStream(said) = error.kind() else { return false };
    matches!(said.error_code(), ErrorCode::STORAGE_RESOURCES_EXCEEDED | ErrorCode::INSUFFICIENT_RESOURCES | ErrorCode::CLUSTER_NO_PEERS)
}

/// Reads a service's batches for as long as somebody listens, with a consumer that is made anew whenever it is lost:
/// its state is the reader's own cursor, so nothing of it needs to survive.
async fn follow(bus: NatsBus, service: &'static str, sender: mpsc::Sender<Bytes>) {
    let mut pause = Duration::from_millis(50);
    while !sender.is_closed() {
        match read(&bus, service, &sender).await {
            Ok(()) => pause = Duration::from_millis(50),
            Err(error) => {
                tracing::debug!(service, %error, "following the log through NATS again");
                bus.stream_ready.store(false, Ordering::Relaxed);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
        }
    }
}

async fn read(bus: &NatsBus, service: &str, sender: &mpsc::Sender<Bytes>) -> Result<()> {
    let lost = |error: &dyn std::fmt::Display| Error::unavailable(format!("NATS: {error}"));
    bus.stream().await?;
    let stream = bus.jetstream.get_stream(STREAM).await.map_err(|error| lost(&error))?;
    let consumer = stream
        .create_consumer(consumer::pull::OrderedConfig {
            filter_subject: format!("samtal.log.{service}.*"),
            deliver_policy: consumer::DeliverPolicy::New,
            ..Default::default()
        })
        .await
        .map_err(|error| lost(&error))?;
    let mut messages = consumer.messages().await.map_err(|error| lost(&error))?;
    let (mut reconnected, mut said) = (bus.reconnected.subscribe(), false);
    loop {
        let message = tokio::select! {
            message = messages.next() => message,
            () = sender.closed() => return Ok(()),
            // A consumer in memory may be gone after a restart of the server.
            _ = reconnected.recv() => return Err(lost(&"the connection was made anew")),
        };
        let message = message.ok_or_else(|| lost(&"the consumer ended"))?.map_err(|error| lost(&error))?;
        if !message.headers.as_ref().map_or(bus.installation.is_empty(), |headers| bus.is_ours(headers)) {
            if !said {
                tracing::error!(
                    service,
                    "another installation publishes to the same NATS; its batches are passed over. Give each one of its own"
                );
                said = true;
            }
            continue;
        }
        if sender.try_send(message.payload.clone()).is_err() && sender.is_closed() {
            return Ok(());
        }
    }
}
