//! Offers to a member of staff: `offered` and `offer-ended`, with the offer's id, and `alert`, with the id of a case that shows
//! signs of danger. All that are open come first.

use axum::extract::{Query, State};
use axum::response::Response;
use futures::{StreamExt, stream};
use proto::routing::WatchOffersRequest;
use proto::routing::watch_offers_response::Event;

use super::ticket::redeem;
use super::{Frame, Opening, respond};
use crate::Gateway;
use crate::web::{Problem, Visit};

pub async fn open(
    State(gateway): State<Gateway>,
    Query(opening): Query<Opening>,
    axum::Extension(visit): axum::Extension<Visit>,
) -> Result<Response, Problem> {
    let worth = redeem(&gateway, &opening.ticket, &visit.path).await?;
    let calls = gateway.services().with(&worth.token, None);
    let events = calls.routing().watch_offers(WatchOffersRequest {}).await?.into_inner();
    let frames = stream::unfold(Some(events), |events| async {
        let mut events = events?;
        Some(match events.message().await {
            Ok(Some(event)) => {
                let frame = event.event.map(|event| match event {
                    Event::Offered(offer) => Frame::new("offered", offer.offer_id),
                    Event::EndedOfferId(offer) => Frame::new("offer-ended", offer),
                    Event::Alert(alert) => Frame::new("alert", alert.case_id),
                });
                (frame, Some(events))
            }
            Ok(None) => (Some(Frame::new("end", "again")), None),
            Err(status) => (Some(Frame::end(&status)), None),
        })
    });
    Ok(respond(&gateway, frames.filter_map(|frame| async { frame })))
}
