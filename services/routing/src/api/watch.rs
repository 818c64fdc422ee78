//! WatchOffers: the calling worker's open offers and alerts, hand-overs that were turned down, and every change of them.
//!
//! The table says what is open; a bell only says when to look. So a lost bell delays an offer by a few seconds at most.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::time::Duration;

use bus::LiveStream;
use futures::future::BoxFuture;
use futures::{StreamExt, stream};
use kernel::{Error, Id, Result, Time};
use proto::routing::watch_offers_response::Event;
use proto::routing::{Handover, WatchOffersRequest, WatchOffersResponse};
use rpc::{Caller, status};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Interval;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::{Api, alert, offers};

/// How often the table is looked at without a bell.
const LOOK: Duration = Duration::from_secs(3);

pub type Stream = Pin<Box<dyn futures::Stream<Item = Result<WatchOffersResponse, Status>> + Send>>;

struct Watch {
    api: Api,
    caller: Caller,
    here: broadcast::Receiver<String>,
    elsewhere: LiveStream,
    look: Interval,
    /// Comes once the caller's token says nothing any more.
    ended: BoxFuture<'static, Error>,
    shutdown: CancellationToken,
    /// Offers that the caller knows of as open.
    known: BTreeSet<Id>,
    /// Alerts that the caller knows of, with when they were raised.
    alerts: BTreeMap<Id, Time>,
    /// Hand-overs that were turned down as far as the caller knows.
    turned_down: Vec<Handover>,
    failed: bool,
}

impl Api {
    pub(crate) async fn do_watch_offers(&self, request: Request<WatchOffersRequest>) -> Result<Response<Stream>> {
        let caller = rpc::caller(&request)?;
        // Listening begins before the first look, so that nothing falls between them.
        let (here, elsewhere) = self.app.desks.bells.listen(&caller.principal.id).await?;
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let shutdown = self.app.node.platform.shutdown.clone();
        let (authenticator, asker) = (self.app.node.platform.peers.authenticator(), caller.clone());
        let ended = Box::pin(async move { authenticator.ended(&asker).await });
        let watch = Watch {
            api: self.clone(),
            caller,
            here,
            elsewhere,
            look,
            ended,
            shutdown,
            known: BTreeSet::new(),
            alerts: BTreeMap::new(),
            turned_down: Vec::new(),
            failed: false,
        };
        let changes = stream::unfold(watch, |mut watch| async move {
            let changes = watch.next().await?;
            Some((stream::iter(changes), watch))
        });
        Ok(Response::new(Box::pin(changes.flatten())))
    }
}

impl Watch {
    /// Waits until there is a reason to look, and answers what has changed; None at the end.
    async fn next(&mut self) -> Option<Vec<Result<WatchOffersResponse, Status>>> {
        if self.failed {
            return None;
        }
        loop {
            let mine = tokio::select! {
                // The first tick comes at once.
                _ = self.look.tick() => true,
                error = &mut self.ended => {
                    self.failed = true;
                    return Some(vec![Err(status(error))]);
                }
                bell = self.here.recv() => match bell {
                    Ok(worker) => worker == self.caller.principal.id,
                    Err(RecvError::Lagged(_)) => true,
                    Err(RecvError::Closed) => return None,
                },
                Some(_) = self.elsewhere.next() => true,
                () = self.shutdown.cancelled() => return None,
            };
            if mine {
                break;
            }
        }
        Some(match self.changes().await {
            Ok(changes) => changes.into_iter().map(|event| Ok(WatchOffersResponse { event: Some(event) })).collect(),
            Err(error) => {
                self.failed = true;
                vec![Err(status(error))]
            }
        })
    }

    async fn changes(&mut self) -> Result<Vec<Event>> {
        let mut asked = self.api.asked(&self.caller).await?;
        let now: BTreeSet<Id> = asked.offers.iter().map(|one| one.offer).collect();
        let alerts: BTreeMap<Id, Time> = asked.alerts.iter().map(|one| (one.case, one.raised_at)).collect();
        // Each is shown once, and so recorded once; an alert that is raised again is another one.
        asked.offers.retain(|one| !self.known.contains(&one.offer));
        asked.alerts.retain(|one| self.alerts.get(&one.case) != Some(&one.raised_at));
        let mut back = self.api.handovers(&self.caller).await?;
        back.retain(|one| one.wire.turned_down);
        let turned_down: Vec<Handover> = back.iter().map(|one| one.wire.clone()).collect();
        back.retain(|one| !self.turned_down.contains(&one.wire));
        let shown = asked.cases().into_iter().chain(back.iter().map(|one| (one.case, one.scope.clone()))).collect();
        self.api.app.node.log_read(&self.caller, shown).await?;
        let ended = self.known.difference(&now).map(|offer| Event::EndedOfferId(offer.to_string()));
        let alerted = asked.alerts.iter().map(|one| Event::Alert(alert::wire(one)));
        let offered = asked.offers.iter().map(|one| Event::Offered(offers::wire(one)));
        let back = back.into_iter().map(|one| Event::TurnedDown(one.wire));
        let changes = alerted.chain(ended).chain(offered).chain(back).collect();
        (self.known, self.alerts, self.turned_down) = (now, alerts, turned_down);
        Ok(changes)
    }
}
