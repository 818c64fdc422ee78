//! Playing against a running suite in real time, as fast as it goes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kernel::{Clock, Error, Result};
use proto::log::WatchRequest;
use proto::log::event_log_service_client::EventLogServiceClient;
use proto::routing::CaseOffered;
use tokio::sync::{Semaphore, mpsc};

use super::actor::{Actors, Step};
use super::plan::{FirstOffer, How, Planned};
use super::progress::Progress;

/// Cases under way at a time.
const TOGETHER: usize = 64;
/// How long a case waits for an offer before the run is given up.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the workers stay.
const SHIFT: Duration = Duration::from_secs(12 * 3600);

type Offer = (String, String);

/// Offers by case, whichever comes first: the case's task or its offer.
#[derive(Default)]
struct Offers(Mutex<HashMap<String, Line>>);

/// Where a case's offers are put, and where its task takes them from, once.
type Line = (mpsc::UnboundedSender<Offer>, Option<mpsc::UnboundedReceiver<Offer>>);

impl Offers {
    fn put(&self, case: &str, offer: Offer) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (sender, _) = all.entry(case.to_owned()).or_insert_with(channel);
        // A case that is over needs no offer.
        let _ = sender.send(offer);
    }

    fn of(&self, case: &str) -> Option<mpsc::UnboundedReceiver<Offer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(case.to_owned()).or_insert_with(channel).1.take()
    }
}

fn channel() -> Line {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Some(receiver))
}

pub async fn play(
    actors: &Arc<Actors>,
    plan: Vec<Planned>,
    workers: &[(String, String)],
    clock: &Clock,
    progress: &Progress,
) -> Result<()> {
    let offers = Arc::new(Offers::default());
    follow(actors, offers.clone()).await?;
    let workers: std::collections::BTreeSet<&String> = workers.iter().map(|(worker, _)| worker).collect();
    for worker in workers {
        actors.present(worker, true, SHIFT).await?;
    }
    let (room, over) = (Arc::new(Semaphore::new(TOGETHER)), Arc::new(AtomicUsize::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for planned in plan {
        let permit = room.clone().acquire_owned().await.map_err(|error| Error::internal(error.to_string()))?;
        let (actors, offers, count, now) = (actors.clone(), offers.clone(), over.clone(), clock.clone());
        tasks.spawn(async move {
            let done = one(&actors, &planned, &offers, &now).await;
            count.fetch_add(1, Ordering::Relaxed);
            drop(permit);
            done
        });
        while let Some(done) = tasks.try_join_next() {
            done.map_err(|error| Error::internal(error.to_string()))??;
        }
        progress.at(over.load(Ordering::Relaxed), clock.now());
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|error| Error::internal(error.to_string()))??;
        progress.at(over.load(Ordering::Relaxed), clock.now());
    }
    Ok(())
}

/// Hands out routing's offers, through breaks of the stream.
async fn follow(actors: &Arc<Actors>, offers: Arc<Offers>) -> Result<()> {
    let mut log = EventLogServiceClient::new(actors.integrator("routing", 1)?);
    let mut resume_token = String::new();
    let request = WatchRequest { service: "routing".to_owned(), ..WatchRequest::default() };
    let mut stream = log.watch(request).await.map_err(|status| rpc::status::error(&status))?.into_inner();
    tokio::spawn(async move {
        loop {
            while let Ok(Some(response)) = stream.message().await {
                resume_token = response.resume_token;
                let Some(event) = response.event else { continue };
                if let Ok(Some(offered)) = event.event::<CaseOffered>() {
                    offers.put(&event.key, (offered.worker_id, offered.offer_id));
                }
            }
            let request = WatchRequest { service: "routing".to_owned(), resume_token: resume_token.clone(), from_start: false };
            match log.watch(request).await {
                Ok(again) => stream = again.into_inner(),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    });
    Ok(())
}

/// One case from the door to the rating.
async fn one(actors: &Arc<Actors>, planned: &Planned, offers: &Offers, clock: &Clock) -> Result<()> {
    let number = planned.number;
    // A door that never closes takes no left messages, and a case by telephone needs a nurse.
    let phone = if planned.how == How::Phone { actors.nurse(&planned.clinic) } else { None };
    let opened = actors.open(planned, phone.as_deref()).await?;
    let screen = actors.watch(number, &opened);
    let worker = match &opened.kept_by {
        Some(worker) => Some(worker.clone()),
        None if planned.patience.is_some() && actors.close(number, &opened, None, 0).await? == Step::Done(()) => None,
        None => Some(answered(actors, planned, &opened.case_id, offers).await?),
    };
    if let Some(worker) = worker {
        for (turn, (text, _)) in planned.messages.iter().enumerate() {
            let sender = if turn % 2 == 0 { Some(worker.as_str()) } else { None };
            actors.post(number, &opened, sender, turn, text).await?;
        }
        if planned.books {
            actors.book(number, &opened, &worker, &planned.clinic, clock.now()).await?;
        }
        match actors.close(number, &opened, Some(&worker), planned.outcome).await? {
            Step::Done(()) => {}
            Step::Refused(reason) => return Err(Error::internal(format!("closing case {number} was refused: {reason}"))),
        }
        if let Some((rating, _)) = planned.rates {
            actors.rate(number, &opened, rating).await?;
        }
    }
    if let Some(screen) = screen {
        actors.until_seen(&opened.case_id).await;
        screen.abort();
    }
    Ok(())
}

/// Waits for offers until a worker has accepted one; answers who.
async fn answered(actors: &Actors, planned: &Planned, case: &str, offers: &Offers) -> Result<String> {
    let mut mine = offers.of(case).ok_or_else(|| Error::internal("two tasks play one case"))?;
    let mut first = true;
    loop {
        let next = tokio::time::timeout(PATIENCE, mine.recv()).await;
        let Ok(Some((worker, offer))) = next else {
            return Err(Error::internal(format!("case {} was not offered to anybody within {} s", planned.number, PATIENCE.as_secs())));
        };
        let declines = first && planned.first_offer == FirstOffer::Decline;
        first = false;
        if declines {
            actors.decline(planned.number, &worker, &offer).await?;
        } else if actors.accept(planned.number, &worker, &offer).await? == Step::Done(()) {
            return Ok(worker);
        }
    }
}
