//! Every service and the pages as processes of their own, `samtal serve`, two replicas each, behind what stands for load balancers.

use crate::ports::Port;
use crate::process::{Launch, Process};
use crate::proxy::Proxy;
use crate::remote::SECRET;
use crate::servers::{Nats, shared_postgres, shared_redis, url_as};
use crate::suite::{Person, SOON, eventually, region_yaml};
use ::suite::client;
use ::suite::suite::SERVICES;
use proto::access::PrincipalKind;
use proto::config::ExportRegionRequest;
use proto::config::config_service_client::ConfigServiceClient;
use std::collections::BTreeMap;
use std::time::Duration;
use store::{Db, Scoped};
use tokio::net::TcpStream;
use tonic::transport::Channel;

/// The role that serves pages.
pub const PAGES: &str = "gateway";
/// Every role.
pub const ALL: [&str; 7] = ["intake", "triage", "routing", "scheduling", "notifications", "insights", PAGES];
/// The two replicas' names.
pub const REPLICAS: [&str; 2] = ["a", "b"];

/// One process.
struct Replica {
    port: Port,
    process: Option<Process>,
}

/// What the processes stand on, as they reach it.
pub struct Ground {
    /// URL of a database of their own.
    pub database: String,
    /// `HOST:PORT` of every server of one NATS with users.
    pub nats: Vec<String>,
    /// URL.
    pub redis: String,
}

/// All processes.
pub struct Cluster {
    ground: Ground,
    /// Runs as long as they do.
    _nats: Option<Nats>,
    fronts: BTreeMap<&'static str, Proxy>,
    replicas: BTreeMap<(&'static str, &'static str), Replica>,
    /// Environment of one replica's processes, by replica.
    environment: BTreeMap<&'static str, Vec<(String, String)>>,
}

impl Cluster {
    /// Starts both replicas of every service, with the tests' region, on a database and a NATS of their own. `environment`: further
    /// variables, by replica.
    pub async fn start(environment: BTreeMap<&'static str, Vec<(String, String)>>) -> Cluster {
        let servers = tokio::task::spawn_blocking(|| {
            shared_redis();
            (shared_postgres().fresh_database("cluster"), Nats::start_with_users())
        });
        let (database, nats) = servers.await.expect("servers start");
        let ground = Ground { database, nats: vec![format!("127.0.0.1:{}", nats.port())], redis: shared_redis().url() };
        Cluster { _nats: Some(nats), ..Cluster::on(ground, environment).await }
    }

    /// The same on servers of the caller's.
    pub async fn on(ground: Ground, environment: BTreeMap<&'static str, Vec<(String, String)>>) -> Cluster {
        let mut replicas = BTreeMap::new();
        let mut fronts = BTreeMap::new();
        for service in ALL {
            for name in REPLICAS {
                replicas.insert((service, name), Replica { port: Port::free(), process: None });
            }
            let ports = REPLICAS.map(|name| replicas[&(service, name)].port.number());
            fronts.insert(service, Proxy::start(&ports).await);
        }
        let mut cluster = Cluster { ground, _nats: None, fronts, replicas, environment };
        for name in REPLICAS {
            for service in ALL {
                cluster.launch(service, name);
            }
        }
        for name in REPLICAS {
            for service in ALL {
                cluster.ready(service, name).await;
            }
        }
        cluster.operator().await.apply_region(&region_yaml()).await;
        for service in SERVICES {
            for name in REPLICAS {
                cluster.has_region(service, name).await;
            }
        }
        cluster
    }

    /// Starts one process; does not wait.
    pub fn launch(&mut self, service: &'static str, name: &'static str) {
        let replica = self.replicas.get_mut(&(service, name)).expect("there is such a one");
        let listen = format!("127.0.0.1:{}", replica.port.number());
        let mut launch = Launch::samtal(&format!("{service}-{name}"))
            .args(["serve", service, "--replica", name, if service == PAGES { "--http" } else { "--grpc" }, &listen])
            .args(["--cache", &self.ground.redis])
            .env("SAMTAL_SECRET", SECRET)
            .env("SAMTAL_LOG", "warn,sqlx=error,async_nats=error");
        if service != PAGES {
            let bus: Vec<String> = self.ground.nats.iter().map(|host| url_as(service, host)).collect();
            launch = launch
                .args(["--store", &self.ground.database, "--bus", &bus.join(",")])
                .env("SAMTAL_BUS_REPLICAS", self.ground.nats.len().to_string())
                .env("SAMTAL_SHARDS", "4");
        }
        for (peer, front) in self.fronts.iter().filter(|(peer, _)| **peer != PAGES) {
            launch = launch.env(format!("SAMTAL_PEERS__{}", peer.to_uppercase()), format!("http://{}", front.address()));
        }
        for (variable, value) in self.environment.get(name).into_iter().flatten() {
            launch = launch.env(variable, value);
        }
        replica.process = Some(launch.start());
    }

    /// Until this process answers.
    pub async fn ready(&mut self, service: &str, name: &str) {
        let port = self.port(service, name);
        if service == PAGES {
            eventually("the pages answer", async || TcpStream::connect(("127.0.0.1", port)).await.ok()).await;
            return;
        }
        eventually("the replica answers", async || client::connect(&format!("127.0.0.1:{port}")).await.ok()).await;
    }

    /// Until this replica, too, has taken over what was applied at one of them.
    async fn has_region(&self, service: &'static str, name: &str) {
        let token = self.operator_token();
        let replica = Person::over(&BTreeMap::from([(service, self.channel_to(service, name).await)]), &token);
        let mut config = ConfigServiceClient::new(replica.at(service));
        let request = ExportRegionRequest { service: service.to_owned() };
        eventually("the replica has the region", async || {
            let answer = config.export_region(request.clone()).await.expect("the region").into_inner();
            answer.region_json.contains("beta-door").then_some(())
        })
        .await;
    }

    fn port(&self, service: &str, name: &str) -> u16 {
        self.replicas.iter().find(|((s, n), _)| *s == service && *n == name).expect("there is such a one").1.port.number()
    }

    /// A running process.
    pub fn process(&mut self, service: &'static str, name: &'static str) -> &mut Process {
        self.replicas.get_mut(&(service, name)).and_then(|replica| replica.process.as_mut()).expect("it runs")
    }

    /// What stands before a service's replicas.
    pub fn front(&self, service: &str) -> &Proxy {
        &self.fronts[service]
    }

    /// From now on a service's new connections go to these replicas.
    pub fn send_to(&self, service: &str, names: &[&str]) {
        let ports: Vec<u16> = names.iter().map(|name| self.port(service, name)).collect();
        self.front(service).send_to(&ports);
    }

    /// SIGTERM to one process, which must end well within `grace`; answers how long it took.
    pub async fn stop_one(&mut self, service: &'static str, name: &'static str, grace: Duration) -> Duration {
        let replica = self.replicas.get_mut(&(service, name)).expect("there is such a one");
        let mut process = replica.process.take().expect("it runs");
        let started = std::time::Instant::now();
        process.terminate();
        let ended = tokio::task::spawn_blocking(move || process.wait_exit(grace)).await.expect("waited for");
        assert!(ended.success(), "{service}-{name}: {ended:?}");
        started.elapsed()
    }

    /// SIGTERM to all that run.
    pub async fn stop(&mut self) {
        let mut all: Vec<Process> = self.replicas.values_mut().filter_map(|replica| replica.process.take()).collect();
        all.iter_mut().for_each(Process::terminate);
        let ended = tokio::task::spawn_blocking(move || all.iter_mut().map(|one| one.wait_exit(SOON)).collect::<Vec<_>>());
        assert!(ended.await.expect("waited for").iter().all(|ended| ended.success()));
    }

    /// A new connection to each service, through its front.
    pub async fn channels(&self) -> BTreeMap<&'static str, Channel> {
        let mut channels = BTreeMap::new();
        for (service, front) in self.fronts.iter().filter(|(service, _)| **service != PAGES) {
            channels.insert(*service, eventually("it answers", async || client::connect(&front.address()).await.ok()).await);
        }
        channels
    }

    /// A connection to one service at one replica, past the front.
    pub async fn channel_to(&self, service: &str, name: &str) -> Channel {
        client::connect(&format!("127.0.0.1:{}", self.port(service, name))).await.expect("it answers")
    }

    fn operator_token(&self) -> String {
        let secret = auth::Secret::new(SECRET.as_bytes()).expect("long enough");
        client::operator_token(&secret, &kernel::Clock::system())
    }

    async fn person_with(&self, token: &str) -> Person {
        Person::over(&self.channels().await, token)
    }

    pub async fn operator(&self) -> Person {
        self.person_with(&self.operator_token()).await
    }

    /// Somebody of organisation `alfa`, on connections of their own.
    pub async fn person(&self, kind: PrincipalKind, id: &str) -> Person {
        let token = self.operator().await.issue(kind, id, "alfa").await;
        self.person_with(&token).await
    }

    /// A service's own database, beside the processes.
    pub async fn db(&self, service: &str) -> Scoped {
        Db::open(&self.ground.database, service).await.expect("the store opens").of(crate::suite::everybody())
    }
}
