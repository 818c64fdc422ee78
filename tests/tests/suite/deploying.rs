//! Steps of deployment, as an operator types them: provision, migrate, check.

use samtal_tests::process::samtal;
use samtal_tests::remote::Remote;
use samtal_tests::servers::{Nats, shared_postgres};
use samtal_tests::suite::{Stack, TestSuite, region_yaml};

#[tokio::test(flavor = "multi_thread")]
async fn a_login_without_any_right_serves_what_was_provisioned() {
    let nats = tokio::task::spawn_blocking(Nats::start_with_users).await.unwrap();
    let owner = shared_postgres().fresh_database("deploying");
    let database = owner.rsplit('/').next().unwrap().to_owned();
    shared_postgres().psql("postgres", "DROP ROLE IF EXISTS deploying_services; CREATE ROLE deploying_services LOGIN NOINHERIT");
    let services = owner.replacen("://samtal@", "://deploying_services@", 1);
    assert_ne!(services, owner);
    let up = |store: &str| Remote::new(vec!["--store".into(), store.to_owned()]);

    // Before: it is said what an administrator does.
    let mut early = up(&services);
    early.launch("");
    assert!(early.dies().await, "without roles there is no service");
    let said = early.process().lines().join("\n");
    assert!(said.contains("may not make what this service needs") && said.contains("CREATE ROLE"), "{said}");

    let provision = ["provision", "--store", &owner, "--bus", &nats.url_as("provision"), "--login", "deploying_services"];
    let (done, said) = samtal(&provision).await;
    assert!(done && said.contains("insights: roles, schema and tables, for deploying_services"), "{said}");
    assert!(said.contains("NATS: stream SAMTAL_LOG: 1 replica(s)"), "{said}");
    assert_eq!(samtal(&provision).await, (true, said), "a second time changes nothing");
    let (done, said) = samtal(&["migrate", "--store", &owner]).await;
    assert!(done && said.lines().count() == 6, "{said}");

    let mut suite = up(&services);
    suite.up_with_region().await;
    let opened = suite.anonymous().await.cases().open_case(crate::load::opening(String::new())).await;
    assert!(!opened.unwrap().into_inner().case.unwrap().case_id.is_empty());
    let made = shared_postgres()
        .psql(&database, "SELECT COUNT(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = 'deploying_services'");
    assert_eq!(made.trim(), "0", "it owns nothing");
    suite.stop().await;
}

/// A fault in the middle of an apply is said, with what was done so far; the same command completes it.
#[tokio::test(flavor = "multi_thread")]
async fn an_apply_that_is_cut_short_is_completed_by_the_next() {
    let suite = TestSuite::start(Stack::Region).await;
    let database = suite.database_name();
    let rights = async |what: &str| {
        let (database, sql) = (database.clone(), format!("{what} \"{database}_routing_app\""));
        tokio::task::spawn_blocking(move || shared_postgres().psql(&database, &sql)).await.unwrap();
    };
    let document = region::parse("tests.yaml", &region_yaml().replacen("name: Alfa", "name: Alfabetet", 1)).unwrap();
    let apply = async || suite::apply::apply(&suite.operator().client, &document).await;
    rights("REVOKE INSERT, UPDATE ON routing.region_part FROM").await;
    let error = apply().await.unwrap_err();
    assert_eq!(error.reason, "APPLY_CUT_SHORT", "{error:?}");
    assert!(error.message.contains("routing") && error.message.contains("changed so far: intake, triage;"), "{error:?}");
    rights("GRANT INSERT, UPDATE ON routing.region_part TO").await;
    let done = apply().await.unwrap();
    assert_eq!(done.changed, ["routing", "scheduling", "notifications", "insights"], "what was done is not done again");
    assert!(apply().await.unwrap().changed.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_what_is_unsafe_line_by_line() {
    let nats = tokio::task::spawn_blocking(Nats::start).await.unwrap();
    let store = shared_postgres().fresh_database("checked");
    let database = store.rsplit('/').next().unwrap().to_owned();
    let (_, said) = samtal(&["check", "--store", &store, "--bus", &nats.url()]).await;
    for line in [
        "fine   PostgreSQL: version",
        "fine   PostgreSQL: full_page_writes",
        "think  PostgreSQL: no synchronous standby",
        "fine   PostgreSQL: the login samtal passes by no policy",
        "think  PostgreSQL: the connection is not encrypted",
        "fine   clock: PostgreSQL's and this machine's are",
        "fine   NATS: version",
        "think  NATS: no stream yet",
        "think  NATS: lets everybody in who reaches it",
    ] {
        // What a test server is set to for speed is not this test's matter.
        assert!(said.contains(line) || said.contains(&line.replacen("fine  ", "UNSAFE", 1)), "{line} is not in:\n{said}");
    }
    assert!(said.lines().last().unwrap().contains("to think about"), "{said}");
    let (done, said) = samtal(&["check", "--store", &shared_postgres().superuser_url(&database), "--bus", &nats.url()]).await;
    assert!(!done && said.contains("is a superuser or has BYPASSRLS"), "{said}");
    // The password is in no line.
    let (done, said) =
        samtal(&["check", "--store", "postgres://samtal:KANARIE@127.0.0.1:1/x", "--bus", "nats://u:KANARIE@127.0.0.1:1"]).await;
    assert!(!done && said.contains("UNSAFE PostgreSQL") && said.contains("UNSAFE NATS") && !said.contains("KANARIE"), "{said}");
    // A server that has no room for the whole stream gets a smaller one, and that is said.
    let small = tokio::task::spawn_blocking(|| Nats::start_with_room("300MB")).await.unwrap();
    let (done, said) = samtal(&["provision", "--store", &store, "--bus", &small.url()]).await;
    assert!(done && said.contains("256 MiB"), "{said}");
    let (_, said) = samtal(&["check", "--store", &store, "--bus", &small.url()]).await;
    assert!(said.contains("think  NATS: had no room for the whole stream"), "{said}");
    let (done, said) = samtal(&["check"]).await;
    assert!(done && said.contains("embedded: one machine"), "{said}");
    let (done, said) = samtal(&["migrate"]).await;
    assert!(!done && said.contains("must name a PostgreSQL server"), "{said}");
}
