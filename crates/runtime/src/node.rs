//! One service in a process.

use std::collections::BTreeSet;
use std::sync::Arc;

use auth::Role;
use kernel::{Clock, Id, Result, Time};
use log::lease::Leases;
use log::timers::{Fire, Standing, Timers};
use log::{Committer, Handler, Log, Origin, Receipt, Scope, Unit};
use proto::config::ListDriftRequest;
use proto::config::config_service_client::ConfigServiceClient;
use region::Drift;
use region::drift::Kind;
use rpc::Caller;
use store::{Scoped, Whose};
use tokio::sync::watch;

use crate::services::source::PeerSource;
use crate::{Peer, Platform, RegionStore};

/// A service that is ready to serve.
pub struct Built {
    pub node: Node,
    /// What it consumes.
    pub handlers: Vec<Arc<dyn Handler>>,
    /// Where its timers stand, for a simulated clock.
    pub standing: Option<watch::Receiver<Standing>>,
}

/// A service's share of the process: its log, and the way to commit to it. Cheap to clone.
#[derive(Clone)]
pub struct Node {
    pub service: &'static str,
    pub platform: Arc<Platform>,
    pub log: Log,
    pub committer: Committer,
    pub region: RegionStore,
}

impl Node {
    pub fn clock(&self) -> &Clock {
        &self.platform.clock
    }

    pub fn now(&self) -> Time {
        self.platform.clock.now()
    }

    pub fn db(&self) -> &store::Db {
        self.log.db()
    }

    /// The database as far as a caller may look: their own organisation's rows; every organisation's for operators and
    /// services, whom the policy table lets reach the region.
    pub fn of(&self, caller: &Caller) -> Scoped {
        let own = &caller.principal.organisation;
        self.db().of(match caller.role() {
            Role::Operator | Role::Service => self.everybody(),
            _ if own.is_empty() => Whose::Of(Vec::new()),
            _ => Whose::from(own),
        })
    }

    /// Every organisation of the region.
    pub fn everybody(&self) -> Whose {
        Whose::many(self.region.get().organisations.iter().map(|organisation| organisation.id.clone()))
    }

    pub fn bus(&self) -> &bus::Bus {
        &self.platform.bus
    }

    /// The channel to another service.
    pub fn peer(&self, service: &str) -> Result<Peer> {
        self.platform.peers.channel(self.service, service)
    }

    /// Runs `work` for the aggregate `key` and commits it; see [`Committer::run`].
    pub async fn commit<T, F>(&self, key: Id, origin: Origin, work: F) -> Result<(T, Receipt)>
    where
        T: Send + 'static,
        F: for<'u, 't> Fn(&'u mut Unit<'t>) -> log::committer::Work<'u, T> + Send + Sync + 'static,
    {
        self.committer.run(&key.to_string(), origin, work).await
    }

    /// Writes the access log's rows of a read: what is shown to the caller, each thing by its own id, so that the extract of one
    /// case can be made. To be awaited before the answer is given: a read that cannot be recorded fails.
    pub async fn log_read(&self, caller: &Caller, shown: Vec<(Id, Scope)>) -> Result<()> {
        self.log_read_as(caller, caller.rpc.to_owned(), shown).await
    }

    /// The same for a read that says more of itself than the name of the RPC, such as why it was made.
    pub async fn log_read_as(&self, caller: &Caller, action: String, shown: Vec<(Id, Scope)>) -> Result<()> {
        let Some((first, _)) = shown.first() else { return Ok(()) };
        // A service that reads for somebody has no organisation of its own: the rows belong to what is shown.
        let organisations: BTreeSet<String> = shown.iter().map(|(_, scope)| scope.organisation.clone()).collect();
        let origin = Origin { action, organisations: organisations.into_iter().collect(), ..caller.origin() };
        let (key, shown) = (*first, Arc::new(shown));
        self.commit(key, origin, move |unit| {
            let shown = shown.clone();
            Box::pin(async move {
                shown.iter().for_each(|(key, scope)| unit.audit(*key, scope));
                Ok(())
            })
        })
        .await?;
        Ok(())
    }

    /// The thing under which a look at many of the caller's organisation is recorded.
    pub fn many(caller: &Caller) -> (Id, Scope) {
        let organisation = caller.principal.organisation.clone();
        (Id::derived(&[b"list", organisation.as_bytes()]), Scope { organisation, ..Scope::default() })
    }

    fn leases(&self, duty: &str, shards: u32) -> Leases {
        match &self.platform.replica {
            None => Leases::alone(duty, shards),
            Some(replica) => Leases::shared(duty, shards, self.log.db().clone(), replica.clone(), self.platform.shutdown.clone()),
        }
    }

    pub(crate) async fn start(&self) {
        self.platform.tasks.spawn(crate::guard::run(self.clone()));
        let leases = self.leases("relay", self.log.shards());
        let relay = log::relay_driver::run(self.log.clone(), self.platform.bus.clone(), leases, self.platform.shutdown.clone());
        self.platform.tasks.spawn(relay);
        let leases = self.leases(log::audit::DUTY, self.log.shards());
        self.platform.tasks.spawn(log::audit::run(self.log.clone(), leases, self.platform.shutdown.clone()));
        self.platform.tasks.spawn(log::housekeeping::run(self.log.clone(), self.platform.shutdown.clone()));
        self.platform.tasks.spawn(crate::gauges::run(self.clone()));
        if self.service != INTAKE {
            self.platform.tasks.spawn(follow_drift(self.clone()));
        }
        if self.platform.replica.is_some() {
            self.platform.tasks.spawn(self.region.clone().follow(self.log.machinery(), self.platform.shutdown.clone()));
            self.platform.tasks.spawn(follow_clock(self.clone()));
        }
    }

    /// Starts consuming another service's log, or the service's own.
    pub fn consume(&self, handler: Arc<dyn Handler>) -> Result<()> {
        let source = handler.source();
        let peer = PeerSource::new(self.peer(source)?, source);
        // Another service's shard count is its own affair; a lease per possible shard costs nothing.
        let leases = self.leases(&format!("consume:{source}"), MAX_SHARDS);
        let run = log::consumer_driver::run(
            self.log.clone(),
            self.platform.bus.clone(),
            handler,
            Arc::new(peer),
            leases,
            self.platform.shutdown.clone(),
        );
        self.platform.tasks.spawn(run);
        Ok(())
    }

    /// Starts the service's timers.
    pub fn timers(&self, fire: Arc<dyn Fire>) -> watch::Receiver<Standing> {
        let timers = Timers::new(self.committer.clone(), fire);
        let standing = timers.standing();
        self.platform.tasks.spawn(timers.run(self.platform.shutdown.clone()));
        standing
    }
}

/// No log has more shards.
const MAX_SHARDS: u32 = 64;

/// Who has leaders' changes to the region.
const INTAKE: &str = "intake";
/// How often the others ask for them.
const FOLLOW: std::time::Duration = std::time::Duration::from_secs(1);

/// Takes over leaders' changes from intake. While intake does not answer, those that were heard hold.
async fn follow_drift(node: Node) {
    // A service that stands alone in a test has nobody to ask.
    let Ok(peer) = node.peer(INTAKE) else { return };
    let mut client = ConfigServiceClient::new(peer).max_decoding_message_size(crate::MAX_CONFIG_REQUEST);
    loop {
        tokio::select! {
            () = tokio::time::sleep(FOLLOW) => {}
            () = node.platform.shutdown.cancelled() => return,
        }
        let Ok(answer) = client.list_drift(ListDriftRequest {}).await else { continue };
        let drift = answer.into_inner().items.into_iter().filter_map(|item| {
            Some(Drift {
                // A kind that only a newer intake knows is left to newer services.
                kind: Kind::from_code(&item.kind)?,
                organisation: item.organisation_id,
                item: item.item_id,
                body: item.body_json,
                set_by: item.set_by,
                set_at: item.set_at,
            })
        });
        if let Err(error) = node.region.follow_drift(&node.committer, drift.collect()).await {
            tracing::debug!(service = node.service, %error, "leaders' changes were not taken over; they are asked for again");
        }
    }
}

/// Keeps business time at the database's.
async fn follow_clock(node: Node) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(std::time::Duration::from_secs(10)) => {}
            () = node.platform.shutdown.cancelled() => return,
        }
        match node.log.db().now().await {
            Ok(Some(now)) => node.platform.clock.set_offset(now),
            Ok(None) => return,
            Err(error) => tracing::debug!(%error, "the database did not tell the time"),
        }
    }
}
