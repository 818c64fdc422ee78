//! When a calendar is open, as scheduling says; remembered, so that a case can be opened while scheduling is away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kernel::{Result, Time};
use proto::scheduling::scheduling_service_client::SchedulingServiceClient;
use proto::scheduling::{GetOpeningRequest, Interval, ListOpeningsRequest};
use region::Region;
use runtime::{Node, Peer};

/// How far ahead openings are asked for.
const AHEAD: Duration = Duration::from_secs(60 * 86_400);
/// How long an answer is used without asking again.
const FRESH: Duration = Duration::from_secs(600);
/// The same for one that follows another description than ours: scheduling hears of leaders' changes up to a second later,
/// and a clinic that closes today must not stay open because somebody looked in between.
const STALE: std::time::Duration = std::time::Duration::from_millis(200);
/// How long before now: a clock may differ by a little.
const BEHIND: Duration = Duration::from_secs(86_400);

/// Whether a door is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Until then; None: as far as is known, for ever.
    Open { closes_at: Option<Time> },
    /// Until then; None: not known.
    Closed { opens_at: Option<Time> },
}

#[derive(Clone)]
struct Known {
    asked_at: Time,
    until: Time,
    /// The region that was in force; a new one may have other hours.
    region: Arc<Region>,
    spans: Arc<Vec<(Time, Time)>>,
    /// It follows another description than ours, and was heard then.
    stale: Option<std::time::Instant>,
}

pub struct Openings {
    client: SchedulingServiceClient<Peer>,
    known: Mutex<HashMap<String, Known>>,
}

impl Openings {
    pub fn new(node: &Node) -> Result<Self> {
        Ok(Self { client: SchedulingServiceClient::new(node.peer("scheduling")?), known: Mutex::default() })
    }

    /// The next spans at which `calendar` is open from `now` on, at most so many.
    pub async fn next(&self, calendar: &str, region: &Arc<Region>, now: Time, most: usize) -> Result<Vec<(Time, Option<Time>)>> {
        let known = self.known(calendar, region, now).await?;
        let later = known.spans.iter().filter(|(_, to)| now < *to).take(most);
        Ok(later.map(|(from, to)| (*from, (*to < known.until).then_some(*to))).collect())
    }

    /// Whether `calendar` is open at `now`. What was heard before serves while scheduling does not answer.
    pub async fn at(&self, calendar: &str, region: &Arc<Region>, now: Time) -> Result<Opening> {
        self.known(calendar, region, now).await.map(|known| look(&known, now))
    }

    async fn known(&self, calendar: &str, region: &Arc<Region>, now: Time) -> Result<Known> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(calendar).cloned();
        let usable = |known: &Known| Arc::ptr_eq(&known.region, region) && now >= known.asked_at && now < known.until;
        let fresh = |known: &Known| now < known.asked_at + FRESH && known.stale.is_none_or(|heard| heard.elapsed() < STALE);
        if let Some(known) = known.as_ref().filter(|known| usable(known) && fresh(known)) {
            return Ok(known.clone());
        }
        match self.ask(calendar, region, now).await {
            Ok(known) => {
                self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(calendar.to_owned(), known.clone());
                Ok(known)
            }
            Err(error) => match known.filter(usable) {
                Some(known) => {
                    tracing::warn!(calendar, %error, "scheduling does not answer; using the hours it told before");
                    Ok(known)
                }
                None => Err(error),
            },
        }
    }

    async fn ask(&self, calendar: &str, region: &Arc<Region>, now: Time) -> Result<Known> {
        let (from, until) = (now - BEHIND, now + AHEAD);
        let window = Interval { from: Some(proto::timestamp(from)), to: Some(proto::timestamp(until)) };
        let request = ListOpeningsRequest { calendar_id: calendar.to_owned(), window: Some(window) };
        let answer = self.client.clone().list_openings(request).await.map_err(|status| rpc::status::error(&status))?.into_inner();
        let mut spans = Vec::with_capacity(answer.openings.len());
        for span in &answer.openings {
            if let (Some(from), Some(to)) =
                (proto::from_timestamp("from", span.from.as_ref())?, proto::from_timestamp("to", span.to.as_ref())?)
            {
                spans.push((from, to));
            }
        }
        let ours = region.calendar(calendar).map_or(0, |(organisation, _)| organisation.version());
        let stale = (answer.organisation_version != ours).then(std::time::Instant::now);
        Ok(Known { asked_at: now, until, region: region.clone(), spans: Arc::new(spans), stale })
    }

    /// Why a calendar is closed today, in words for the visitor; empty outside ordinary hours or if nobody can say.
    pub async fn closed_reason(&self, calendar: &str) -> String {
        let request = GetOpeningRequest { calendar_id: calendar.to_owned(), at: None };
        self.client.clone().get_opening(request).await.map(|answer| answer.into_inner().closed_reason).unwrap_or_default()
    }
}

fn look(known: &Known, now: Time) -> Opening {
    match known.spans.iter().find(|(_, to)| now < *to) {
        Some((from, to)) if *from <= now => Opening::Open { closes_at: (*to < known.until).then_some(*to) },
        Some((from, _)) => Opening::Closed { opens_at: Some(*from) },
        None => Opening::Closed { opens_at: None },
    }
}
