//! Every metric that Samtal has, in one list. Labels are few and bounded: codes, names of services, RPCs, consumers and
//! shards; never an id, a name, an organisation or a text.
//!
//! Until the binary has started telemetry nothing is measured: whoever tells something here then costs a look at one
//! variable. Names in Prometheus follow from those here: dots become underscores, units and `_total` are appended.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, MeterProvider as _, UpDownCounter};
use opentelemetry::{KeyValue, Value};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder, Registry, TextEncoder};

use crate::Settings;

/// From a fast read to the longest deadline, in seconds.
const CALLS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0, 120.0];
/// How long people wait and offers stand: from seconds to days.
const WAITS: [f64; 13] = [5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 43_200.0, 86_400.0];

static METRICS: OnceLock<Metrics> = OnceLock::new();

struct Metrics {
    build: Gauge<u64>,
    calls: Histogram<f64>,
    streams: UpDownCounter<i64>,
    log_head: Gauge<i64>,
    log_refused: Gauge<u64>,
    relay_lag: Gauge<i64>,
    consumer_position: Gauge<i64>,
    consumer_halted: Gauge<u64>,
    dead_letters: Gauge<i64>,
    audit_unsealed: Gauge<f64>,
    timers_overdue: Gauge<f64>,
    unmeasured: Counter<u64>,
    waiting: Gauge<i64>,
    longest_wait: Gauge<f64>,
    waits: Histogram<f64>,
    offers: Histogram<f64>,
    deliveries: Counter<u64>,
}

impl Metrics {
    fn new(meter: &Meter) -> Self {
        let seconds = |name: &'static str, what: &'static str, bounds: &[f64]| {
            meter.f64_histogram(name).with_description(what).with_unit("s").with_boundaries(bounds.to_vec()).build()
        };
        let count = |name: &'static str, what: &'static str| meter.i64_gauge(name).with_description(what).build();
        let whether = |name: &'static str, what: &'static str| meter.u64_gauge(name).with_description(what).build();
        let age = |name: &'static str, what: &'static str| meter.f64_gauge(name).with_description(what).with_unit("s").build();
        let counter = |name: &'static str, what: &'static str| meter.u64_counter(name).with_description(what).build();
        Self {
            build: whether("samtal.build.info", "1, with the version of this process"),
            calls: seconds("samtal.rpc.duration", "From a call's arrival to its answer, or to a stream's first one", &CALLS),
            streams: meter.i64_up_down_counter("samtal.streams.open").with_description("Streams that are open now").build(),
            log_head: count("samtal.log.head", "Last position in the log of a service"),
            log_refused: whether("samtal.log.refused", "1 while a log takes no events, since it is behind what others have seen"),
            relay_lag: count("samtal.relay.lag", "Events in the log that are not known to be on the bus"),
            consumer_position: count("samtal.consumer.position", "Last position of a source that took effect in a service"),
            consumer_halted: whether("samtal.consumer.halted", "Shards of a source that stand still in a service"),
            dead_letters: count("samtal.dead.letters", "Events set aside: dead, or parked behind a dead one"),
            audit_unsealed: age("samtal.audit.unsealed.age", "Age of the oldest audit row without a seal"),
            timers_overdue: age("samtal.timers.overdue", "For how long the oldest timer that is due has not fired"),
            unmeasured: counter("samtal.gauges.failed", "Times that gauges could not be read from the store"),
            waiting: count("samtal.queue.waiting", "Cases that wait for somebody, by severity"),
            longest_wait: age("samtal.queue.longest.wait", "How long the case has waited that waits longest, by severity"),
            waits: seconds("samtal.queue.wait", "From a case's queueing until somebody had it, by severity", &WAITS),
            offers: seconds("samtal.offer.duration", "How long an offer stood, by how it ended", &WAITS),
            deliveries: counter("samtal.deliveries", "Deliveries that have ended, by channel and how"),
        }
    }
}

/// The metrics as text, for Prometheus. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Scrape(Registry);

impl Scrape {
    pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

    pub fn text(&self) -> kernel::Result<String> {
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.0.gather(), &mut text)
            .map_err(|error| kernel::Error::internal(format!("the metrics cannot be written: {error}")))?;
        String::from_utf8(text).map_err(|error| kernel::Error::internal(format!("the metrics are no text: {error}")))
    }
}

/// Starts measuring in this process, and sending if a collector is named.
pub(crate) fn start(settings: &Settings) -> kernel::Result<(SdkMeterProvider, Scrape)> {
    let failed = |error: &dyn std::fmt::Display| kernel::Error::internal(format!("metrics cannot be kept: {error}"));
    let registry = Registry::new();
    let pulled = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .without_target_info()
        .build()
        .map_err(|error| failed(&error))?;
    let mut builder = SdkMeterProvider::builder().with_resource(crate::resource(settings)).with_reader(pulled);
    if !settings.otlp.is_empty() {
        let exporter = opentelemetry_otlp::MetricExporter::builder()
            .with_tonic()
            .with_endpoint(&settings.otlp)
            .build()
            .map_err(crate::no_collector)?;
        builder = builder.with_periodic_exporter(exporter);
    }
    let meters = builder.build();
    METRICS.set(Metrics::new(&meters.meter("samtal"))).map_err(|_| failed(&"telemetry was started twice"))?;
    with(|metrics| metrics.build.record(1, &[label("version", env!("CARGO_PKG_VERSION"))]));
    Ok((meters, Scrape(registry)))
}

/// Whether anybody measures here; if not, nothing need be looked up for it.
pub fn on() -> bool {
    METRICS.get().is_some()
}

fn with(tell: impl FnOnce(&Metrics)) {
    if let Some(metrics) = METRICS.get() {
        tell(metrics);
    }
}

fn label(name: &'static str, value: impl Into<Value>) -> KeyValue {
    KeyValue::new(name, value)
}

/// A call was answered. `rpc` as the policy table names it, `code` as gRPC does.
pub fn call(rpc: &'static str, code: &'static str, took: Duration) {
    with(|metrics| metrics.calls.record(took.as_secs_f64(), &[label("rpc", rpc), label("code", code)]));
}

/// A stream that counts as open until it is dropped.
#[derive(Debug)]
pub struct OpenStream(&'static str);

/// Counts a stream as open; `kind` is the RPC, or what a page's stream is for.
pub fn open_stream(kind: &'static str) -> OpenStream {
    with(|metrics| metrics.streams.add(1, &[label("stream", kind)]));
    OpenStream(kind)
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        with(|metrics| metrics.streams.add(-1, &[label("stream", self.0)]));
    }
}

/// How far a shard of `service`'s own log is, and how many of its events are not known to be on the bus.
pub fn log_shard(service: &'static str, shard: u32, head: i64, relayed: i64) {
    let labels = [label("source", service), label("shard", i64::from(shard))];
    with(|metrics| {
        metrics.log_head.record(head, &labels);
        metrics.relay_lag.record((head - relayed).max(0), &labels);
    });
}

/// Whether `service`'s log refuses events.
pub fn log_refused(service: &'static str, refused: bool) {
    with(|metrics| metrics.log_refused.record(u64::from(refused), &[label("service", service)]));
}

/// How far `service` is in a shard of `source`.
pub fn consumer(service: &'static str, source: &str, shard: u32, position: i64) {
    let labels = [label("service", service), label("source", source.to_owned()), label("shard", i64::from(shard))];
    with(|metrics| metrics.consumer_position.record(position, &labels));
}

/// What `service` cannot take from `source`: shards that stand still, events that are dead, events parked behind those.
pub fn stuck(service: &'static str, source: &'static str, halted: u64, dead: i64, parked: i64) {
    let labels = |state| [label("service", service), label("source", source), label("state", state)];
    with(|metrics| {
        metrics.consumer_halted.record(halted, &[label("service", service), label("source", source)]);
        metrics.dead_letters.record(dead, &labels("dead"));
        metrics.dead_letters.record(parked, &labels("parked"));
    });
}

/// How old the oldest audit row without a seal is, and for how long the oldest due timer has not fired; zero: there is none.
pub fn behind(service: &'static str, unsealed: Duration, overdue: Duration) {
    let labels = [label("service", service)];
    with(|metrics| {
        metrics.audit_unsealed.record(unsealed.as_secs_f64(), &labels);
        metrics.timers_overdue.record(overdue.as_secs_f64(), &labels);
    });
}

/// The gauges of `service` could not be read; the old values stand. With 0 it only makes the counter known.
pub fn unmeasured(service: &'static str, times: u64) {
    with(|metrics| metrics.unmeasured.add(times, &[label("service", service)]));
}

/// How many cases of a severity wait, and how long the one does that waits longest.
pub fn queue(severity: &'static str, waiting: i64, longest: Duration) {
    let labels = [label("severity", severity)];
    with(|metrics| {
        metrics.waiting.record(waiting, &labels);
        metrics.longest_wait.record(longest.as_secs_f64(), &labels);
    });
}

/// Somebody has a case that waited.
pub fn waited(severity: &'static str, wait: Duration) {
    with(|metrics| metrics.waits.record(wait.as_secs_f64(), &[label("severity", severity)]));
}

/// An offer has ended.
pub fn offer(how: &'static str, stood: Duration) {
    with(|metrics| metrics.offers.record(stood.as_secs_f64(), &[label("how", how)]));
}

/// There may be deliveries by `channel` that end so: until the first one there are none, which is more than not to know.
pub fn expect_deliveries(channel: &'static str, how: &'static str) {
    with(|metrics| metrics.deliveries.add(0, &[label("channel", channel), label("how", how)]));
}

/// A delivery has ended.
pub fn delivery(channel: &'static str, how: &'static str) {
    with(|metrics| metrics.deliveries.add(1, &[label("channel", channel), label("how", how)]));
}
