//! Who may depend on whom (design §10): over `cargo metadata`, and over what the files of `domain` name.

use crate::rust_files;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

const BINARY: &str = "samtal";
const TESTS: &str = "samtal-tests";
const SERVICES: &[&str] = &["intake", "triage", "routing", "scheduling", "notifications", "insights", "gateway"];
/// What `services/*/src/domain` may name. `serde` for state that is stored; `proptest` is only there in its tests.
const DOMAIN_MAY_USE: &[&str] = &[
    "kernel",
    "region",
    "screening",
    "std",
    "core",
    "alloc",
    "serde",
    // Calendars and holidays: pure computation.
    "jiff",
    "computus",
    // What a picture's file is made of: pure too.
    "img_parts",
    "proptest",
    "super",
    "self",
];
/// Paths that betray IO or the wire, also without a `use`.
const DOMAIN_NEVER_NAMES: &[&str] =
    &["store", "bus", "log", "ephemeral", "proto", "rpc", "runtime", "tonic", "sqlx", "async_nats", "redis", "tokio", "axum"];

/// Package name -> names of the workspace's packages it depends on, in any way (normal, build, dev).
type Graph = BTreeMap<String, BTreeSet<String>>;

/// Everything in the graph that breaks the rule; empty when all is well.
fn violations(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for (package, dependencies) in graph {
        let allowed = |dependency: &str| match package.as_str() {
            BINARY | TESTS => dependency != TESTS,
            "samtal-kernel" => false,
            "samtal-screening" | "samtal-region" | "samtal-proto" => dependency == "samtal-kernel",
            // Libraries and services alike: no service, not the binary, not the tests.
            _ => dependency != BINARY && dependency != TESTS && !is_service(dependency),
        };
        found.extend(dependencies.iter().filter(|name| !allowed(name)).map(|name| format!("{package} must not depend on {name}")));
    }
    found
}

fn is_service(package: &str) -> bool {
    package.strip_prefix("samtal-").is_some_and(|name| SERVICES.contains(&name))
}

/// The workspace as cargo sees it: the graph, and each package's folder.
fn workspace() -> (Graph, BTreeMap<String, String>) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(samtal_tests::workspace_root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let root = metadata["workspace_root"].as_str().unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let name_of = |package: &serde_json::Value| package["name"].as_str().unwrap().to_owned();
    let ours: BTreeSet<String> = packages.iter().map(name_of).collect();
    let graph = packages.iter().map(|package| {
        let dependencies = package["dependencies"].as_array().unwrap().iter().map(name_of);
        (name_of(package), dependencies.filter(|name| ours.contains(name)).collect())
    });
    let folders = packages.iter().map(|package| {
        let manifest = package["manifest_path"].as_str().unwrap();
        let folder = manifest.strip_prefix(root).unwrap().trim_start_matches('/').trim_end_matches("/Cargo.toml");
        (name_of(package), folder.to_owned())
    });
    (graph.collect(), folders.collect())
}

#[test]
fn dependencies_follow_the_design() {
    let found = violations(&workspace().0);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_service_folder_is_known_to_the_rule() {
    let (_, folders) = workspace();
    let found: BTreeSet<&str> =
        folders.iter().filter(|(_, folder)| folder.starts_with("services/")).map(|(name, _)| name.as_str()).collect();
    let expected: BTreeSet<String> = SERVICES.iter().map(|name| format!("samtal-{name}")).chain([BINARY.to_owned()]).collect();
    assert_eq!(found, expected.iter().map(String::as_str).collect());
}

#[test]
fn the_rule_notices_each_kind_of_breach() {
    let graph = |edges: &[(&str, &str)]| {
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        graph
    };
    let good = graph(&[
        ("samtal-screening", "samtal-kernel"),
        ("samtal-proto", "samtal-kernel"),
        ("samtal-intake", "samtal-log"),
        ("samtal-log", "samtal-store"),
        ("samtal", "samtal-intake"),
        ("samtal", "samtal-triage"),
        ("samtal-tests", "samtal-routing"),
        ("samtal-tests", "samtal"),
    ]);
    assert_eq!(violations(&good), Vec::<String>::new());
    for (from, to) in [
        ("samtal-kernel", "samtal-region"),
        ("samtal-screening", "samtal-region"),
        ("samtal-region", "samtal-store"),
        ("samtal-proto", "samtal-rpc"),
        ("samtal-log", "samtal-intake"),
        ("samtal-intake", "samtal-triage"),
        ("samtal-gateway", "samtal-routing"),
        ("samtal-gateway", "samtal"),
        ("samtal-store", "samtal-tests"),
        ("samtal", "samtal-tests"),
    ] {
        let mut bad = good.clone();
        bad.entry(from.to_owned()).or_default().insert(to.to_owned());
        assert_eq!(violations(&bad), [format!("{from} must not depend on {to}")]);
    }
}

/// What a file of `domain` names that it must not.
fn domain_breaches(source: &str) -> Vec<String> {
    let code: Vec<&str> = source.lines().map(|line| line.split("//").next().unwrap_or_default().trim()).collect();
    let after_visibility = |line: &str| -> String {
        let line = line
            .strip_prefix("pub")
            .map_or(line, |rest| rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |(_, rest)| rest));
        line.trim_start().to_owned()
    };
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let first_word = |text: &str| -> String { text.chars().take_while(|c| is_word(*c)).collect() };
    let own_modules: BTreeSet<String> =
        code.iter().filter_map(|line| after_visibility(line).strip_prefix("mod ").map(|rest| first_word(rest.trim()))).collect();
    let mut found = Vec::new();
    for line in &code {
        let statement = after_visibility(line);
        if let Some(path) = statement.strip_prefix("use ") {
            let path = path.trim_start().trim_start_matches("::");
            let root = first_word(path);
            // A capital is a local type (`use Severity::*`).
            let local = root.starts_with(char::is_uppercase) || own_modules.contains(&root) || path.starts_with("crate::domain");
            if !local && !DOMAIN_MAY_USE.contains(&root.as_str()) {
                found.push(format!("use {path}"));
                continue;
            }
        }
        for name in DOMAIN_NEVER_NAMES {
            let path = format!("{name}::");
            if line.match_indices(&path).any(|(at, _)| !line[..at].ends_with(is_word)) {
                found.push((*line).to_owned());
            }
        }
    }
    found
}

#[test]
fn domain_knows_nothing_of_stores_and_wires() {
    let root = samtal_tests::workspace_root();
    let mut found = Vec::new();
    for service in SERVICES {
        let source = root.join("services").join(service).join("src");
        let mut files = rust_files(&source.join("domain"));
        files.extend(Some(source.join("domain.rs")).filter(|path| path.exists()));
        for path in files {
            let breaches = domain_breaches(&std::fs::read_to_string(&path).unwrap());
            found.extend(breaches.iter().map(|breach| format!("{}: {breach}", path.strip_prefix(&root).unwrap().display())));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_domain_check_notices_each_kind_of_breach() {
    let good = "
        //! Never `use store::Db` here.
        mod ageing;
        pub use ageing::Ageing;
        pub(crate) use crate::domain::case::Case;
        use kernel::{
            ids::CaseId,
        };
        use Severity::*;
        use super::queue::Queue; // not tonic::Status
        fn f(restore: u8) -> u8 { self::backlog::g(restore) }";
    assert_eq!(domain_breaches(good), Vec::<String>::new());
    for bad in [
        "use store::Db;",
        "use crate::store::Cases;",
        "use {store::Db, kernel::Time};",
        "pub(crate) use tonic::Status;",
        "use ::sqlx::PgPool;",
        "use super::super::store::Cases;",
        "fn f() -> Result<(), tonic::Status> { Ok(()) }",
        "let x: Vec<proto::Case> = vec![];",
    ] {
        assert_eq!(domain_breaches(bad).len(), 1, "{bad}");
    }
}
