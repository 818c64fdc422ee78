//! The gateway: pages for visitors, staff and leaders. It keeps nothing, so that any replica answers any request, and asks the
//! services by gRPC only, each time with the token of whoever sits at the browser.
//!
//! - [`web`]: what all pages share; [`services`]: the calls; [`i18n`]: texts; [`assets`]: style and scripts.
//! - [`sign_in`]: how staff get a token; [`live`]: what happens while somebody looks.
//! - `pages/`: the pages, a folder per audience, with their templates in `templates/`.

pub mod assets;
pub mod i18n;
pub mod live;
mod pages;
pub mod services;
pub mod settings;
mod sign_in;
pub mod web;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use auth::Secret;
use axum::Router;
use axum::extract::{Path, State};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use ephemeral::Ephemeral;
use kernel::{Error, Result};
use runtime::Peers;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;

use crate::assets::Assets;
use crate::i18n::Texts;
use crate::services::Services;
pub use crate::settings::Settings;
use crate::sign_in::oidc::provider::Provider;
pub use crate::sign_in::settings as sign_in_settings;
use crate::web::Problem;
use crate::web::cookies::Jar;

/// What the pages are built from.
pub struct Parts {
    pub settings: Settings,
    pub peers: Peers,
    pub ephemeral: Ephemeral,
    /// The installation's: form tokens and tickets are sealed with it, so that any replica opens them.
    pub secret: Secret,
    pub shutdown: CancellationToken,
}

/// The pages. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    settings: Settings,
    services: Services,
    ephemeral: Ephemeral,
    secret: Secret,
    shutdown: CancellationToken,
    texts: Texts,
    assets: Assets,
    /// Sign-in services, by their names.
    providers: BTreeMap<String, Provider>,
}

impl Gateway {
    /// Errors: a service without an address, settings that cannot be used.
    pub fn build(parts: Parts) -> Result<Self> {
        parts.settings.check()?;
        let provider = |(name, settings): (&String, &_)| Ok((name.clone(), Provider::new(name, settings, parts.peers.clock().clone())?));
        let providers = parts.settings.sign_in.iter().map(provider).collect::<Result<_>>()?;
        Ok(Self(Arc::new(Inner {
            services: Services::new(&parts.peers)?,
            settings: parts.settings,
            ephemeral: parts.ephemeral,
            secret: parts.secret,
            shutdown: parts.shutdown,
            texts: Texts::load()?,
            assets: Assets::load(),
            providers,
        })))
    }

    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub fn services(&self) -> &Services {
        &self.0.services
    }

    pub fn ephemeral(&self) -> &Ephemeral {
        &self.0.ephemeral
    }

    pub fn secret(&self) -> &Secret {
        &self.0.secret
    }

    pub fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    pub fn texts(&self) -> &Texts {
        &self.0.texts
    }

    pub fn assets(&self) -> &Assets {
        &self.0.assets
    }

    pub(crate) fn provider(&self, name: &str) -> Option<&Provider> {
        self.0.providers.get(name)
    }

    pub(crate) fn providers(&self) -> impl Iterator<Item = &Provider> {
        self.0.providers.values()
    }

    /// How cookies are written for a page at this path.
    pub fn jar(&self, path: &str) -> Jar {
        Jar { https: self.settings().public_url.starts_with("https://"), framed: path.starts_with(web::security::WIDGET) }
    }

    /// All pages, behind all that they share.
    pub fn router(&self) -> Router {
        let state = self.clone();
        Router::new()
            .merge(pages::routes())
            .merge(sign_in::routes())
            .merge(live::routes())
            .nest("/w", live::routes())
            .route("/assets/{name}", get(asset))
            .fallback(|| async { Problem::not_found() })
            .method_not_allowed_fallback(|| async { Problem::method() })
            .with_state(self.clone())
            // The last one here is the first that a request meets.
            .layer(from_fn_with_state(state.clone(), web::forgery::layer))
            .layer(from_fn_with_state(state.clone(), web::problem::layer))
            .layer(from_fn_with_state(state.clone(), web::visit::layer))
            .layer(from_fn_with_state(state, web::security::layer))
            .layer(CompressionLayer::new())
            .layer(axum::middleware::from_fn(web::trace::layer))
    }
}

async fn asset(State(gateway): State<Gateway>, Path(name): Path<String>) -> axum::response::Response {
    gateway.assets().serve(&name)
}

/// Serves the pages until the gateway's shutdown.
pub async fn serve(gateway: Gateway, listener: TcpListener) -> Result<()> {
    let shutdown = gateway.shutdown().clone();
    axum::serve(listener, gateway.router().into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move { shutdown.cancelled().await })
        .await
        .map_err(|error| Error::unavailable(format!("the pages cannot be served: {error}")))
}
