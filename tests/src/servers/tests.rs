//! Each server starts, answers, and keeps its data over kill and restart.

use super::*;
use crate::process::Launch;
use crate::wait_until;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

#[test]
fn postgres_keeps_what_was_committed() {
    let postgres = Postgres::start();
    let url = postgres.create_database("kept");
    assert_eq!(url, postgres.url("kept"));
    postgres.psql("kept", "create table t (n int); insert into t values (42)");
    postgres.kill();
    assert!(postgres.try_psql("kept", "select 1").is_err());
    postgres.restart();
    assert_eq!(postgres.psql("kept", "select n from t"), "42");
    postgres.restart();
    assert_eq!(postgres.psql("kept", "select n from t"), "42");
    assert_eq!(postgres.url("kept"), url);
    assert_eq!(postgres.psql("kept", "show fsync"), "on");
    let owner = postgres.psql("kept", "select rolname, rolsuper from pg_database join pg_roles r on r.oid = datdba where datname = 'kept'");
    assert_eq!(owner, "samtal|f");
}

#[test]
fn postgres_leaves_nothing_behind() {
    let postgres = Postgres::start();
    let (dir, pid) = (postgres.dir.path().to_path_buf(), postgres.instance.pid().unwrap());
    assert!(dir.exists());
    drop(postgres);
    assert!(!dir.exists() && !Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn every_test_gets_a_database_of_its_own() {
    let one = shared_postgres().fresh_database("intake");
    let two = shared_postgres().fresh_database("intake");
    assert_ne!(one, two);
    let name = one.rsplit('/').next().unwrap();
    shared_postgres().psql(name, "create table t ()");
}

#[test]
fn redis_keeps_its_data_until_flushed() {
    let redis = Redis::start();
    assert_eq!(redis.command(&["SET", "key", "värde"]), "+OK");
    redis.kill();
    assert_eq!(redis.try_command(&["PING"]), None);
    redis.restart();
    assert_eq!(redis.command(&["GET", "key"]), "$6\r\nvärde");
    redis.flush();
    assert_eq!(redis.command(&["GET", "key"]), "$-1");
    assert_eq!(shared_redis().command(&["PING"]), "+PONG");
    assert_ne!(shared_redis().url(), redis.url());
}

#[test]
fn nats_keeps_its_store_until_deleted_and_takes_it_back() {
    let nats = Nats::start();
    let stored = |nats: &Nats| {
        let info = nats.request("$JS.API.STREAM.INFO.KEPT", "");
        if info.contains("stream not found") { None } else { info.contains("\"messages\":1,").then_some(1) }
    };
    let created = nats.request("$JS.API.STREAM.CREATE.KEPT", r#"{"name":"KEPT","subjects":["kept.>"],"storage":"file","num_replicas":1}"#);
    assert!(created.contains("stream_create_response") && !created.contains("error"), "{created}");
    assert!(nats.request("kept.one", "hej").contains("\"seq\":1"));
    nats.restart();
    assert_eq!(stored(&nats), Some(1));

    nats.kill();
    let copy = tempfile::tempdir().unwrap();
    nats.copy_store(&copy.path().join("store"));
    nats.delete_store();
    nats.restart();
    assert_eq!(stored(&nats), None);

    nats.kill();
    nats.put_back_store(&copy.path().join("store"));
    nats.restart();
    assert_eq!(stored(&nats), Some(1));
    assert!(shared_nats().url() != nats.url());
}

/// Not a test: what the next one starts in a process of its own, to be killed.
#[test]
#[ignore = "helper of another test"]
fn helper_starts_servers_and_waits() {
    if std::env::var_os("HELPER_OF_TEST").is_none() {
        return;
    }
    let redis = shared_redis();
    shared_postgres();
    println!(
        "\nstarted {} {} {}",
        redis.instance.pid().unwrap(),
        shared_postgres().instance.pid().unwrap(),
        crate::spawn::run_dir().display()
    );
    std::thread::park();
}

#[test]
fn servers_and_folders_go_when_the_test_process_is_killed() {
    let mut helper = Launch::program(&std::env::current_exe().unwrap(), "helper")
        .args(["--ignored", "--exact", "servers::tests::helper_starts_servers_and_waits", "--nocapture"])
        .env("HELPER_OF_TEST", "1")
        .start();
    let line = helper.wait_for_line("started ", SOON);
    let words: Vec<&str> = line.split(' ').collect();
    let there = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(there(words[1]) && there(words[2]) && Path::new(words[3]).exists());
    helper.kill9();
    wait_until("Redis is gone", SOON, || !there(words[1]));
    wait_until("PostgreSQL is gone", SOON, || !there(words[2]));
    wait_until("the folder is gone", SOON, || !Path::new(words[3]).exists());
}
