//! Load, decide, commit: what stands between the pure rules and the outside.

pub mod alert;
pub mod bells;
pub mod desk;
pub mod matching;
pub mod perform;
pub mod plan;
pub mod presence;
pub mod queueing;
pub mod retire;
pub mod roster;
pub mod timers;

use std::sync::Arc;
use std::time::Duration;

use kernel::{Id, Result};
use log::{Origin, Receipt, Unit};
use region::Region;
use runtime::{Node, RegionStore};

use bells::Bells;
use desk::Desk;

/// How long triage has until a case is routed without it.
pub const TRIAGE_DEADLINE: Duration = Duration::from_secs(30);
/// How long a worker counts as there without saying so again, unless they name another time.
pub const PRESENCE: Duration = Duration::from_secs(600);
/// How long a worker who vanished keeps their live cases.
pub const GRACE: Duration = Duration::from_secs(120);
/// Pause before everybody who turned a case down is asked again.
pub const NEXT_ROUND: Duration = Duration::from_secs(10);

/// What routing's handlers, timers and RPCs share. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub node: Node,
    pub desks: Desks,
}

/// Makes desks. Apart from `App`, so that a closure that may run again captures little.
#[derive(Clone)]
pub struct Desks {
    pub region: RegionStore,
    pub bells: Bells,
}

impl Desks {
    pub fn open<'u, 't>(&self, unit: &'u mut Unit<'t>) -> Desk<'u, 't> {
        Desk::new(unit, self.region.get(), self.bells.clone())
    }
}

impl App {
    pub fn new(node: Node) -> Self {
        let desks = Desks { region: node.region.clone(), bells: Bells::new(node.bus().clone()) };
        Self { node, desks }
    }

    pub fn region(&self) -> Arc<Region> {
        self.node.region.get()
    }

    /// Commits `work` in the lane of an organisation. Almost every change touches queues and workers that the organisation's
    /// other changes touch too; in one lane they are committed together instead of waiting for each other's locks.
    pub async fn commit<T, F>(&self, organisation: &str, origin: Origin, work: F) -> Result<(T, Receipt)>
    where
        T: Send + 'static,
        F: for<'u, 't> Fn(&'u mut Unit<'t>) -> log::committer::Work<'u, T> + Send + Sync + 'static,
    {
        self.node.commit(Id::derived(&[b"organisation", organisation.as_bytes()]), origin, work).await
    }
}
