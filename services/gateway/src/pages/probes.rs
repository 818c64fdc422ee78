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

/// How a service is doing.
enum Standing {
    Answers {
        events: i64,
    },
    /// It takes no writes; why.
    Refuses(String),
    Away,
}

async fn standing(gateway: &Gateway) -> Vec<(&'static str, Standing)> {
    let ask = SERVICES.map(|service| async move {
        let request = HeadsRequest { service: service.to_owned(), cursors: Vec::new() };
        let told = match gateway.services().log(service) {
            Ok(mut log) => log.heads(request).await.ok().map(tonic::Response::into_inner),
            Err(_) => None,
        };
        let standing = match told {
            None => Standing::Away,
            Some(told) if told.refused.is_empty() => Standing::Answers { events: told.heads.iter().map(|head| head.position).sum() },
            Some(told) => Standing::Refuses(told.refused),
        };
        (service, standing)
    });
    futures::future::join_all(ask).await
}

async fn ready(State(gateway): State<Gateway>) -> Response {
    let trouble = standing(&gateway).await.into_iter().filter_map(|(service, standing)| match standing {
        Standing::Answers { .. } => None,
        Standing::Refuses(why) => Some(why),
        Standing::Away => Some(format!("does not answer: {service}")),
    });
    let trouble: Vec<String> = trouble.collect();
    if trouble.is_empty() { "ready".into_response() } else { (StatusCode::SERVICE_UNAVAILABLE, trouble.join("; ")).into_response() }
}

#[derive(Template)]
#[template(path = "status.html")]
struct Status {
    page: Page,
    services: Vec<(&'static str, Standing)>,
}

async fn status(State(gateway): State<Gateway>, page: Page) -> Result<Response, Problem> {
    if !page.demo() {
        return Err(Problem::not_found());
    }
    page.show(&Status { page: page.clone(), services: standing(&gateway).await })
}
