//! A conversation as it goes on: `message` (HTML of a bubble; its id is the seq), `typing`, `case` (its state changed),
//! `caught-up`, and at last `end`.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use kernel::Id;
use proto::intake::subscribe_response::Event;
use proto::intake::{CaseState, Message, SenderKind, SubscribeRequest, SubscribeResponse};

use super::ticket::{Audience, redeem};
use super::{Frame, Opening, frames, respond};
use crate::Gateway;
use crate::web::{Page, Problem, Visit};

/// A message as it is shown; the same bubble as in the page.
#[derive(Template)]
#[template(path = "live/message.html")]
struct Bubble<'a> {
    page: &'a Page,
    message: &'a Message,
    mine: bool,
}

pub async fn open(
    State(gateway): State<Gateway>,
    Path(case): Path<Id>,
    Query(opening): Query<Opening>,
    axum::Extension(visit): axum::Extension<Visit>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let worth = redeem(&gateway, &opening.ticket, &visit.path).await?;
    let after = opening.after(&headers);
    let request = SubscribeRequest { case_id: case.to_string(), after_seq: after };
    let calls = gateway.services().with(&worth.token, None);
    let events = calls.conversations().subscribe(request).await?.into_inner();
    let page = Page::new(&gateway, Visit { language: worth.language(), ..visit });
    let audience = worth.audience;
    Ok(respond(&gateway, "conversation", frames(events, move |event| frame(&page, audience, after, event))))
}

/// What an event looks like to who has seen everything up to `after`, and whether others follow.
fn frame(page: &Page, audience: Audience, after: i64, event: SubscribeResponse) -> (Option<Frame>, bool) {
    let frame = match event.event {
        Some(Event::Message(message)) => {
            let mine = is_mine(audience, message.sender_kind());
            let html = match audience {
                Audience::Visitor => crate::pages::visitor::bubble(page, &message),
                Audience::Staff => Bubble { page, message: &message, mine }.render(),
            };
            html.ok().map(|html| Frame { event: "message", id: Some(message.seq), data: html })
        }
        Some(Event::Typing(typing)) if is_mine(audience, typing.sender_kind()) => None,
        Some(Event::Typing(_)) => Some(Frame::new("typing", "now")),
        Some(Event::Case(case)) => {
            let state = CaseState::try_from(case.state).unwrap_or_default();
            Some(Frame::new("case", state.as_str_name().trim_start_matches("CASE_STATE_").to_ascii_lowercase()))
        }
        Some(Event::CaughtUp(caught_up)) => Some(Frame::new("caught-up", caught_up.last_seq.to_string())),
        // What the page shows is not there any more: it is loaded anew.
        Some(Event::Resync(resync)) if resync.after_seq < after => return (Some(Frame::new("end", "anew")), false),
        Some(Event::Resync(_)) => return (Some(Frame::new("end", "again")), false),
        None => None,
    };
    (frame, true)
}

const fn is_mine(audience: Audience, sender: SenderKind) -> bool {
    matches!((audience, sender), (Audience::Visitor, SenderKind::Visitor) | (Audience::Staff, SenderKind::Worker))
}
