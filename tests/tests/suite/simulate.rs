//! The simulation of a region, small: the tool that everybody is told to try must work, in the process and against a running suite.

use samtal_tests::ports::Port;
use samtal_tests::process::Launch;
use samtal_tests::servers::{Nats, shared_postgres, shared_redis};
use samtal_tests::suite::SOON;
use std::time::Duration;

/// The one JSON object that it prints, with nothing wrong in it.
fn clean(lines: &[String]) {
    let json = lines.iter().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("no JSON in {lines:#?}"));
    let outcome: serde_json::Value = serde_json::from_str(json).unwrap();
    for kind in ["lost", "repeated", "reordered", "unexpected"] {
        assert_eq!(outcome[kind], 0, "{outcome:#}");
    }
    assert_eq!(outcome["differences"].as_array().map(Vec::len), Some(0), "{outcome:#}");
    assert_eq!(outcome["cases"], 40, "{outcome:#}");
}

#[test]
fn a_region_plays_nine_weeks_in_one_process() {
    let mut process = Launch::samtal("simulate").args(["simulate", "halland", "--embedded", "--cases", "40", "--json"]).start();
    assert!(process.wait_exit(4 * SOON).success(), "{:#?}", process.lines());
    clean(&process.lines());
}

#[test]
fn a_region_plays_flat_out_against_a_running_suite() {
    flat_out(&["--demo".to_owned()], &[]);
}

#[test]
fn a_region_plays_flat_out_on_a_regions_servers() {
    let nats = Nats::start();
    let servers = ["--store", &shared_postgres().fresh_database("simulated"), "--bus", &nats.url(), "--cache", &shared_redis().url()];
    flat_out(&servers.map(str::to_owned), &["2"]);
}

/// Against `samtal up` with these arguments, with a seed or the default one.
fn flat_out(suite: &[String], seed: &[&str]) {
    let (folder, port) = (tempfile::tempdir().unwrap(), Port::free());
    let address = format!("127.0.0.1:{}", port.number());
    let mut suite =
        Launch::samtal("up").args(["up", "--http", "127.0.0.1:0", "--grpc", &address]).args(suite).arg("--data").arg(folder.path()).start();
    suite.wait_for_line("Samtal is ready", SOON);
    // A second time with the same seed is another nine weeks, not the first one's answers.
    for _ in 0..2 {
        let mut process = Launch::samtal("simulate")
            .args(["simulate", "halland", "--cases", "40", "--json", "--address", &format!("http://{address}"), "--data"])
            .arg(folder.path())
            .args(seed.iter().flat_map(|seed| ["--seed", seed]))
            .start();
        assert!(process.wait_exit(4 * SOON).success(), "{:#?}", process.lines());
        clean(&process.lines());
    }
    suite.terminate();
    assert!(suite.wait_exit(Duration::from_secs(30)).success(), "it stops in order while clients are connected");
}
