//! Playing on a simulated clock, in the suite's own process: everything happens at its planned time, and the clock moves only
//! when the suite has nothing left to do.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use kernel::{Clock, Error, Result, Time};
use proto::log::event_log_service_client::EventLogServiceClient;
use proto::log::{Envelope, WatchRequest};
use proto::routing::CaseOffered;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::actor::{Actors, Opened, Step};
use super::plan::{FirstOffer, GRID, Hours, How, Planned};
use super::progress::Progress;
use crate::pace::Pace;
use crate::suite::Suite;

/// Something that a person does at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    SignIn { worker: String, hold: Duration },
    SignOut { worker: String },
    Arrive(usize),
    GiveUp(usize),
    Decline { case: usize, worker: String, offer: String },
    Accept { case: usize, worker: String, offer: String },
    Turn(usize, usize),
    Close(usize),
    Rate(usize),
}

struct Running {
    opened: Option<Opened>,
    worker: Option<String>,
    offers: u32,
    screen: Option<JoinHandle<()>>,
    over: bool,
}

/// Routing's events as an integrator sees them.
struct Events {
    inbox: mpsc::UnboundedReceiver<Envelope>,
    delivered: Arc<AtomicI64>,
    told: Arc<Notify>,
    /// Events of the log before the simulation.
    before: i64,
}

pub struct Paced<'a> {
    actors: Arc<Actors>,
    suite: &'a Suite,
    clock: Clock,
    pace: Pace,
    plan: Arc<Vec<Planned>>,
    running: Vec<Running>,
    by_case: HashMap<String, usize>,
    agenda: BinaryHeap<Reverse<(Time, Action)>>,
    events: Events,
}

impl<'a> Paced<'a> {
    pub async fn new(
        actors: Arc<Actors>,
        suite: &'a Suite,
        plan: Vec<Planned>,
        hours: &[Hours],
        workers: &[(String, String)],
    ) -> Result<Self> {
        let mut agenda = BinaryHeap::new();
        for (worker, clinic) in workers {
            for (from, to) in hours.iter().filter(|hours| hours.clinic == *clinic).flat_map(|hours| &hours.open) {
                agenda.push(Reverse((*from, Action::SignIn { worker: worker.clone(), hold: to.since(*from) })));
                agenda.push(Reverse((*to, Action::SignOut { worker: worker.clone() })));
            }
        }
        agenda.extend(plan.iter().enumerate().map(|(index, case)| Reverse((case.arrives, Action::Arrive(index)))));
        let running = plan.iter().map(|_| Running { opened: None, worker: None, offers: 0, screen: None, over: false }).collect();
        let mut pace = Pace::of(suite).await;
        pace.settle().await;
        let events = Events::open(&actors, suite).await?;
        let clock = suite.platform.clock.clone();
        Ok(Self { actors, suite, clock, pace, plan: Arc::new(plan), running, by_case: HashMap::new(), agenda, events })
    }

    /// Plays until every case is over.
    pub async fn play(mut self, progress: &Progress) -> Result<()> {
        let mut over = 0;
        while over < self.plan.len() {
            self.hear().await?;
            let next = self.agenda.peek().map(|Reverse((time, _))| *time).unwrap_or(Time::MAX);
            let until = next.min(self.pace.next_due());
            if until == Time::MAX {
                return Err(Error::internal(format!("{} cases wait for something that will never come", self.plan.len() - over)));
            }
            if until > self.clock.now() {
                self.clock.advance_to(until);
            }
            if next <= until {
                self.act(until).await?;
                over = self.running.iter().filter(|case| case.over).count();
                progress.at(over, self.clock.now());
            }
        }
        self.hear().await?;
        Ok(())
    }

    /// Waits until the suite has nothing left to do, and takes over what it has said.
    async fn hear(&mut self) -> Result<()> {
        self.pace.settle().await;
        let head = routing_events(self.suite);
        self.events.until(head).await?;
        while let Ok(event) = self.events.inbox.try_recv() {
            let Ok(Some(offered)) = event.event::<CaseOffered>() else { continue };
            let Some(case) = self.by_case.get(&event.key).copied() else { continue };
            self.offered(case, offered);
        }
        Ok(())
    }

    fn offered(&mut self, case: usize, offered: CaseOffered) {
        let (Some(planned), Some(running)) = (self.plan.get(case), self.running.get_mut(case)) else { return };
        running.offers += 1;
        let at = self.clock.now() + planned.reaction;
        let (worker, offer) = (offered.worker_id, offered.offer_id);
        match planned.first_offer {
            FirstOffer::TimeOut if running.offers == 1 => {}
            FirstOffer::Decline if running.offers == 1 => self.agenda.push(Reverse((at, Action::Decline { case, worker, offer }))),
            _ => self.agenda.push(Reverse((at, Action::Accept { case, worker, offer }))),
        }
    }

    /// Everything that people do by `now`, side by side.
    async fn act(&mut self, now: Time) -> Result<()> {
        let mut due = Vec::new();
        while self.agenda.peek().is_some_and(|Reverse((time, _))| *time <= now) {
            due.extend(self.agenda.pop().map(|Reverse((_, action))| action));
        }
        // A visitor may leave in the moment in which a worker accepts: then the worker finds the case closed.
        due.retain(|action| !action.case().and_then(|case| self.running.get(case)).is_some_and(|running| running.over));
        let work = due.into_iter().map(|action| {
            let deed = Deed {
                actors: self.actors.clone(),
                plan: self.plan.clone(),
                opened: action.case().and_then(|case| self.running.get(case)).and_then(|running| running.opened.clone()),
                worker: action.case().and_then(|case| self.running.get(case)).and_then(|running| running.worker.clone()),
                now,
            };
            async move { deed.run(&action).await.map(|done| (action, done)) }
        });
        for result in futures::future::join_all(work).await {
            let (action, done) = result?;
            self.follow(&action, done).await;
        }
        Ok(())
    }

    /// What follows on a deed.
    async fn follow(&mut self, action: &Action, done: Done) {
        let now = self.clock.now();
        let Some(case) = action.case() else { return };
        let (Some(planned), Some(running)) = (self.plan.get(case).cloned(), self.running.get_mut(case)) else { return };
        let turn = |index: usize| planned.messages.get(index).map(|(_, pause)| (now + *pause, Action::Turn(case, index)));
        let next = match (action, done) {
            (_, Done::Opened(opened)) => {
                self.by_case.insert(opened.case_id.clone(), case);
                running.screen = self.actors.watch(case, &opened);
                running.worker.clone_from(&opened.kept_by);
                let kept = opened.kept_by.is_some();
                running.opened = Some(opened);
                if kept { turn(0) } else { planned.patience.map(|patience| (now + patience, Action::GiveUp(case))) }
            }
            (Action::Accept { worker, .. }, Done::Yes) => {
                running.worker = Some(worker.clone());
                turn(0)
            }
            (Action::Turn(_, index), _) => turn(index + 1).or(Some((now + Duration::from_secs(GRID), Action::Close(case)))),
            (Action::Close(_), _) if planned.rates.is_some() => planned.rates.map(|(_, pause)| (now + pause, Action::Rate(case))),
            (Action::Close(_) | Action::Rate(_), _) | (Action::GiveUp(_), Done::Yes) => {
                running.over = true;
                close_screen(&self.actors, running).await;
                None
            }
            _ => None,
        };
        self.agenda.extend(next.map(Reverse));
    }
}

/// Lets a visitor's screen show what it still has to, then closes it.
async fn close_screen(actors: &Actors, running: &mut Running) {
    let (Some(screen), Some(opened)) = (running.screen.take(), running.opened.as_ref()) else { return };
    actors.until_seen(&opened.case_id).await;
    screen.abort();
}

impl Action {
    const fn case(&self) -> Option<usize> {
        match self {
            Self::SignIn { .. } | Self::SignOut { .. } => None,
            Self::Arrive(case) | Self::GiveUp(case) | Self::Turn(case, _) | Self::Close(case) | Self::Rate(case) => Some(*case),
            Self::Decline { case, .. } | Self::Accept { case, .. } => Some(*case),
        }
    }
}

/// What came of a deed.
enum Done {
    Opened(Opened),
    Yes,
    /// Somebody was faster.
    No,
}

impl From<Step<()>> for Done {
    fn from(step: Step<()>) -> Self {
        if step == Step::Done(()) { Self::Yes } else { Self::No }
    }
}

/// One action with what it needs, owned, so that many can run side by side.
struct Deed {
    actors: Arc<Actors>,
    plan: Arc<Vec<Planned>>,
    opened: Option<Opened>,
    worker: Option<String>,
    now: Time,
}

impl Deed {
    async fn run(&self, action: &Action) -> Result<Done> {
        let lost = || Error::internal("the simulation acts in a case that it has not opened");
        match action {
            Action::SignIn { worker, hold } => self.actors.present(worker, true, *hold).await.map(|()| Done::Yes),
            Action::SignOut { worker } => self.actors.present(worker, false, Duration::ZERO).await.map(|()| Done::Yes),
            Action::Decline { case, worker, offer } => Ok(self.actors.decline(*case, worker, offer).await?.into()),
            Action::Accept { case, worker, offer } => Ok(self.actors.accept(*case, worker, offer).await?.into()),
            Action::Arrive(case) => {
                let planned = self.plan.get(*case).ok_or_else(lost)?;
                let phone = if planned.how == How::Phone { self.actors.nurse(&planned.clinic) } else { None };
                Ok(Done::Opened(self.actors.open(planned, phone.as_deref()).await?))
            }
            Action::GiveUp(case) => {
                let opened = self.opened.as_ref().ok_or_else(lost)?;
                Ok(self.actors.close(*case, opened, None, 0).await?.into())
            }
            Action::Turn(case, index) => {
                let (planned, opened) = (self.plan.get(*case).ok_or_else(lost)?, self.opened.as_ref().ok_or_else(lost)?);
                let (text, _) = planned.messages.get(*index).ok_or_else(lost)?;
                let worker = if index % 2 == 0 { self.worker.as_deref() } else { None };
                self.actors.post(*case, opened, worker, *index, text).await.map(|()| Done::Yes)
            }
            Action::Close(case) => {
                let (planned, opened) = (self.plan.get(*case).ok_or_else(lost)?, self.opened.as_ref().ok_or_else(lost)?);
                let worker = self.worker.as_deref().ok_or_else(lost)?;
                if planned.books {
                    self.actors.book(*case, opened, worker, &planned.clinic, self.now).await?;
                }
                match self.actors.close(*case, opened, Some(worker), planned.outcome).await? {
                    Step::Done(()) => Ok(Done::Yes),
                    Step::Refused(reason) => Err(Error::internal(format!("closing case {case} was refused: {reason}"))),
                }
            }
            Action::Rate(case) => {
                let (planned, opened) = (self.plan.get(*case).ok_or_else(lost)?, self.opened.as_ref().ok_or_else(lost)?);
                let (rating, _) = planned.rates.ok_or_else(lost)?;
                self.actors.rate(*case, opened, rating).await.map(|()| Done::Yes)
            }
        }
    }
}

/// Events of routing's log so far; in a simulation all are of the one organisation.
fn routing_events(suite: &Suite) -> i64 {
    suite.node("routing").map_or(0, |node| node.log.progress().heads().borrow().iter().sum())
}

impl Events {
    async fn open(actors: &Actors, suite: &Suite) -> Result<Self> {
        let before = routing_events(suite);
        let mut log = EventLogServiceClient::new(actors.integrator("routing", 0)?);
        let request = WatchRequest { service: "routing".to_owned(), ..WatchRequest::default() };
        let mut stream = log.watch(request).await.map_err(|status| rpc::status::error(&status))?.into_inner();
        let (sender, inbox) = mpsc::unbounded_channel();
        let (delivered, told) = (Arc::new(AtomicI64::new(0)), Arc::new(Notify::new()));
        let (count, tell) = (delivered.clone(), told.clone());
        tokio::spawn(async move {
            while let Ok(Some(response)) = stream.message().await {
                let Some(event) = response.event else { continue };
                if sender.send(event).is_err() {
                    return;
                }
                count.fetch_add(1, Ordering::SeqCst);
                tell.notify_one();
            }
        });
        Ok(Self { inbox, delivered, told, before })
    }

    /// Waits until everything up to the head has been delivered.
    async fn until(&self, head: i64) -> Result<()> {
        let wait = async {
            while self.delivered.load(Ordering::SeqCst) < head - self.before {
                self.told.notified().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait)
            .await
            .map_err(|_| Error::internal("Watch has not delivered what routing's log holds within 30 s"))
    }
}
