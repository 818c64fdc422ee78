//! Converse: posts, acknowledgements and live events of many conversations on one stream.
//!
//! Frames of one conversation are worked off in order, those of different conversations side by side, so that they share
//! commits. Every frame says on whose behalf it comes.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt;
use kernel::error::Code;
use kernel::{Error, Result};
use proto::intake::converse_request::Frame;
use proto::intake::converse_response::Frame as Answer;
use proto::intake::{ConverseRequest, ConverseResponse, FrameDone, FrameError, StreamEnding, SubscribeRequest};
use rpc::gate::{DEFAULT_DEADLINE, MAX_DEADLINE, overdue};
use rpc::refusal::meant;
use rpc::{Caller, status};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tonic::{Status, Streaming};

use super::conversations::{self, Out};
use super::subscribe::Reader;
use crate::app::App;
use crate::app::post::Post;

/// Answers and events that a slow reader may be behind.
const ROOM: usize = 512;
/// Frames that may wait in one conversation.
const CONVERSATION_ROOM: usize = 64;
/// Conversations and subscriptions on one stream.
const MAX_CONVERSATIONS: usize = 2_000;
/// How long a stream lives; up to a tenth less, so that streams do not all end together.
const LIFE: Duration = Duration::from_secs(600);
/// How long the client has to go on elsewhere after it was told.
const GRACE: Duration = Duration::from_secs(10);

type Sender = mpsc::Sender<Result<ConverseResponse, Status>>;

/// A frame in its conversation's line.
struct Waiting {
    correlation_id: u64,
    caller: Caller,
    until: Instant,
    frame: Frame,
}

struct Stream {
    app: App,
    caller: Caller,
    sender: Sender,
    conversations: HashMap<String, mpsc::Sender<Waiting>>,
    subscriptions: HashMap<u64, AbortHandle>,
    /// Frames that are being worked off.
    work: TaskTracker,
}

pub fn open(app: App, caller: Caller, frames: Streaming<ConverseRequest>) -> Out<ConverseResponse> {
    let (sender, receiver) = mpsc::channel(ROOM);
    let tasks = app.node.platform.tasks.clone();
    let stream = Stream { app, caller, sender, conversations: HashMap::new(), subscriptions: HashMap::new(), work: TaskTracker::new() };
    tasks.spawn(stream.run(frames));
    Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver))
}

impl Stream {
    async fn run(mut self, mut frames: Streaming<ConverseRequest>) {
        let shutdown = self.app.node.platform.shutdown.clone();
        let life = tokio::time::sleep(spread(LIFE, &self.caller));
        tokio::pin!(life);
        let (authenticator, caller) = (self.app.authenticator.clone(), self.caller.clone());
        let ended = authenticator.ended(&caller);
        tokio::pin!(ended);
        let mut ending = false;
        loop {
            tokio::select! {
                error = &mut ended => {
                    // A client that is gone needs no answer.
                    let _ = self.sender.send(Err(status(error))).await;
                    break;
                }
                frame = frames.next() => match frame {
                    Some(Ok(frame)) => self.take(frame).await,
                    // Too large, or no frame at all: what comes behind it cannot be told apart any more, and the client shall know why.
                    Some(Err(said)) => return self.end(meant(&said).map_or(said, status)).await,
                    None => break,
                },
                () = &mut life => {
                    if ending {
                        break;
                    }
                    ending = true;
                    life.as_mut().reset(Instant::now() + GRACE);
                    self.say(0, Answer::Ending(StreamEnding {})).await;
                }
                () = shutdown.cancelled(), if !ending => {
                    // What was taken is worked off; the client goes on elsewhere.
                    self.say(0, Answer::Ending(StreamEnding {})).await;
                    break;
                }
                () = self.sender.closed() => break,
            }
        }
        for subscription in self.subscriptions.values() {
            subscription.abort();
        }
    }

    /// Ends the stream with a reason, behind the answers to what was taken before.
    async fn end(mut self, status: Status) {
        for subscription in self.subscriptions.values() {
            subscription.abort();
        }
        self.conversations.clear();
        self.work.close();
        // Whoever does not read its answers need not hear the reason either.
        let _ = tokio::time::timeout(GRACE, self.work.wait()).await;
        let _ = self.sender.send(Err(status)).await;
    }

    async fn take(&mut self, request: ConverseRequest) {
        let id = request.correlation_id;
        let done = match deadline(request.timeout_ms) {
            Ok(until) => in_time(until, self.dispatch(request, until)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            self.say(id, Answer::Error(frame_error(error))).await;
        }
    }

    async fn dispatch(&mut self, request: ConverseRequest, until: Instant) -> Result<()> {
        let id = request.correlation_id;
        let caller = self.behalf(&request.token).await?;
        match request.frame.ok_or_else(|| Error::invalid("frame", "is required"))? {
            Frame::Subscribe(wanted) => {
                if self.subscriptions.len() >= MAX_CONVERSATIONS {
                    self.subscriptions.retain(|_, handle| !handle.is_finished());
                }
                if self.subscriptions.len() >= MAX_CONVERSATIONS || self.subscriptions.contains_key(&id) {
                    return Err(Error::new(
                        Code::ResourceExhausted,
                        "TOO_MANY_SUBSCRIPTIONS",
                        "close one, or use another stream and correlation_id",
                    ));
                }
                // In a task of its own: one that must wait holds up nobody else on this stream.
                let task = tokio::spawn(forward(self.app.clone(), caller, wanted, id, self.sender.clone()));
                self.subscriptions.insert(id, task.abort_handle());
                Ok(())
            }
            Frame::Unsubscribe(which) => {
                if let Some(subscription) = self.subscriptions.remove(&which.correlation_id) {
                    subscription.abort();
                }
                self.say(id, Answer::Done(FrameDone {})).await;
                Ok(())
            }
            frame => self.queue(Waiting { correlation_id: id, caller, until, frame }),
        }
    }

    /// The person on whose behalf a frame comes.
    async fn behalf(&self, token: &str) -> Result<Caller> {
        if token.is_empty() {
            // The stream may have been opened long ago; a service's own token was checked by its signature.
            if self.caller.role() != auth::Role::Service {
                self.app.authenticator.holder(self.caller.token_hash.clone()).await?;
            }
            return Ok(self.caller.clone());
        }
        let principal = self.app.authenticator.bearer(token).await?;
        Ok(Caller { principal, token_hash: auth::token_hash(token), ..self.caller.clone() })
    }

    /// Puts a frame at the end of its conversation's line.
    fn queue(&mut self, waiting: Waiting) -> Result<()> {
        let case = match &waiting.frame {
            Frame::Post(post) => post.case_id.clone(),
            Frame::Typing(typing) => typing.case_id.clone(),
            Frame::Subscribe(_) | Frame::Unsubscribe(_) => String::new(),
        };
        let full = || {
            Error::new(Code::ResourceExhausted, "CONVERSATION_BUSY", "too many frames wait in this conversation; wait for their answers")
        };
        if self.conversations.len() >= MAX_CONVERSATIONS {
            self.conversations.retain(|_, line| line.capacity() < CONVERSATION_ROOM);
            if self.conversations.len() >= MAX_CONVERSATIONS {
                return Err(full());
            }
        }
        let line = self.conversations.entry(case).or_insert_with(|| {
            let (line, frames) = mpsc::channel(CONVERSATION_ROOM);
            self.app.node.platform.tasks.spawn(self.work.track_future(work(self.app.clone(), frames, self.sender.clone())));
            line
        });
        line.try_send(waiting).map_err(|_| full())
    }

    async fn say(&self, correlation_id: u64, frame: Answer) {
        // A client that is gone needs no answer.
        let _ = self.sender.send(Ok(ConverseResponse { correlation_id, frame: Some(frame) })).await;
    }
}

/// Works off one conversation's frames in order.
async fn work(app: App, mut frames: mpsc::Receiver<Waiting>, sender: Sender) {
    while let Some(Waiting { correlation_id, caller, until, frame }) = frames.recv().await {
        let done = async {
            match frame {
                Frame::Post(request) => app.post(&caller, Post::parse(request)?).await.map(|(answer, _)| Answer::Posted(answer)),
                Frame::Typing(request) => conversations::typing(&app, &caller, &request).await.map(|()| Answer::Done(FrameDone {})),
                Frame::Subscribe(_) | Frame::Unsubscribe(_) => Ok(Answer::Done(FrameDone {})),
            }
        };
        let frame = in_time(until, done).await.unwrap_or_else(|error| Answer::Error(frame_error(error)));
        if sender.send(Ok(ConverseResponse { correlation_id, frame: Some(frame) })).await.is_err() {
            return;
        }
    }
}

/// Until when a frame may take; without an end, a store that hangs would hold its conversation for ever.
fn deadline(timeout_ms: u32) -> Result<Instant> {
    let limit = match timeout_ms {
        0 => DEFAULT_DEADLINE,
        some => Duration::from_millis(some.into()),
    };
    if limit > MAX_DEADLINE {
        return Err(Error::invalid("timeout_ms", format!("must be at most {}", MAX_DEADLINE.as_millis())));
    }
    Ok(Instant::now() + limit)
}

async fn in_time<T>(until: Instant, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout_at(until, work).await.unwrap_or_else(|_| Err(overdue()))
}

/// Passes a subscription's events on under its correlation id.
async fn forward(app: App, caller: Caller, wanted: SubscribeRequest, correlation_id: u64, sender: Sender) {
    let reader = match Reader::start(&app, &caller, &wanted).await {
        Ok(reader) => reader,
        Err(error) => {
            // A client that is gone needs no answer.
            let _ = sender.send(Ok(ConverseResponse { correlation_id, frame: Some(Answer::Error(frame_error(error))) })).await;
            return;
        }
    };
    let (inner, mut events) = mpsc::channel(64);
    let run = reader.run(inner);
    let pass = async {
        while let Some(event) = events.recv().await {
            let frame = match event {
                Ok(event) => Answer::Event(event),
                Err(status) => Answer::Error(FrameError {
                    code: status.code() as i32,
                    reason: rpc::status::reason(&status).unwrap_or_default(),
                    message: status.message().to_owned(),
                    field: String::new(),
                }),
            };
            if sender.send(Ok(ConverseResponse { correlation_id, frame: Some(frame) })).await.is_err() {
                return;
            }
        }
    };
    futures::join!(run, pass);
}

/// An error frame in the words of a unary call's status.
fn frame_error(error: Error) -> FrameError {
    let (reason, field) = (error.reason.to_owned(), error.violations.first().map(|violation| violation.field.clone()).unwrap_or_default());
    let status = status(error);
    FrameError { code: status.code() as i32, reason, message: status.message().to_owned(), field }
}

/// `span`, less up to a tenth that follows from the caller.
fn spread(span: Duration, caller: &Caller) -> Duration {
    let part = kernel::id::key_hash(&format!("{}{:?}", caller.principal.key(), caller.token_hash)) % 100;
    span - span.mul_f64(part as f64 / 1000.0)
}
