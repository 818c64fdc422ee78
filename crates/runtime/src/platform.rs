//! What a process has, for all the services in it.

use std::sync::Arc;

use auth::Secret;
use bus::Bus;
use ephemeral::Ephemeral;
use kernel::{Clock, Result};
use log::{Committer, Log, Settings};
use store::{Db, Tables};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::region_store::Check;
use crate::{Node, Peers, RegionStore};

/// What services in one process share. Cheap to clone.
#[derive(Clone)]
pub struct Platform {
    /// `sqlite:FOLDER` or `postgres://…`.
    pub store: String,
    pub bus: Bus,
    pub ephemeral: Ephemeral,
    pub clock: Clock,
    pub secret: Secret,
    pub peers: Peers,
    /// Shards of a log that is made now.
    pub shards: u32,
    /// This replica's name among several; None: the only process there is.
    pub replica: Option<String>,
    /// Outgoing mail, `smtp://HOST:PORT`; empty: no e-mail.
    pub smtp: String,
    /// Provider of text messages, `https+json://…`; empty: none are sent.
    pub sms: String,
    /// A register of clinics, `file:PATH`; empty: the region's description.
    pub register: String,
    /// Where intake keeps the files that are sent along, `file:FOLDER`.
    pub attachments: String,
    /// Logins that everybody knows may be used.
    pub demo: bool,
    pub shutdown: CancellationToken,
    pub tasks: TaskTracker,
}

impl Platform {
    /// Opens `service`'s database, migrates it, and starts its committer, its relay, its audit's sealer and its copy of
    /// the region.
    pub async fn node(&self, service: &'static str, tables: &'static Tables, check: Check) -> Result<Node> {
        let db = Db::open(&self.store, service).await?;
        if let Some(now) = db.first_now().await? {
            self.clock.set_offset(now);
        }
        let log = Log::open(&Settings { service, shards: self.shards }, db, self.clock.clone(), tables).await?;
        // Before anything can be committed. Without peers there is nobody to ask.
        if self.peers.names().any(|name| name != service) {
            log.guard().set(log::guard::Phase::Asking);
        }
        let committer = Committer::start(log.clone());
        let region = RegionStore::load(&committer, check).await?;
        let node = Node { service, platform: Arc::new(self.clone()), log, committer, region };
        node.start().await;
        Ok(node)
    }
}
