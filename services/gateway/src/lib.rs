//! The gateway: for now a plain status page and the probes. It asks the services by gRPC only.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use kernel::{Error, Result};
use proto::log::HeadsRequest;
use proto::log::event_log_service_client::EventLogServiceClient;
use runtime::{Peer, Peers};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The pages. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    services: Arc<Vec<(&'static str, EventLogServiceClient<Peer>)>>,
}

impl Gateway {
    pub fn new(peers: &Peers, services: &[&'static str]) -> Result<Self> {
        let services = services
            .iter()
            .map(|service| Ok((*service, EventLogServiceClient::new(peers.channel("gateway", service)?))))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { services: Arc::new(services) })
    }

    /// Events so far of each service, and why it takes no more, if it does not; None: it does not answer.
    async fn standing(&self) -> Vec<(&'static str, Option<(i64, String)>)> {
        let mut standing = Vec::new();
        for (service, client) in self.services.iter() {
            let answer = client.clone().heads(HeadsRequest { service: (*service).to_owned(), cursors: Vec::new() }).await;
            let told = answer.ok().map(tonic::Response::into_inner);
            standing.push((*service, told.map(|told| (told.heads.iter().map(|head| head.position).sum(), told.refused))));
        }
        standing
    }
}

/// Serves the pages until `shutdown`.
pub async fn serve(gateway: Gateway, listener: TcpListener, shutdown: CancellationToken) -> Result<()> {
    let router = Router::new()
        .route("/", get(status_page))
        // Liveness asks nobody: a missing database is no reason to restart.
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .with_state(gateway);
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { shutdown.cancelled().await })
        .await
        .map_err(|error| Error::unavailable(format!("the pages cannot be served: {error}")))
}

async fn ready(State(gateway): State<Gateway>) -> Response {
    let trouble = gateway.standing().await.into_iter().filter_map(|(service, told)| match told {
        None => Some(format!("does not answer: {service}")),
        Some((_, refused)) if !refused.is_empty() => Some(refused),
        Some(_) => None,
    });
    let trouble: Vec<String> = trouble.collect();
    if trouble.is_empty() { "ready".into_response() } else { (StatusCode::SERVICE_UNAVAILABLE, trouble.join("; ")).into_response() }
}

async fn status_page(State(gateway): State<Gateway>) -> Response {
    let mut rows = String::new();
    for (service, events) in gateway.standing().await {
        let state = match events {
            None => "<strong>does not answer</strong>".to_owned(),
            Some((events, refused)) if refused.is_empty() => format!("answers, {events} events so far"),
            Some(_) => "<strong>takes no writes: its log went back in time</strong>".to_owned(),
        };
        // Both come from us, never from outside.
        let _ = write!(rows, "<tr><th scope=\"row\">{service}</th><td>{state}</td></tr>");
    }
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>Samtal</title>\
         <style>body{{font:1rem/1.5 system-ui;max-width:40rem;margin:2rem auto;padding:0 1rem}}th{{text-align:left;padding-right:2rem}}</style>\
         <main><h1>Samtal runs</h1><table><caption>Services</caption>{rows}</table></main></html>"
    );
    let security = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (security, page).into_response()
}
