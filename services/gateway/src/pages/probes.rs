//! What a machine asks: `/healthz`, `/readyz`; and `/status`, where people see the same, in a demo.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use proto::log::HeadsRequest;

use crate::Gateway;
use crate::services::SERVICES;
use crate::web::{Page, Problem};

pub fn routes() -> Router<Gateway> {
    Router::new()
        // Liveness asks nobody: a missing database is no reason to restart.
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/status", get(status))
}

/// Events so far of each service; None: it does not answer.
async fn standing(gateway: &Gateway) -> Vec<(&'static str, Option<i64>)> {
    let ask = SERVICES.map(|service| async move {
        let heads = async {
            let request = HeadsRequest { service: service.to_owned() };
            let answer = gateway.services().log(service).ok()?.heads(request).await.ok()?;
            Some(answer.into_inner().heads.iter().map(|head| head.position).sum())
        };
        (service, heads.await)
    });
    futures::future::join_all(ask).await
}

async fn ready(State(gateway): State<Gateway>) -> Response {
    let away: Vec<&str> = standing(&gateway).await.into_iter().filter(|(_, events)| events.is_none()).map(|(service, _)| service).collect();
    if away.is_empty() {
        "ready".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("does not answer: {}", away.join(", "))).into_response()
    }
}

#[derive(Template)]
#[template(path = "status.html")]
struct Status {
    page: Page,
    services: Vec<(&'static str, Option<i64>)>,
}

async fn status(State(gateway): State<Gateway>, page: Page) -> Result<Response, Problem> {
    if !page.demo() {
        return Err(Problem::not_found());
    }
    page.show(&Status { page: page.clone(), services: standing(&gateway).await })
}
