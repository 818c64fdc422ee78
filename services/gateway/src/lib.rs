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

    /// Events so far of each service; None: it does not answer.
    async fn standing(&self) -> Vec<(&'static str, Option<i64>)> {
        let mut standing = Vec::new();
        for (service, client) in self.services.iter() {
            let answer = client.clone().heads(HeadsRequest { service: (*service).to_owned() }).await;
            standing.push((*service, answer.ok().map(|answer| answer.into_inner().heads.iter().map(|head| head.position).sum())));
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
    let away: Vec<&str> = gateway.standing().await.into_iter().filter(|(_, events)| events.is_none()).map(|(service, _)| service).collect();
    if away.is_empty() {
        "ready".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("does not answer: {}", away.join(", "))).into_response()
    }
}

async fn status_page(State(gateway): State<Gateway>) -> Response {
    let mut rows = String::new();
    for (service, events) in gateway.standing().await {
        let state =
            events.map_or_else(|| "<strong>does not answer</strong>".to_owned(), |events| format!("answers, {events} events so far"));
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
