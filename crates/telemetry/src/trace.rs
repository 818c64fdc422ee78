//! Trace context on its way: out with a call, along with an event, and back into a span.

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::trace::TraceContextExt;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Name of the header.
const TRACEPARENT: &str = "traceparent";

struct One<'a>(&'a str);

impl Extractor for One<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

#[derive(Default)]
struct Parent(String);

impl Injector for Parent {
    fn set(&mut self, key: &str, value: String) {
        if key == TRACEPARENT {
            self.0 = value;
        }
    }
}

fn read(traceparent: &str) -> Context {
    opentelemetry::global::get_text_map_propagator(|propagator| propagator.extract(&One(traceparent)))
}

/// Makes `span` a child of the trace that the request's headers name.
pub fn continue_trace(span: &Span, headers: &http::HeaderMap) {
    let traceparent = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    continue_from(span, traceparent);
}

/// Makes `span` a child of the span that `traceparent` names; of none if it is empty.
pub fn continue_from(span: &Span, traceparent: &str) {
    // A span that nobody exports has no parent to take.
    let _ = span.set_parent(read(traceparent));
}

/// Says that `span` has to do with the span that `traceparent` names, without being its child.
pub fn link(span: &Span, traceparent: &str) {
    let context = read(traceparent).span().span_context().clone();
    if context.is_valid() {
        span.add_link(context);
    }
}

/// `span` as W3C `traceparent`; empty if it is not traced.
pub fn traceparent_of(span: &Span) -> String {
    let mut parent = Parent::default();
    opentelemetry::global::get_text_map_propagator(|propagator| propagator.inject_context(&span.context(), &mut parent));
    parent.0
}

/// The current span as W3C `traceparent`; empty if nothing is traced.
pub fn traceparent() -> String {
    traceparent_of(&Span::current())
}

/// Gives the current span along with a call.
pub fn carry(headers: &mut http::HeaderMap) {
    let traceparent = traceparent();
    if let Ok(value) = http::HeaderValue::try_from(traceparent.as_str())
        && !traceparent.is_empty()
    {
        headers.insert(TRACEPARENT, value);
    }
}
