//! `samtal serve gateway`, and where pages may listen.

use std::process::ExitCode;

use auth::Secret;
use ephemeral::Ephemeral;
use kernel::{Clock, Error, Result};
use runtime::Peers;
use suite::config::{Config, Flags};
use suite::suite::listen;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{begin, stopped};

/// The role that has no log.
pub const ROLE: &str = "gateway";

/// The pages alone. They keep nothing: neither store nor bus, and any number of replicas.
pub async fn serve(flags: &Flags) -> Result<ExitCode> {
    let (config, telemetry) = begin(flags, ROLE)?;
    if config.secret.is_empty() {
        return Err(Error::invalid("secret", "is required, the same for all services; make one with `openssl rand -hex 32`"));
    }
    let http = listen("http", &config.http).await?;
    refuse_demo_beyond_loopback(config.demo, &[&http])?;
    refuse_http_beyond_loopback(&config, &http)?;
    let (clock, secret) = (Clock::system(), Secret::new(config.secret.as_bytes())?);
    let shutdown = CancellationToken::new();
    let address = runtime::serve::local_address(&http)?;
    let pages = gateway::Gateway::build(gateway::Parts {
        settings: gateway::Settings {
            demo: config.demo,
            mail: !config.smtp.is_empty(),
            sms: !config.sms.is_empty(),
            ..config.pages.clone()
        },
        peers: Peers::new(&config.peers, secret.clone(), clock.clone())?,
        ephemeral: Ephemeral::connect(&config.cache, clock).await?,
        secret,
        shutdown: shutdown.clone(),
    })?;
    let metrics = suite::metrics::start(&config.metrics, telemetry.scrape()).await?;
    let serving = tokio::spawn(gateway::serve(pages, http));
    println!("{ROLE} is ready: pages at http://{address}/{metrics}");
    stopped().await;
    shutdown.cancel();
    serving.await.map_err(|error| Error::internal(format!("the pages failed: {error}")))??;
    Ok(ExitCode::SUCCESS)
}

pub fn refuse_demo_beyond_loopback(demo: bool, listeners: &[&TcpListener]) -> Result<()> {
    for listener in listeners {
        let address = runtime::serve::local_address(listener)?;
        if demo && !address.ip().is_loopback() {
            return Err(Error::invalid(
                "demo",
                format!("has logins that everybody knows, so it listens on loopback only, not on {address}"),
            ));
        }
    }
    Ok(())
}

/// Without https a token would cross the network in the open.
pub fn refuse_http_beyond_loopback(config: &Config, http: &TcpListener) -> Result<()> {
    let address = runtime::serve::local_address(http)?;
    if config.pages.public_url.is_empty() && !address.ip().is_loopback() {
        return Err(Error::invalid(
            "pages.public_url",
            format!(
                "is required to listen on {address}: the https address, such as https://chat.example.org, that a proxy serves these pages at"
            ),
        ));
    }
    Ok(())
}
