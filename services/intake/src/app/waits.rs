//! How long a new visitor waits at a door, as routing says; remembered for a moment, so that a page that many look at asks once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kernel::Result;
use proto::intake::ExpectedWait;
use proto::routing::GetExpectedWaitRequest;
use proto::routing::routing_service_client::RoutingServiceClient;
use runtime::{Node, Peer};

/// How long an answer is used without asking again.
const FRESH: Duration = Duration::from_secs(5);
/// A page does not wait for this longer.
const PATIENCE: Duration = Duration::from_millis(500);

/// How it stands in a door's queue.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wait {
    pub expected: ExpectedWait,
    /// As many wait as the queue takes.
    pub full: bool,
}

pub struct Waits {
    client: RoutingServiceClient<Peer>,
    known: Mutex<HashMap<String, (Instant, Wait)>>,
}

impl Waits {
    pub fn new(node: &Node) -> Result<Self> {
        Ok(Self { client: RoutingServiceClient::new(node.peer("routing")?), known: Mutex::default() })
    }

    /// Unknown while routing does not answer: a door is shown all the same.
    pub async fn of(&self, entry_point: &str) -> Wait {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(entry_point).copied();
        if let Some((_, wait)) = known.filter(|(asked_at, _)| asked_at.elapsed() < FRESH) {
            return wait;
        }
        self.ask(entry_point).await
    }

    /// The same as it is right now, for whoever wants in.
    pub async fn ask(&self, entry_point: &str) -> Wait {
        let request = GetExpectedWaitRequest { entry_point_id: entry_point.to_owned() };
        let mut client = self.client.clone();
        let Ok(Ok(answer)) = tokio::time::timeout(PATIENCE, client.get_expected_wait(request)).await else {
            return Wait::default();
        };
        let answer = answer.into_inner();
        let expected =
            ExpectedWait { known: answer.known, min_seconds: answer.min_seconds, max_seconds: answer.max_seconds, staffed: answer.staffed };
        let wait = Wait { expected, full: answer.full };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(entry_point.to_owned(), (Instant::now(), wait));
        wait
    }
}
