//! What happens on a member of staff's desk: `offered` and `offer-ended`, with the offer's id, and `alert`, with the id of a case that
//! shows signs of danger or that a colleague did not take over; all that are open come first. And `news` from the conversations that the page follows, `CASE SEQ`: one
//! stream for all of them, since browsers open only a few to one site.

use std::pin::Pin;

use axum::extract::{Query, State};
use axum::response::Response;
use futures::stream::{select, select_all};
use futures::{Stream, StreamExt, stream};
use proto::intake::subscribe_response::Event;
use proto::intake::{SenderKind, SubscribeRequest};
use proto::routing::WatchOffersRequest;
use proto::routing::watch_offers_response::Event as Offers;
use serde::Deserialize;

use super::ticket::redeem;
use super::{Frame, Opening, frames, respond};
use crate::Gateway;
use crate::services::Calls;
use crate::web::{Problem, Visit};

/// Conversations that one page follows at most.
const MAX_FOLLOWED: usize = 50;

type Frames = Pin<Box<dyn Stream<Item = Frame> + Send>>;

#[derive(Deserialize)]
pub struct Following {
    /// `CASE:SEQ,CASE:SEQ`: own cases, each with the last number that the page knows.
    #[serde(default)]
    follow: String,
}

pub async fn open(
    State(gateway): State<Gateway>,
    Query(opening): Query<Opening>,
    Query(following): Query<Following>,
    axum::Extension(visit): axum::Extension<Visit>,
) -> Result<Response, Problem> {
    let worth = redeem(&gateway, &opening.ticket, &visit.path).await?;
    let calls = gateway.services().with(&worth.token, None);
    let events = calls.routing().watch_offers(WatchOffersRequest {}).await?.into_inner();
    let offers = frames(events, |event| {
        let frame = event.event.map(|event| match event {
            Offers::Offered(offer) => Frame::new("offered", offer.offer_id),
            Offers::EndedOfferId(offer) => Frame::new("offer-ended", offer),
            Offers::Alert(alert) => Frame::new("alert", alert.case_id),
            Offers::TurnedDown(handover) => Frame::new("turned-down", handover.case_id),
        });
        (frame, true)
    });
    let followed = following.follow.split(',').filter_map(|one| one.split_once(':')).take(MAX_FOLLOWED);
    let news: Vec<Frames> = followed.map(|(case, seq)| news(calls.clone(), case.to_owned(), seq.parse().unwrap_or(0))).collect();
    Ok(respond(&gateway, "desk", select(offers, select_all(news))))
}

/// Messages of visitors and changes of state in one conversation. One that is not the worker's any more falls silent.
fn news(calls: Calls, case: String, after_seq: i64) -> Frames {
    let id = case.clone();
    let opened = async move { calls.conversations().subscribe(SubscribeRequest { case_id: id, after_seq }).await.ok() };
    let events = stream::once(opened).filter_map(std::future::ready).flat_map(tonic::Response::into_inner);
    let frames = events.filter_map(move |event| {
        let frame = match event.map(|event| event.event) {
            Ok(Some(Event::Message(message))) if message.sender_kind() == SenderKind::Visitor => {
                Some(Frame::new("news", format!("{case} {}", message.seq)))
            }
            Ok(Some(Event::Case(_))) => Some(Frame::new("news", format!("{case} 0"))),
            // The page begins anew, with whatever it has by then.
            Ok(Some(Event::Resync(_))) => Some(Frame::new("end", "again")),
            Err(status) if status.code() == tonic::Code::Unavailable => Some(Frame::end(&status)),
            _ => None,
        };
        std::future::ready(frame)
    });
    Box::pin(frames)
}
