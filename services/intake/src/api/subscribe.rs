//! Subscribe: first listen, then replay from the store, then live. Never skips or repeats a seq; a reader that falls too
//! far behind gets an explicit RESYNC.

use std::time::Duration;

use auth::Role;
use bus::{Live, LiveStream};
use futures::StreamExt;
use kernel::error::Violations;
use kernel::{Id, Result};
use prost::Message as _;
use proto::intake::subscribe_response::Event;
use proto::intake::{CaughtUp, Message, Resync, SubscribeRequest, SubscribeResponse};
use rpc::{Caller, status};
use tokio::sync::mpsc;
use tonic::Status;

use super::conversations::Out;
use crate::app::hub::Seat;
use crate::app::{App, change, live};
use crate::store::{cases, messages};

/// Whose rules hold, be it a stream of its own or one of many in a `Converse`.
const RPC: &str = "samtal.intake.v1.ConversationService/Subscribe";
/// Events that a slow reader may be behind.
const ROOM: usize = 128;
/// How long a reader may be behind before it is told to begin again.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whose the case is, and the open screen is told.
const CHECK: Duration = Duration::from_secs(3);
/// Messages read from the store at a time.
const PAGE: i64 = 100;

type Sender = mpsc::Sender<Result<SubscribeResponse, Status>>;

/// Opens a stream for this caller.
pub async fn open(app: &App, caller: &Caller, request: &SubscribeRequest) -> Result<Out<SubscribeResponse>> {
    let (sender, receiver) = mpsc::channel(ROOM);
    let reader = Reader::start(app, caller, request).await?;
    app.node.platform.tasks.spawn(reader.run(sender));
    Ok(Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver)))
}

/// One open screen.
pub struct Reader {
    app: App,
    caller: Caller,
    case: Id,
    /// Last seq that was delivered.
    last: i64,
    live: LiveStream,
    seat: Seat,
    screen: Screen,
    /// The reader has seen more than there is: the log went back in time to a backup.
    ahead: bool,
}

/// Why a reader stops.
enum End {
    /// The other side is gone.
    Gone,
    Told(Status),
    Resync,
}

impl Reader {
    /// Checks and logs the access, and begins to listen before anything is read, so that nothing falls in between.
    pub async fn start(app: &App, caller: &Caller, request: &SubscribeRequest) -> Result<Self> {
        let mut violations = Violations::default();
        let id = violations.id("case_id", &request.case_id);
        violations.check(request.after_seq >= 0, "after_seq", "must not be negative");
        violations.done()?;
        let case = cases::load(&app.node.of(caller), id).await?;
        change::check(caller, RPC, &case)?;
        let live = app.node.bus().subscribe_live(&bus::live_subject(&request.case_id)).await?;
        let seat = app.hub.join(id, &case.organisation);
        app.node.log_read(caller, vec![(id, case.scope())]).await?;
        let screen = Screen::of(app, caller, id);
        screen.show().await;
        if caller.role() == Role::Visitor && case.answer_waits {
            app.visitor_returned(caller, id).await?;
        }
        let ahead = request.after_seq > case.last_seq;
        let last = if ahead { 0 } else { request.after_seq };
        Ok(Self { app: app.clone(), caller: caller.clone(), case: id, last, live, seat, screen, ahead })
    }

    /// Delivers until the reader goes, the token ends, or the service stops.
    pub async fn run(mut self, sender: Sender) {
        // Kept free for the last word, whatever the reader does.
        let Ok(last_word) = sender.clone().reserve_owned().await else { return };
        let shutdown = self.app.node.platform.shutdown.clone();
        let (authenticator, caller) = (self.app.authenticator.clone(), self.caller.clone());
        let end = tokio::select! {
            end = self.deliver(&sender) => end,
            error = authenticator.ended(&caller) => End::Told(status(error)),
            () = sender.closed() => End::Gone,
            () = shutdown.cancelled() => End::Resync,
        };
        match end {
            End::Gone => {}
            End::Told(status) => {
                last_word.send(Err(status));
            }
            End::Resync => {
                last_word.send(Ok(SubscribeResponse { event: Some(Event::Resync(Resync { after_seq: self.last })) }));
            }
        }
    }

    async fn deliver(&mut self, sender: &Sender) -> End {
        if self.ahead {
            return End::Resync;
        }
        if let Err(end) = self.catch_up(sender).await {
            return end;
        }
        if let Err(end) = give(sender, Event::CaughtUp(CaughtUp { last_seq: self.last })).await {
            return end;
        }
        let mut check = tokio::time::interval(CHECK);
        check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                event = self.live.next() => match event {
                    Some(Live::Message(bytes)) => self.heard(sender, &bytes).await,
                    Some(Live::Gap) => self.catch_up(sender).await,
                    None => Err(End::Resync),
                },
                changed = self.seat.last_seq.changed() => match changed {
                    Ok(()) if *self.seat.last_seq.borrow_and_update() > self.last => self.catch_up(sender).await,
                    _ => Ok(()),
                },
                _ = check.tick() => self.check().await,
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    /// Everything in the store after the last seq.
    async fn catch_up(&mut self, sender: &Sender) -> Result<(), End> {
        loop {
            let page = messages::after(&self.app.node.of(&self.caller), self.case, self.last, PAGE)
                .await
                .map_err(|error| End::Told(status(error)))?;
            let full = page.len() as i64 == PAGE;
            for message in page {
                self.pass_on(sender, message).await?;
            }
            if !full {
                return Ok(());
            }
        }
    }

    async fn pass_on(&mut self, sender: &Sender, message: Message) -> Result<(), End> {
        let seq = message.seq;
        give(sender, Event::Message(message)).await?;
        self.last = seq;
        Ok(())
    }

    async fn heard(&mut self, sender: &Sender, bytes: &[u8]) -> Result<(), End> {
        let Ok(SubscribeResponse { event: Some(event) }) = SubscribeResponse::decode(bytes) else { return Ok(()) };
        match event {
            Event::Message(message) if message.seq == self.last + 1 => self.pass_on(sender, message).await,
            // The store fills the gap; what was seen is not said again.
            Event::Message(message) if message.seq > self.last => self.catch_up(sender).await,
            Event::Message(_) => Ok(()),
            event => give(sender, event).await,
        }
    }

    /// A case that went to somebody else ends the stream.
    async fn check(&mut self) -> Result<(), End> {
        self.screen.show().await;
        match cases::load(&self.app.node.of(&self.caller), self.case).await {
            Ok(case) => change::check(&self.caller, RPC, &case).map_err(|error| End::Told(status(error))),
            Err(error) if error.is_transient() => Ok(()),
            Err(error) => Err(End::Told(status(error))),
        }
    }
}

/// The sign that somebody has this conversation open here; gone soon after they are. Each stream has its own: who closes one of
/// two tabs is still there.
struct Screen {
    app: App,
    /// This stream among all.
    by: String,
    /// None: a caller whose screen tells nothing to others.
    key: Option<String>,
}

impl Screen {
    fn of(app: &App, caller: &Caller, case: Id) -> Self {
        let key = match caller.role() {
            Role::Visitor => Some(live::visitor_screen(case)),
            role if role.is_staff() => Some(live::worker_screen(case)),
            _ => None,
        };
        Self { app: app.clone(), by: Id::new(app.node.now()).to_string(), key }
    }

    async fn show(&self) {
        if let Some(key) = &self.key {
            self.app.node.platform.ephemeral.set_present(key, &self.by, live::SCREEN).await;
        }
    }
}

impl Drop for Screen {
    /// Also when the reader is cut off in the middle: a screen that is gone must not count as present.
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let (ephemeral, by) = (self.app.node.platform.ephemeral.clone(), std::mem::take(&mut self.by));
            self.app.node.platform.tasks.spawn(async move { ephemeral.clear_present(&key, &by).await });
        }
    }
}

/// Gives the reader an event; one that does not read for too long must begin again.
async fn give(sender: &Sender, event: Event) -> Result<(), End> {
    match sender.send_timeout(Ok(SubscribeResponse { event: Some(event) }), PATIENCE).await {
        Ok(()) => Ok(()),
        Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(End::Gone),
        Err(mpsc::error::SendTimeoutError::Timeout(_)) => Err(End::Resync),
    }
}
