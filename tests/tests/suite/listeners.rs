//! Those who hear what leaves a process: a collector of traces and metrics, and a subscriber to all that NATS carries.

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{MetricsService, MetricsServiceServer};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// An OpenTelemetry collector; keeps every export as it came.
#[derive(Clone, Default)]
pub struct Collector {
    traces: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    metrics: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    /// Starts it; answers its url too.
    pub async fn start() -> (Collector, String) {
        let (collector, listener) = (Collector::default(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (traces, metrics) = (TraceServiceServer::new(collector.clone()), MetricsServiceServer::new(collector.clone()));
        let server = tonic::transport::Server::builder().add_service(traces).add_service(metrics);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        (collector, url)
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.metrics.lock().unwrap().clone();
        bytes.extend(self.traces.lock().unwrap().iter().flat_map(|export| export.encode_to_vec()));
        bytes
    }

    pub fn spans(&self) -> Vec<Span> {
        let traces = self.traces.lock().unwrap();
        let scopes = traces.iter().flat_map(|export| &export.resource_spans).flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.traces.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(&self, request: Request<ExportMetricsServiceRequest>) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.metrics.lock().unwrap().extend(request.into_inner().encode_to_vec());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

/// One message that NATS carried.
pub struct Carried {
    pub subject: String,
    pub headers: Vec<u8>,
    pub payload: Vec<u8>,
}

/// A subscriber to every subject.
pub struct Ear(Arc<Mutex<Vec<Carried>>>);

impl Ear {
    /// Hears everything that is sent after its return.
    pub fn open(port: u16) -> Ear {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(b"CONNECT {\"verbose\":false,\"headers\":true,\"protocol\":1}\r\nSUB > 1\r\nPING\r\n").unwrap();
        let (heard, mut reader) = (Arc::new(Mutex::new(Vec::new())), BufReader::new(stream.try_clone().unwrap()));
        let mut line = String::new();
        while !line.starts_with("PONG") {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        let kept = heard.clone();
        // Ends with the server.
        std::thread::spawn(move || hear(stream, reader, &kept));
        Ear(heard)
    }

    pub fn heard(&self) -> std::sync::MutexGuard<'_, Vec<Carried>> {
        self.0.lock().unwrap()
    }
}

/// `MSG subject sid [reply] length`, `HMSG subject sid [reply] header-length length`, then the bytes and a line end.
fn hear(mut stream: TcpStream, mut reader: BufReader<TcpStream>, heard: &Mutex<Vec<Carried>>) -> Option<()> {
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.first().copied() {
            Some("PING") => stream.write_all(b"PONG\r\n").ok()?,
            Some(kind @ ("MSG" | "HMSG")) => {
                let length: usize = words.last()?.parse().ok()?;
                let head: usize = if kind == "HMSG" { words.get(words.len() - 2)?.parse().ok()? } else { 0 };
                let mut bytes = vec![0; length + 2];
                reader.read_exact(&mut bytes).ok()?;
                let (headers, payload) = (bytes[..head].to_vec(), bytes[head..length].to_vec());
                // Whose answer it is stands on the line too.
                heard.lock().unwrap().push(Carried { subject: words[1..].join(" "), headers, payload });
            }
            _ => {}
        }
    }
}
