//! Everything at once: two replicas of each service and of the pages, three servers of NATS with three copies, PostgreSQL and Redis of
//! their own, a network in between, clocks that disagree; and a nemesis that harms one after the other, drawn from a seed, under
//! constant load. Then all heals, and within 30 s everything that was acknowledged stands on every screen; it is read back, and the
//! tables are looked through. Three minutes, and an hour in the long form.
//!
//! It wants the machine for itself: `cargo test -p samtal-tests --test suite -- --ignored nemesis`, as `make test` does.
//! `SAMTAL_NEMESIS_SEED` plays a seed again, `SAMTAL_NEMESIS_SECONDS` for so long.

use crate::journey::close;
use crate::load::{Load, Repeat, in_tables, open, opening, read_back, settled, shown};
use crate::replicas::holds_ran_out_once;
use proto::access::PrincipalKind;
use proto::intake::{OpenCaseRequest, Outcome, RateCaseRequest};
use proto::routing::ClaimCaseRequest;
use samtal_tests::cluster::{ALL, Cluster, Ground, PAGES, REPLICAS};
use samtal_tests::http::try_get;
use samtal_tests::proxy::Proxy;
use samtal_tests::servers::{Nats, Postgres, Redis};
use samtal_tests::suite::{Person, eventually};
use samtal_tests::{long, number, shim};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tonic::transport::Channel;

/// One kind of harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    /// One process dies.
    Kill,
    /// Every process of one replica dies.
    KillMany,
    /// One process stands still, and nobody tells the load balancer.
    Pause,
    /// One process is restarted in order.
    Restart,
    /// PostgreSQL dies and recovers.
    StoreDies,
    /// Nothing comes through to PostgreSQL.
    StoreStalls,
    /// Connections to PostgreSQL lead nowhere, and nobody says so.
    StoreForgets,
    /// PostgreSQL's disk is full.
    DiskFull,
    /// One server of NATS dies.
    BusLosesOne,
    /// Two of three.
    BusLosesMost,
    /// All of JetStream is deleted.
    BusLosesAll,
    /// An older store comes back.
    BusGoesBack,
    /// Nothing comes through to NATS.
    BusStalls,
    BusForgets,
    RedisDies,
    RedisForgets,
    /// Every connection between clients and services, and among services, is cut.
    Cut,
}

const HARMS: [Harm; 17] = [
    Harm::Kill,
    Harm::KillMany,
    Harm::Pause,
    Harm::Restart,
    Harm::StoreDies,
    Harm::StoreStalls,
    Harm::StoreForgets,
    Harm::DiskFull,
    Harm::BusLosesOne,
    Harm::BusLosesMost,
    Harm::BusLosesAll,
    Harm::BusGoesBack,
    Harm::BusStalls,
    Harm::BusForgets,
    Harm::RedisDies,
    Harm::RedisForgets,
    Harm::Cut,
];

/// What `samtal` gives running work at the end, and a little for the machine.
const GRACE: Duration = Duration::from_secs(22);

/// Numbers that follow from the seed.
struct Draw {
    seed: u64,
    count: u64,
}

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.count += 1;
        (kernel::id::key_hash(&format!("{}/{}", self.seed, self.count)) % bound as u64) as usize
    }
}

struct World {
    cluster: Cluster,
    postgres: Arc<Postgres>,
    nats: Arc<Vec<Nats>>,
    redis: Arc<Redis>,
    to_store: Proxy,
    to_bus: Vec<Proxy>,
}

/// What blocks, beside everything else.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

impl World {
    async fn start() -> World {
        let servers = aside(|| (Arc::new(Postgres::start_on_disk()), Arc::new(Nats::start_cluster()), Arc::new(Redis::start())));
        let (postgres, nats, redis) = servers.await;
        let to_store = Proxy::start(&[postgres.port()]).await;
        let mut to_bus = Vec::new();
        for server in nats.iter() {
            to_bus.push(Proxy::start(&[server.port()]).await);
        }
        let database = postgres.create_database("region").replace(&format!("127.0.0.1:{}", postgres.port()), &to_store.address());
        let ground = Ground { database, nats: to_bus.iter().map(Proxy::address).collect(), redis: redis.url() };
        let clocks = BTreeMap::from([("a", shim::clock_off_by(600)), ("b", shim::clock_off_by(-600))]);
        World { cluster: Cluster::on(ground, clocks).await, postgres, nats, redis, to_store, to_bus }
    }

    async fn again(&mut self, service: &'static str, name: &'static str) {
        self.cluster.launch(service, name);
        self.cluster.ready(service, name).await;
    }

    /// Does harm for `span`, and mends it.
    async fn harm(&mut self, harm: Harm, span: Duration, draw: &mut Draw, load: &Load) {
        // What is tested is that this much time passes.
        let passes = || tokio::time::sleep(span);
        let (service, name) = (ALL[draw.below(ALL.len())], REPLICAS[draw.below(REPLICAS.len())]);
        let one = draw.below(self.nats.len());
        match harm {
            Harm::Kill => {
                self.cluster.process(service, name).kill9();
                passes().await;
                self.again(service, name).await;
            }
            Harm::KillMany => {
                ALL.iter().for_each(|service| self.cluster.process(service, name).kill9());
                passes().await;
                ALL.iter().for_each(|service| self.cluster.launch(service, name));
                for service in ALL {
                    self.cluster.ready(service, name).await;
                }
            }
            Harm::Pause => {
                self.cluster.process(service, name).pause();
                passes().await;
                self.cluster.process(service, name).resume();
            }
            Harm::Restart => {
                self.cluster.stop_one(service, name, GRACE).await;
                self.again(service, name).await;
            }
            Harm::StoreDies => {
                let postgres = self.postgres.clone();
                aside(move || postgres.restart()).await;
            }
            Harm::StoreStalls => {
                self.to_store.stall();
                passes().await;
                self.to_store.heal();
            }
            Harm::StoreForgets => self.to_store.forget(),
            Harm::DiskFull => {
                self.postgres.disk().fill();
                passes().await;
                self.postgres.disk().make_room();
                // It may have taken the want of a segment for a crash; an operator starts it again.
                let postgres = self.postgres.clone();
                aside(move || postgres.restart()).await;
            }
            Harm::BusLosesOne => {
                self.nats[one].kill();
                passes().await;
                let nats = self.nats.clone();
                aside(move || nats[one].restart()).await;
            }
            Harm::BusLosesMost => {
                self.nats[1..].iter().for_each(Nats::kill);
                passes().await;
                let nats = self.nats.clone();
                aside(move || Nats::restart_all(&nats[1..])).await;
            }
            Harm::BusLosesAll => {
                let nats = self.nats.clone();
                aside(move || {
                    nats.iter().for_each(Nats::kill);
                    nats.iter().for_each(Nats::delete_store);
                    Nats::restart_all(&nats);
                })
                .await;
            }
            Harm::BusGoesBack => {
                let (nats, older) = (self.nats.clone(), tempfile::tempdir().unwrap());
                let (all, at) = (nats.clone(), older.path().to_path_buf());
                aside(move || {
                    all.iter().for_each(Nats::kill);
                    all.iter().enumerate().for_each(|(n, server)| server.copy_store(&at.join(n.to_string())));
                    Nats::restart_all(&all);
                })
                .await;
                load.more(30).await;
                aside(move || {
                    nats.iter().for_each(Nats::kill);
                    nats.iter().enumerate().for_each(|(n, server)| server.put_back_store(&older.path().join(n.to_string())));
                    Nats::restart_all(&nats);
                })
                .await;
            }
            Harm::BusStalls => {
                self.to_bus.iter().for_each(Proxy::stall);
                passes().await;
                self.to_bus.iter().for_each(Proxy::heal);
            }
            Harm::BusForgets => self.to_bus.iter().for_each(Proxy::forget),
            Harm::RedisDies => {
                self.redis.kill();
                passes().await;
                let redis = self.redis.clone();
                aside(move || redis.restart()).await;
            }
            Harm::RedisForgets => {
                let redis = self.redis.clone();
                aside(move || {
                    let until = Instant::now() + span;
                    while Instant::now() < until {
                        redis.flush();
                        std::thread::sleep(Duration::from_millis(100));
                    }
                })
                .await;
            }
            Harm::Cut => ALL.iter().for_each(|service| self.cluster.front(service).cut()),
        }
    }
}

/// Whole cases by a visitor and a worker, one after the other, each call repeated until it is certain; answers cases and messages.
async fn care(channels: &BTreeMap<&'static str, Channel>, sten: &Person, load: &Load) -> (i64, i64) {
    let (anonymous, mut cases, mut messages) = (Person::over(channels, ""), 0, 0);
    while !load.stopped() {
        let id = |what: &str| kernel::Id::derived(&[what.as_bytes(), &i64::to_le_bytes(cases)]).to_string();
        let request = OpenCaseRequest { entry_point_id: "alfa-far-door".into(), ..opening(id("care")) };
        let opened = open(Repeat::UntilCertain, &anonymous, &request).await;
        let case = opened.case.unwrap().case_id;
        let visitor = Person::over(channels, &opened.visitor_token);
        let claim = ClaimCaseRequest { request_id: id("claim"), case_id: case.clone(), ..Default::default() };
        // Until triage and routing have it, which may take an outage.
        crate::load::patiently("the case is claimed", async || sten.routing().claim_case(claim.clone()).await).await;
        crate::load::patiently("intake knows who has it", async || sten.post(&case, "a1", "hej, hur mår du?").await).await;
        settled(Repeat::UntilCertain, async || visitor.post(&case, "v1", "tack, bättre").await).await;
        let end = proto::intake::CloseCaseRequest { request_id: id("close"), ..close(&case, Outcome::Advice) };
        settled(Repeat::UntilCertain, async || sten.cases().close_case(end.clone()).await).await;
        let rate = RateCaseRequest { request_id: id("rate"), case_id: case.clone(), rating: 5, ..RateCaseRequest::default() };
        settled(Repeat::UntilCertain, async || visitor.cases().rate_case(rate.clone()).await).await;
        (cases, messages) = (cases + 1, messages + 3);
    }
    (cases, messages)
}

/// A page that people load all the while: there, or said to be away for a moment, and never a fault of ours.
async fn pages(address: String, load: &Load) -> (usize, usize) {
    let (mut there, mut away) = (0, 0);
    while !load.stopped() {
        match try_get(&address, "/e/alfa-door", "").await {
            Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => there += 1,
            Ok(answer) => {
                assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 503 "), "{answer}");
                away += 1;
            }
            Err(_) => away += 1,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (there, away)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants the machine for itself: make test runs it after the others"]
async fn everything_that_was_acknowledged_outlives_the_nemesis() {
    let seed = number("SAMTAL_NEMESIS_SEED").unwrap_or_else(|| kernel::Clock::system().now().micros() as u64);
    let span = Duration::from_secs(number("SAMTAL_NEMESIS_SECONDS").unwrap_or(if long() { 3_600 } else { 180 }));
    println!(
        "nemesis: seed {seed}, {} s; again: SAMTAL_NEMESIS_SEED={seed} cargo test -p samtal-tests --test suite -- --ignored nemesis",
        span.as_secs()
    );
    let mut world = World::start().await;
    let load = Load::new(Repeat::UntilCertain);
    let (journal, leader) =
        (world.cluster.person(PrincipalKind::Integrator, "journal").await, world.cluster.person(PrincipalKind::Leader, "alfa.lea").await);
    let visitors = world.cluster.channels().await;
    let sten = world.cluster.person(PrincipalKind::Worker, "alfa.sten").await;
    // Offered and never taken: offers time out all the while.
    let anna = world.cluster.person(PrincipalKind::Worker, "alfa.anna").await;
    anna.present(true).await;
    sten.present(true).await;
    let request = opening(kernel::Id::derived(&[b"held"]).to_string());
    let held = open(Repeat::UntilCertain, &Person::over(&visitors, ""), &request).await.case.unwrap().case_id;
    let mut channels = Vec::new();
    for _ in 0..4 {
        channels.push(world.cluster.channels().await["intake"].clone());
    }
    let page = world.cluster.front(PAGES).address();
    let harm = async {
        let (started, mut draw, mut done) = (Instant::now(), Draw { seed, count: 0 }, BTreeMap::new());
        // Each once, in the seed's order; then any.
        let mut left: Vec<Harm> = HARMS.to_vec();
        load.more(20).await;
        while started.elapsed() < span {
            let harm = if left.is_empty() { HARMS[draw.below(HARMS.len())] } else { left.swap_remove(draw.below(left.len())) };
            let lasts = Duration::from_millis(1_000 + draw.below(5_000) as u64);
            println!("nemesis: {:>5.1} s {harm:?} for {lasts:?}, {} acknowledged", started.elapsed().as_secs_f64(), load.done());
            world.harm(harm, lasts, &mut draw, &load).await;
            *done.entry(format!("{harm:?}")).or_insert(0) += 1;
            // It goes on.
            load.more(20).await;
        }
        load.stop();
        done
    };
    let hold = crate::kill::hold(leader, held, &load);
    let (all, (), cared, (there, away), done) =
        futures::join!(load.run(channels), hold, care(&visitors, &sten, &load), pages(page, &load), harm);
    let healed = Instant::now();
    shown(&all).await;
    println!(
        "nemesis: {done:?}; {} acknowledged, {cared:?} in care, pages {there} there and {away} away; shown after {:?}",
        load.done(),
        healed.elapsed()
    );
    assert!(cared.0 > 0 && there > 0);
    read_back(&journal, &all, (1 + cared.0, 1 + cared.1)).await;
    eventually("every hold has run out", async || {
        (crate::tables::count(&world.cluster.db("scheduling").await, "timer").await == 0).then_some(())
    })
    .await;
    world.cluster.stop().await;
    in_tables(async |service| world.cluster.db(service).await, &all).await;
    holds_ran_out_once(&world.cluster).await;
}
