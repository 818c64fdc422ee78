//! Building and running services, all or one, in this process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auth::Secret;
use bus::Bus;
use ephemeral::Ephemeral;
use kernel::{Clock, Error, Result};
use log::Handler;
use runtime::{Built, Node, Peers, Platform, RoutesBuilder, Server};
use store::Tables;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The services that have a log. The gateway has none.
pub const SERVICES: [&str; 6] = ["intake", "triage", "routing", "scheduling", "notifications", "insights"];

/// How long running work may take to finish at the end.
const GRACE: Duration = Duration::from_secs(20);

/// What a suite is built from. Listeners and clock are the caller's, so that two suites fit in one test.
pub struct Parts {
    /// `sqlite:FOLDER` or `postgres://…`.
    pub store: String,
    pub bus: Bus,
    pub ephemeral: Ephemeral,
    pub clock: Clock,
    pub secret: Secret,
    pub shards: u32,
    pub smtp: String,
    pub sms: String,
    pub register: String,
    /// Where the files that are sent along lie, `file:FOLDER`.
    pub attachments: String,
    pub reflection: bool,
    /// This replica's name among several; None: the only process there is.
    pub replica: Option<String>,
    /// Where services answer that are not built here; those that are answer at the listener.
    pub peers: BTreeMap<String, String>,
    pub grpc: TcpListener,
    pub http: Option<TcpListener>,
    pub pages: gateway::Settings,
}

/// A running suite.
pub struct Suite {
    pub platform: Platform,
    pub built: Vec<Built>,
    pub grpc: SocketAddr,
    pub http: Option<SocketAddr>,
    servers: Vec<JoinHandle<Result<()>>>,
}

impl Suite {
    /// Builds `services` and starts serving. On return they answer.
    pub async fn start(parts: Parts, services: &[&str]) -> Result<Self> {
        let grpc = runtime::serve::local_address(&parts.grpc)?;
        let mut peers = parts.peers.clone();
        for service in services {
            peers.insert((*service).to_owned(), format!("http://{grpc}"));
        }
        let platform = Platform {
            store: parts.store,
            bus: parts.bus,
            ephemeral: parts.ephemeral,
            clock: parts.clock.clone(),
            secret: parts.secret.clone(),
            peers: Peers::new(&peers, parts.secret.clone(), parts.clock.clone())?.with_here(services),
            shards: parts.shards,
            replica: parts.replica,
            smtp: parts.smtp,
            sms: parts.sms,
            register: parts.register,
            attachments: parts.attachments,
            demo: parts.pages.demo,
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let mut routes = RoutesBuilder::default();
        let mut built = Vec::new();
        for service in services {
            built.push(build(&platform, service, &mut routes).await?);
        }
        let nodes: BTreeMap<&'static str, Node> = built.iter().map(|one| (one.node.service, one.node.clone())).collect();
        let handlers: BTreeMap<&'static str, Vec<Arc<dyn Handler>>> =
            built.iter().map(|one| (one.node.service, one.handlers.clone())).collect();
        let mut servers = Vec::new();
        let http = parts.http.as_ref().map(runtime::serve::local_address).transpose()?;
        if let Some(listener) = parts.http {
            let pages = gateway::Gateway::build(gateway::Parts {
                settings: parts.pages,
                peers: platform.peers.clone(),
                ephemeral: platform.ephemeral.clone(),
                secret: platform.secret.clone(),
                shutdown: platform.shutdown.clone(),
            })?;
            servers.push(tokio::spawn(gateway::serve(pages, listener)));
        }
        let server = Server { nodes, handlers, routes, reflection: parts.reflection };
        let serving = platform.clone();
        servers.push(tokio::spawn(async move { runtime::serve(&serving, server, parts.grpc).await }));
        Ok(Self { platform, built, grpc, http, servers })
    }

    pub fn node(&self, service: &str) -> Option<&Node> {
        self.built.iter().map(|one| &one.node).find(|node| node.service == service)
    }

    /// Stops taking work, lets what runs finish, and closes the stores.
    pub async fn stop(self) -> Result<()> {
        self.platform.shutdown.cancel();
        self.platform.tasks.close();
        let finish = async {
            for server in self.servers {
                match server.await {
                    Ok(done) => done?,
                    Err(error) => return Err(Error::internal(format!("a server failed: {error}"))),
                }
            }
            self.platform.tasks.wait().await;
            Ok(())
        };
        let done = tokio::time::timeout(GRACE, finish).await.unwrap_or_else(|_| {
            tracing::warn!("some work did not finish in time; what was acknowledged is safe");
            Ok(())
        });
        for one in &self.built {
            one.node.db().close().await;
        }
        done
    }
}

/// The tables that `service` has beside its log's.
pub fn tables(service: &str) -> Result<&'static Tables> {
    match service {
        "intake" => Ok(&intake::TABLES),
        "triage" => Ok(&triage::TABLES),
        "routing" => Ok(&routing::TABLES),
        "scheduling" => Ok(&scheduling::TABLES),
        "notifications" => Ok(&notifications::TABLES),
        "insights" => Ok(&insights::TABLES),
        other => Err(unknown(other)),
    }
}

fn unknown(service: &str) -> Error {
    Error::invalid("role", format!("{service} is none of {}", SERVICES.join(", ")))
}

async fn build(platform: &Platform, service: &str, routes: &mut RoutesBuilder) -> Result<Built> {
    match service {
        "intake" => intake::build(platform, routes).await,
        "triage" => triage::build(platform, routes).await,
        "routing" => routing::build(platform, routes).await,
        "scheduling" => scheduling::build(platform, routes).await,
        "notifications" => notifications::build(platform, routes).await,
        "insights" => insights::build(platform, routes).await,
        other => Err(unknown(other)),
    }
}

/// Binds an address, or says which one cannot be had and why.
pub async fn listen(what: &str, address: &str) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Error::unavailable(format!("cannot listen on {address} for {what}: {error}; choose another with --{what}")))
}
