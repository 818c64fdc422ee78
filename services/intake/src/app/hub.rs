//! The safety net under live text: one query for all conversations that are open on this replica, every 5 s, finds what
//! the bus has lost.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::store::Whose;
use kernel::Id;
use runtime::Node;
use tokio::sync::watch;

use crate::store;

/// How often the store is asked.
const COMPARE: Duration = Duration::from_secs(5);
/// Most conversations in one query.
const PAGE: usize = 400;

/// An open conversation: whose it is, its seats, and the last seq that is known.
struct Talk {
    organisation: String,
    seats: usize,
    last_seq: watch::Sender<i64>,
}

type Open = Arc<Mutex<HashMap<Id, Talk>>>;

/// The conversations that are open here. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    open: Open,
}

/// One open screen's part in the hub; leaves it when dropped.
pub struct Seat {
    case: Id,
    open: Open,
    /// Last seq in the store, as far as the comparison knows.
    pub last_seq: watch::Receiver<i64>,
}

impl Hub {
    pub fn start(node: &Node) -> Self {
        let hub = Self { open: Open::default() };
        let (open, node_) = (hub.open.clone(), node.clone());
        node.platform.tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(COMPARE) => compare(&node_, &open).await,
                    () = node_.platform.shutdown.cancelled() => return,
                }
            }
        });
        hub
    }

    pub fn join(&self, case: Id, organisation: &str) -> Seat {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Talk { organisation: organisation.to_owned(), seats: 0, last_seq: watch::Sender::new(0) };
        let talk = open.entry(case).or_insert_with(new);
        talk.seats += 1;
        Seat { case, open: self.open.clone(), last_seq: talk.last_seq.subscribe() }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(talk) = open.get_mut(&self.case) {
            talk.seats -= 1;
            if talk.seats == 0 {
                open.remove(&self.case);
            }
        }
    }
}

async fn compare(node: &Node, open: &Open) {
    let (cases, whose) = {
        let open = open.lock().unwrap_or_else(PoisonError::into_inner);
        (open.keys().copied().collect::<Vec<Id>>(), Whose::many(open.values().map(|talk| talk.organisation.clone())))
    };
    let db = node.db().of(whose);
    for some in cases.chunks(PAGE) {
        match store::messages::last_seqs(&db, some).await {
            Ok(seqs) => {
                let open = open.lock().unwrap_or_else(PoisonError::into_inner);
                for (case, seq) in seqs {
                    if let Some(talk) = open.get(&case) {
                        talk.last_seq.send_if_modified(|known| {
                            let newer = seq > *known;
                            *known = seq.max(*known);
                            newer
                        });
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "open conversations were not compared with the store"),
        }
    }
}
