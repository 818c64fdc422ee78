//! What the gate counts: calls, how they ended and how long they took; streams that are open.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use auth::policy;
use http_body_util::BodyExt;
use prost::Message;
use telemetry::metrics;
use tonic::body::Body;

/// In the order of gRPC's numbers.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
/// What is no RPC of ours, whatever a stranger calls it: health, reflection, nonsense.
const OTHER: &str = "other";

/// The RPCs by path, and whether they answer with a stream. Cheap to clone; empty in a process that does not measure.
#[derive(Clone)]
pub struct Watch(Arc<HashMap<&'static str, bool>>);

impl Watch {
    pub fn new() -> Self {
        if !metrics::on() {
            return Self(Arc::default());
        }
        let streams = streaming();
        Self(Arc::new(policy::POLICY.iter().map(|(rpc, _)| (*rpc, streams.contains(*rpc))).collect()))
    }

    pub fn arrived(&self, path: &str) -> Seen {
        let known = self.0.get_key_value(path.trim_start_matches('/'));
        let (rpc, streams) = known.map_or((OTHER, false), |(rpc, streams)| (*rpc, *streams));
        Seen { rpc, streams, at: Instant::now() }
    }
}

/// Names of the RPCs that answer with a stream.
fn streaming() -> HashSet<String> {
    // Our own descriptors decode; if not, streams would go uncounted and nothing else.
    let files = prost_types::FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap_or_default();
    let mut found = HashSet::new();
    for file in &files.file {
        for service in &file.service {
            let streams = service.method.iter().filter(|method| method.server_streaming());
            found.extend(streams.map(|method| format!("{}.{}/{}", file.package(), service.name(), method.name())));
        }
    }
    found
}

/// A call that has arrived.
pub struct Seen {
    rpc: &'static str,
    streams: bool,
    at: Instant,
}

impl Seen {
    /// Counts the answer. What ends a stream later is not in it.
    pub fn answered(self, response: http::Response<Body>) -> http::Response<Body> {
        if !metrics::on() {
            return response;
        }
        let code = code(response.headers());
        metrics::call(self.rpc, code, self.at.elapsed());
        if !self.streams || code != "OK" {
            return response;
        }
        let open = metrics::open_stream(self.rpc);
        // Goes with the body, however that ends.
        response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _ = &open;
                frame
            }))
        })
    }
}

/// A refusal says its code in the headers; without one the answer follows.
fn code(headers: &http::HeaderMap) -> &'static str {
    let Some(said) = headers.get("grpc-status") else { return "OK" };
    let number = said.to_str().ok().and_then(|text| text.parse::<usize>().ok());
    number.and_then(|number| CODES.get(number)).copied().unwrap_or("UNKNOWN")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_calls_is_no_label() {
        let watch = Watch(Arc::new(HashMap::from([("samtal.a.v1.A/Do", false)])));
        assert_eq!(watch.arrived("/samtal.a.v1.A/Do").rpc, "samtal.a.v1.A/Do");
        for path in ["/", "", "/samtal.a.v1.A/Undo", "/grpc.health.v1.Health/Check", "/a secret"] {
            assert_eq!(watch.arrived(path).rpc, OTHER, "{path}");
        }
    }

    #[test]
    fn the_streams_of_the_contracts_are_known_and_codes_are_read() {
        let streams = streaming();
        assert!(streams.contains("samtal.intake.v1.ConversationService/Converse"), "{streams:?}");
        assert!(!streams.contains("samtal.intake.v1.CaseService/GetCase"));
        let with = |value: &'static str| [(http::HeaderName::from_static("grpc-status"), http::HeaderValue::from_static(value))];
        assert_eq!(code(&http::HeaderMap::new()), "OK");
        for (number, name) in CODES.iter().enumerate() {
            let value = http::HeaderValue::from_str(&number.to_string()).unwrap();
            assert_eq!(code(&[(http::HeaderName::from_static("grpc-status"), value)].into_iter().collect()), *name);
            assert_eq!(tonic::Code::from_i32(number as i32) as usize, number);
        }
        assert_eq!(code(&with("nonsense").into_iter().collect()), "UNKNOWN");
        assert_eq!(code(&with("99").into_iter().collect()), "UNKNOWN");
    }
}
