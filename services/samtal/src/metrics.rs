//! `/metrics`, on a port of its own: nobody who may see pages or call RPCs need see it, and the other way round.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use kernel::Result;
use telemetry::metrics::Scrape;
use tokio::net::TcpListener;

use crate::suite::listen;

/// Starts it at `address`, unless that is empty; answers where it is, for the line that says what is ready. It ends with the process.
pub async fn start(address: &str, scrape: Scrape) -> Result<String> {
    if address.is_empty() {
        return Ok(String::new());
    }
    let listener = listen("metrics", address).await?;
    let at = runtime::serve::local_address(&listener)?;
    tokio::spawn(serve(listener, scrape));
    Ok(format!(", metrics at http://{at}/metrics"))
}

async fn serve(listener: TcpListener, scrape: Scrape) {
    let routes = Router::new().route("/metrics", get(move || std::future::ready(answer(&scrape))));
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(%error, "the metrics are not served any more");
    }
}

fn answer(scrape: &Scrape) -> Response {
    match scrape.text() {
        Ok(text) => ([(header::CONTENT_TYPE, Scrape::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics were not told");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
