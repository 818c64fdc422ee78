//! Logs, traces and metrics. No personal data: ids, codes and times only, and in metrics not even ids.
//!
//! Logs go to standard error, as JSON for a region and as plain lines for a laptop; traces and metrics go to an
//! OpenTelemetry collector if one is named, and [`metrics`] can be fetched too. Trace context crosses gRPC and the log as
//! W3C `traceparent`.

pub mod metrics;
mod trace;

pub use trace::{carry, continue_from, continue_trace, link, traceparent, traceparent_of};

use std::io::IsTerminal;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// How this process tells what it does.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Filter such as `info,samtal_log=debug`.
    pub filter: String,
    pub json: bool,
    /// Address of an OTLP collector, `http://collector:4317`; empty: nothing is sent from here.
    pub otlp: String,
    /// `service.name` of traces and metrics.
    pub service: String,
}

/// Ends the export of traces when dropped, so that none of the last are lost.
#[derive(Debug)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
    meters: SdkMeterProvider,
    scrape: metrics::Scrape,
}

impl Telemetry {
    /// What [`metrics`] says now, for whoever fetches it.
    pub fn scrape(&self) -> metrics::Scrape {
        self.scrape.clone()
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = &self.provider {
            // At the end of the process nobody can be told of a failure.
            let _ = provider.shutdown();
        }
        let _ = self.meters.shutdown();
    }
}

/// Sets this process's subscriber. Only the binary calls it, once: libraries and tests leave the global one alone.
pub fn start(settings: &Settings) -> kernel::Result<Telemetry> {
    let filter = EnvFilter::try_new(&settings.filter)
        .map_err(|error| kernel::Error::invalid("log.filter", format!("is no filter such as `info,samtal_log=debug`: {error}")))?;
    let lines = if settings.json {
        tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr).with_filter(filter).boxed()
    } else {
        // Colours are for a terminal; in a file they are noise.
        let colours = std::io::stderr().is_terminal();
        tracing_subscriber::fmt::layer().with_target(false).with_ansi(colours).with_writer(std::io::stderr).with_filter(filter).boxed()
    };
    let provider = if settings.otlp.is_empty() { None } else { Some(exporter(settings)?) };
    let traces = provider
        .as_ref()
        .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("samtal")).with_filter(EnvFilter::new("info")));
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    tracing_subscriber::registry()
        .with(lines)
        .with(traces)
        .try_init()
        .map_err(|error| kernel::Error::internal(format!("telemetry was started twice: {error}")))?;
    let (meters, scrape) = metrics::start(settings)?;
    Ok(Telemetry { provider, meters, scrape })
}

fn resource(settings: &Settings) -> opentelemetry_sdk::Resource {
    opentelemetry_sdk::Resource::builder().with_service_name(settings.service.clone()).build()
}

fn no_collector(error: impl std::fmt::Display) -> kernel::Error {
    kernel::Error::invalid("otlp", format!("is not the address of a collector: {error}"))
}

fn exporter(settings: &Settings) -> kernel::Result<SdkTracerProvider> {
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(&settings.otlp).build().map_err(no_collector)?;
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource(settings)).build())
}
