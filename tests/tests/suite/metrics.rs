//! What dashboards and alerts ask for is what the binary exports, and what it exports is described.

use crate::load::opening;
use proto::access::PrincipalKind;
use proto::intake::SubscribeRequest;
use samtal_tests::remote::Remote;
use samtal_tests::suite::{Person, eventually};
use samtal_tests::workspace_root;
use std::collections::BTreeSet;
use suite::client;

/// Words of `text` that begin as our metrics do.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("samtal_")).map(str::to_owned).collect()
}

/// Names of the metrics that `/metrics` tells, and of the series of its histograms.
fn told(metrics: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut names, mut series) = (BTreeSet::new(), BTreeSet::new());
    for line in metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        names.insert(name.to_owned());
        series.insert(name.to_owned());
        if kind == "histogram" {
            series.extend(["bucket", "sum", "count"].map(|part| format!("{name}_{part}")));
        }
    }
    (names, series)
}

/// The value of the one series that begins so.
fn value(metrics: &str, series: &str) -> Option<f64> {
    metrics.lines().find(|line| line.starts_with(series))?.rsplit(' ').next()?.parse().ok()
}

fn read(path: &str) -> String {
    let path = workspace_root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboards_alerts_and_documents_name_what_the_binary_exports() {
    let mut remote = Remote::new(Vec::new());
    remote.up_with_region().await;
    let anna = remote.person(PrincipalKind::Worker, "alfa.anna").await;
    anna.present(true).await;
    let anonymous = remote.anonymous().await;
    let opened = anonymous.cases().open_case(opening(String::new())).await.unwrap().into_inner();
    let (case, token) = (opened.case.unwrap().case_id, opened.visitor_token);
    anna.take(&case).await;
    let visitor = Person::new(client::connect(&remote.address()).await.unwrap(), &token);
    let screen = visitor.conversations().subscribe(SubscribeRequest { case_id: case, after_seq: 0 }).await.unwrap();
    let subscribed = "samtal_streams_open{stream=\"samtal.intake.v1.ConversationService/Subscribe\"}";
    // Gauges are read every few seconds.
    let metrics = eventually("everything was measured", async || {
        let metrics = remote.metrics().await;
        let all = value(&metrics, "samtal_queue_wait_seconds_count").is_some() && metrics.contains("samtal_consumer_position{");
        (all && value(&metrics, subscribed) == Some(1.0)).then_some(metrics)
    })
    .await;
    let (names, series) = told(&metrics);

    // So that the comparison can fail.
    assert!(!series.contains("samtal_unheard_of") && names.contains("samtal_rpc_duration_seconds"), "{names:?}");
    for path in ["charts/samtal/alerts.yaml", "charts/samtal/dashboards/operation.json", "charts/samtal/dashboards/care.json"] {
        let asked = named(&read(path));
        assert!(asked.len() > 3, "{path} asks for {asked:?}");
        assert_eq!(asked.difference(&series).collect::<Vec<_>>(), [""; 0], "{path} asks for what nobody tells");
    }
    let described = named(&read("docs/operations/metrics.md"));
    assert_eq!(described, names, "docs/operations/metrics.md and what is told");

    // What was done was counted.
    let of = |series: &str| value(&metrics, series);
    assert_eq!(of("samtal_rpc_duration_seconds_count{code=\"OK\",rpc=\"samtal.intake.v1.CaseService/OpenCase\"}"), Some(1.0));
    assert_eq!(of("samtal_offer_duration_seconds_count{how=\"accepted\"}"), Some(1.0));
    assert_eq!(of("samtal_deliveries_total{channel=\"email\",how=\"delivered\"}"), Some(0.0));
    drop(screen);
    eventually("the stream is closed", async || (value(&remote.metrics().await, subscribed) == Some(0.0)).then_some(())).await;
    remote.stop().await;
}
