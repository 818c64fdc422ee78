//! Two replicas of every service: restarted in turn, stopped and continued, with clocks that disagree. P13, P14, P17.

use crate::kill::hold;
use crate::load::{Load, Repeat, in_tables, open, opening, read_back, shown};
use prost::Message as _;
use proto::Event;
use proto::access::PrincipalKind;
use proto::log::Envelope;
use proto::scheduling::{BookingCancelled, SlotHeld};
use samtal_tests::cluster::{Cluster, REPLICAS};
use samtal_tests::suite::{Person, eventually, time};
use samtal_tests::{long, shim};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::args;
use suite::suite::SERVICES;
use tonic::transport::Channel;

/// What `samtal` gives running work at the end, and a little for the machine.
const GRACE: Duration = Duration::from_secs(22);

/// Load on a cluster, with holds that run out; `harm` is done meanwhile; then everything is read back.
async fn under_load(cluster: &mut Cluster, repeat: Repeat, harm: impl AsyncFnOnce(&mut Cluster, &Load) -> (i64, i64)) {
    let load = Load::new(repeat);
    let (journal, leader) =
        (cluster.person(PrincipalKind::Integrator, "journal").await, cluster.person(PrincipalKind::Leader, "alfa.lea").await);
    let mut channels: Vec<Channel> = Vec::new();
    for _ in 0..4 {
        channels.push(cluster.channels().await["intake"].clone());
    }
    let id = kernel::Id::new(kernel::Clock::system().now()).to_string();
    let held = open(repeat, &Person::new(channels[0].clone(), ""), &opening(id)).await.case.unwrap().case_id;
    let harm = async {
        let (cases, messages) = harm(cluster, &load).await;
        load.stop();
        (cases + 1, messages + 1)
    };
    let (all, (), more) = futures::join!(load.run(channels), hold(leader, held, &load), harm);
    shown(&all).await;
    read_back(&journal, &all, more).await;
    eventually("every hold has run out", async || {
        let scheduling = cluster.db("scheduling").await;
        (crate::tables::count(&scheduling, "timer").await == 0).then_some(())
    })
    .await;
    cluster.stop().await;
    in_tables(async |service| cluster.db(service).await, &all).await;
    holds_ran_out_once(cluster).await;
}

/// Each hold ended once, and not before its time.
pub async fn holds_ran_out_once(cluster: &Cluster) {
    let scheduling = cluster.db("scheduling").await;
    let rows = scheduling.rows("SELECT envelope FROM event_log ORDER BY shard, position", args![]).await.unwrap();
    let events: Vec<Envelope> = rows.iter().map(|row| Envelope::decode(row.get::<Vec<u8>>(0).unwrap().as_slice()).unwrap()).collect();
    let mut until = BTreeMap::new();
    let mut ended = BTreeSet::new();
    for event in &events {
        if event.r#type == SlotHeld::TYPE {
            let held = SlotHeld::decode(event.payload.as_slice()).unwrap();
            until.insert(held.booking_id, time(held.held_until.as_ref()));
        } else if event.r#type == BookingCancelled::TYPE {
            let cancelled = BookingCancelled::decode(event.payload.as_slice()).unwrap();
            assert!(cancelled.expired);
            assert!(time(event.occurred_at.as_ref()) >= until[&cancelled.booking_id], "a hold ended early");
            assert!(ended.insert(cancelled.booking_id), "a hold ended twice");
        }
    }
    assert!(!ended.is_empty() && ended.len() == until.len(), "{} of {} holds have ended", ended.len(), until.len());
}

/// P17: every process is stopped and started again while people write. Whoever repeats a call once notices nothing.
#[tokio::test(flavor = "multi_thread")]
async fn p17_a_rolling_restart_fails_no_call_that_is_repeated_once() {
    let mut cluster = Cluster::start(BTreeMap::new()).await;
    under_load(&mut cluster, Repeat::Once, async |cluster, load| {
        load.more(50).await;
        for _ in 0..if long() { 5 } else { 1 } {
            for name in REPLICAS {
                for service in SERVICES {
                    cluster.stop_one(service, name, GRACE).await;
                    cluster.launch(service, name);
                    cluster.ready(service, name).await;
                }
                load.more(20).await;
            }
        }
        (0, 0)
    })
    .await;
}

/// Every lease of every service, with its owner and epoch.
async fn leases(cluster: &Cluster) -> Vec<(&'static str, String, i64, String, i64)> {
    let mut all = Vec::new();
    for service in SERVICES {
        let rows = cluster.db(service).await.rows("SELECT duty, shard, owner, epoch FROM lease ORDER BY duty, shard", args![]).await;
        for row in rows.unwrap() {
            all.push((service, row.text(0).unwrap(), row.int(1).unwrap(), row.text(2).unwrap(), row.int(3).unwrap()));
        }
    }
    all
}

/// Until both replicas have their share of every service's shards.
async fn shared_out(cluster: &Cluster) -> Vec<(&'static str, String, i64, String, i64)> {
    eventually("both replicas own shards", async || {
        let all = leases(cluster).await;
        let both = SERVICES.iter().all(|service| {
            REPLICAS.iter().all(|name| all.iter().any(|(of, _, _, owner, _)| of == service && owner.ends_with(&format!("/{name}"))))
        });
        both.then_some(all)
    })
    .await
}

/// P13, P14: one replica of each service believes that it is ten minutes later than it is, the other that it is ten minutes earlier. Then
/// all processes of the first are stopped in the middle of their work until the others have taken over, and continued.
#[tokio::test(flavor = "multi_thread")]
async fn p13_p14_wrong_clocks_and_stale_owners_change_nothing() {
    let environment = BTreeMap::from([("a", shim::clock_off_by(600)), ("b", shim::clock_off_by(-600))]);
    let mut cluster = Cluster::start(environment).await;
    let started = kernel::Clock::system().now();
    under_load(&mut cluster, Repeat::UntilCertain, async |cluster, load| {
        let before = shared_out(cluster).await;
        load.more(100).await;
        let more = the_same_at_either(cluster, started).await;
        assert_eq!(leases(cluster).await, before, "no lease moves because a clock is wrong");

        for service in SERVICES {
            // What a load balancer does with one that does not answer.
            cluster.send_to(service, &["b"]);
            cluster.process(service, "a").pause();
            cluster.front(service).cut();
        }
        load.more(20).await;
        eventually("the others have taken over", async || {
            leases(cluster).await.iter().all(|(_, _, _, owner, _)| owner.ends_with("/b")).then_some(())
        })
        .await;
        if long() {
            tokio::time::sleep(Duration::from_secs(55)).await;
        }
        load.more(50).await;
        for service in SERVICES {
            cluster.process(service, "a").resume();
            cluster.send_to(service, &REPLICAS);
        }
        let after = shared_out(cluster).await;
        for ((service, duty, shard, _, epoch), (.., earlier)) in after.iter().zip(&before) {
            assert!(epoch >= earlier, "{service} {duty} {shard}");
        }
        load.more(100).await;
        more
    })
    .await;
}

/// A message sent to either replica is one message, and says the time that it is. Answers how many cases and messages it made.
async fn the_same_at_either(cluster: &Cluster, started: kernel::Time) -> (i64, i64) {
    let (one, other) = (cluster.channel_to("intake", "a").await, cluster.channel_to("intake", "b").await);
    let mine = open(Repeat::UntilCertain, &Person::new(one.clone(), ""), &opening(String::new())).await;
    let case = mine.case.unwrap().case_id;
    let both = [one, other].map(|channel| Person::new(channel, &mine.visitor_token));
    for n in 0..10 {
        let first = both[n % 2].post(&case, &format!("m{n}"), "samma").await.unwrap();
        assert_eq!(both[(n + 1) % 2].post(&case, &format!("m{n}"), "samma").await.unwrap(), first);
    }
    let read = both[0].messages(&case).await.unwrap();
    assert_eq!(read.iter().map(|message| message.seq).collect::<Vec<_>>(), (1..=11).collect::<Vec<_>>());
    let times: Vec<kernel::Time> = read.iter().map(|message| time(message.created_at.as_ref())).collect();
    assert!(times.is_sorted(), "{times:?}");
    let (first, last) = (times[0], times[10]);
    assert!(started < first && last < kernel::Clock::system().now() + Duration::from_secs(5), "{first:?} {last:?}");
    (1, 11)
}
