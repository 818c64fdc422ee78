//! A simulated clock's pace: it may move only when every head equals every cursor and nothing is due.

use kernel::{Clock, Time};
use log::timers::Standing;
use tokio::sync::watch;

use crate::suite::Suite;

/// Positions by shard, as they change.
type Positions = watch::Receiver<Vec<i64>>;

/// Watches a suite in this process.
pub struct Pace {
    clock: Clock,
    /// (consumer's cursors, source's heads)
    edges: Vec<(Positions, Positions)>,
    timers: Vec<(log::Log, watch::Receiver<Standing>)>,
}

impl Pace {
    /// Waits until all consumers have started, then watches them.
    pub async fn of(suite: &Suite) -> Self {
        let mut edges = Vec::new();
        for one in &suite.built {
            for handler in &one.handlers {
                let Some(source) = suite.node(handler.source()) else { continue };
                loop {
                    if let Some(cursors) = one.node.log.progress().cursors(handler.source()) {
                        edges.push((cursors, source.log.progress().heads()));
                        break;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
            }
        }
        let timers = suite.built.iter().filter_map(|one| Some((one.node.log.clone(), one.standing.clone()?))).collect();
        Self { clock: suite.platform.clock.clone(), edges, timers }
    }

    /// Whether nothing is left to do at this moment of the clock.
    pub fn is_settled(&self) -> bool {
        let now = self.clock.now();
        // Timers first: what they commit raises a head before they say that they are done.
        self.timers.iter().all(|(log, standing)| {
            let standing = *standing.borrow();
            standing.next > now && standing.changes == log.timer_changes()
        }) && self.edges.iter().all(|(cursors, heads)| *cursors.borrow() == *heads.borrow())
    }

    /// Returns once nothing is left to do.
    pub async fn settle(&mut self) {
        while !self.is_settled() {
            let changes =
                self.edges
                    .iter_mut()
                    .flat_map(|(cursors, heads)| [cursors, heads])
                    .map(|receiver| Box::pin(async move { drop(receiver.changed().await) }) as futures::future::BoxFuture<'_, ()>)
                    .chain(self.timers.iter_mut().map(|(_, standing)| {
                        Box::pin(async move { drop(standing.changed().await) }) as futures::future::BoxFuture<'_, ()>
                    }));
            futures::future::select_all(changes).await;
        }
    }

    /// When the next timer of any service is due.
    pub fn next_due(&self) -> Time {
        self.timers.iter().map(|(_, standing)| standing.borrow().next).min().unwrap_or(Time::MAX)
    }

    /// Moves the clock to `time`, stopping on the way at everything that is due.
    pub async fn advance_to(&mut self, time: Time) {
        loop {
            self.settle().await;
            let next = self.next_due().min(time);
            if self.clock.now() >= time {
                return;
            }
            self.clock.advance_to(next);
        }
    }
}
