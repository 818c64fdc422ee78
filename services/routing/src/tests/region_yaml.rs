//! The region of these tests: two organisations, one with two clinics.

use std::collections::BTreeMap;

use auth::Role;
use proto::config::ApplyRegionRequest;
use proto::config::config_service_server::ConfigService;
use rpc::Caller;
use runtime::Node;
use runtime::services::config::Config;
use tonic::Request;

const YAML: &str = r#"
region: Prov
organisations:
  - id: sjukvard
    name: Sjukvård
    country: SE
    timezone: Europe/Stockholm
    languages: [sv, en]
    clinics:
      - { id: ett, name: Ett }
      - { id: tva, name: Två }
    catalogue: { version: 1, reasons: [{ id: cold, name: { sv: Kall, en: Cold } }] }
    calendars: [{ id: alltid, weeks: [], always_open: true }]
    queues:
      - { id: fram, clinic: ett, offer_seconds: 30 }
      - { id: hylla, clinic: ett, kind: pull }
      - { id: bak, clinic: tva }
    workers:
      - { id: anna, name: Anna, clinics: [ett], profession: nurse, queues: [fram, hylla] }
      - { id: bea, name: Bea, clinics: [ett], profession: nurse, queues: [fram, hylla] }
      - { id: cia, name: Cia, clinics: [ett], profession: nurse, queues: [fram] }
      - { id: tor, name: Tor, clinics: [tva], profession: nurse, queues: [bak] }
      - { id: lea, name: Lea, clinics: [ett, tva], role: leader, profession: nurse }
    entry_points:
      - { id: dorr, clinic: ett, name: { sv: Dörr, en: Door }, queue: fram, calendar: alltid, retention_days: 10 }
  - id: annan
    name: Annan
    country: NO
    timezone: Europe/Oslo
    languages: [nb]
    clinics: [{ id: bortom, name: Bortom }]
    catalogue: { version: 1, reasons: [{ id: other, name: { nb: Annet } }] }
    calendars: [{ id: alltid-annan, weeks: [], always_open: true }]
    queues: [{ id: fjern, clinic: bortom }]
    workers: [{ id: bo, name: Bo, clinics: [bortom], profession: nurse, queues: [fjern] }]
    entry_points:
      - { id: port, clinic: bortom, name: { nb: Port }, queue: fjern, calendar: alltid-annan, retention_days: 10 }
"#;

pub async fn apply(node: &Node) {
    apply_without(node, &[]).await;
}

/// The region without these workers.
pub async fn apply_without(node: &Node, workers: &[&str]) {
    let mut document = region::parse("prov.yaml", YAML).unwrap_or_else(|findings| panic!("{findings:?}"));
    for organisation in &mut document.region.organisations {
        organisation.workers.retain(|worker| !workers.contains(&worker.id.as_str()));
    }
    let config = Config { nodes: BTreeMap::from([("routing", node.clone())]) };
    let message = ApplyRegionRequest { service: "routing".into(), region_json: serde_json::to_string(&document.region).unwrap() };
    let mut request = Request::new(message);
    request.extensions_mut().insert(Caller {
        principal: super::principal(Role::Operator, "", "operator", &[]),
        rpc: "samtal.config.v1.ConfigService/ApplyRegion",
        traceparent: String::new(),
        token_hash: Vec::new(),
    });
    config.apply_region(request).await.unwrap();
}
