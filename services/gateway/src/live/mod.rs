//! What happens while somebody looks, as server-sent events.
//!
//! A page asks for a ticket (`POST /live/ticket`, with its form token and its cookie) and opens the stream with it; a ticket opens one
//! stream, once, within seconds. So no address ever holds a token, and no other site can listen. Who is cut off asks for a new ticket
//! and says the last id it has seen. Each screen has one stream of the services' own; a slow reader is slowed down by HTTP and gRPC
//! flow control, and nothing is kept for it here.

mod conversation;
mod offers;
mod ticket;

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use tonic::Streaming;

use crate::Gateway;

/// A silent stream says so often that it is still there: a page that hears nothing knows that the line is dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub fn routes() -> Router<Gateway> {
    Router::new()
        .route("/live/ticket", post(ticket::issue))
        .route("/live/case/{case}", get(conversation::open))
        .route("/live/offers", get(offers::open))
}

/// What opens a stream.
#[derive(Deserialize)]
struct Opening {
    ticket: String,
    /// Last id that was seen; a browser that reconnects by itself says it as `Last-Event-ID`.
    #[serde(default)]
    after: i64,
}

impl Opening {
    fn after(&self, headers: &HeaderMap) -> i64 {
        let said = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
        said.unwrap_or(self.after).max(0)
    }
}

/// One event for the page's script.
struct Frame {
    event: &'static str,
    /// Where to go on after it.
    id: Option<i64>,
    /// HTML to be shown, or a code; never empty, for browsers pass an event without data on to nobody.
    data: String,
}

impl Frame {
    fn new(event: &'static str, data: impl Into<String>) -> Self {
        Self { event, id: None, data: data.into() }
    }

    /// The last one: the services have ended the stream. `signed-out` and `gone` are for good; after `again` one asks anew.
    fn end(status: &tonic::Status) -> Self {
        let why = match status.code() {
            tonic::Code::Unauthenticated => "signed-out",
            tonic::Code::NotFound | tonic::Code::PermissionDenied => "gone",
            _ => "again",
        };
        Self::new("end", why)
    }
}

/// A stream of the services as frames: `show` says what an event looks like, if anything, and whether others follow. After the
/// services' last word comes none of ours.
fn frames<E: Send + 'static>(
    events: Streaming<E>,
    show: impl Fn(E) -> (Option<Frame>, bool) + Send + 'static,
) -> impl Stream<Item = Frame> + Send + 'static {
    let shown = stream::unfold((Some(events), show), |(events, show)| async move {
        let mut events = events?;
        let (frame, goes_on) = match events.message().await {
            Ok(Some(event)) => show(event),
            Ok(None) => (Some(Frame::new("end", "again")), false),
            Err(status) => (Some(Frame::end(&status)), false),
        };
        Some((frame, (goes_on.then_some(events), show)))
    });
    shown.filter_map(std::future::ready)
}

/// The frames as an answer, until they end or the process stops.
fn respond(gateway: &Gateway, kind: &'static str, frames: impl Stream<Item = Frame> + Send + 'static) -> Response {
    let open = telemetry::metrics::open_stream(kind);
    let events = frames.map(move |frame| {
        let _ = &open;
        // Browsers send CRLF; an event cannot hold a CR.
        let event = Event::default().event(frame.event).data(frame.data.replace('\r', ""));
        Ok::<_, Infallible>(match frame.id {
            Some(id) => event.id(id.to_string()),
            None => event,
        })
    });
    let shutdown = gateway.shutdown().clone();
    let events = events.take_until(async move { shutdown.cancelled().await });
    // No proxy may keep events back.
    let headers = [(header::HeaderName::from_static("x-accel-buffering"), "no"), (header::CACHE_CONTROL, "no-store, no-transform")];
    (headers, Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT).event(Event::default().event("beat").data("now"))))
        .into_response()
}
