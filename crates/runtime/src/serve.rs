//! Listening and stopping.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kernel::{Error, Result};
use log::Handler;
use proto::config::config_service_server::ConfigServiceServer;
use proto::log::event_log_service_server::EventLogServiceServer;
use rpc::GateLayer;
use tokio::net::TcpListener;
use tonic::service::RoutesBuilder;
use tonic::transport::Server as Transport;
use tonic::transport::server::TcpIncoming;
use tonic_health::server::HealthReporter;

use crate::services::config::Config;
use crate::services::event_log::EventLog;
use crate::{Node, Platform};

/// Everything that one process serves by gRPC.
pub struct Server {
    pub nodes: BTreeMap<&'static str, Node>,
    pub handlers: BTreeMap<&'static str, Vec<Arc<dyn Handler>>>,
    pub routes: RoutesBuilder,
    /// Answer questions about the contracts.
    pub reflection: bool,
}

/// Serves on `listener` until the platform's shutdown, then lets running calls finish.
pub async fn serve(platform: &Platform, server: Server, listener: TcpListener) -> Result<()> {
    let Server { nodes, handlers, mut routes, reflection } = server;
    let logs: HashMap<&'static str, log::Log> = nodes.iter().map(|(name, node)| (*name, node.log.clone())).collect();
    let (reporter, health) = tonic_health::server::health_reporter();
    for name in nodes.keys() {
        reporter.set_service_status(format!("samtal.{name}"), tonic_health::ServingStatus::Serving).await;
    }
    routes.add_service(health);
    routes.add_service(
        ConfigServiceServer::new(Config { nodes: nodes.clone() })
            .max_decoding_message_size(crate::MAX_CONFIG_REQUEST)
            .max_encoding_message_size(crate::MAX_RESPONSE),
    );
    routes.add_service(
        EventLogServiceServer::new(EventLog { nodes: nodes.clone(), handlers })
            .max_decoding_message_size(crate::MAX_REQUEST)
            .max_encoding_message_size(crate::MAX_RESPONSE),
    );
    if reflection {
        let wrong = |error: tonic_reflection::server::Error| Error::internal(format!("the contracts cannot be reflected: {error}"));
        let builder = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        routes.add_service(builder().build_v1().map_err(wrong)?);
        routes.add_service(builder().build_v1alpha().map_err(wrong)?);
    }
    let address = local_address(&listener)?;
    let shutdown = platform.shutdown.clone();
    let (drained, watched) = (reporter.clone(), nodes.values().cloned().collect::<Vec<_>>());
    let draining = async move {
        shutdown.cancelled().await;
        for name in nodes.keys() {
            drained.set_service_status(format!("samtal.{name}"), tonic_health::ServingStatus::NotServing).await;
        }
    };
    for node in watched {
        platform.tasks.spawn(report(node, reporter.clone()));
    }
    tracing::debug!(%address, "serving gRPC");
    Transport::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .max_concurrent_streams(4096)
        .layer(GateLayer::new(platform.peers.authenticator(), logs))
        .add_routes(routes.routes())
        // The builder's own setting is not applied to a listener that is given.
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), draining)
        .await
        .map_err(|error| Error::unavailable(format!("gRPC on {address} failed: {error}")))
}

/// A log that takes no events is not ready.
async fn report(node: Node, reporter: HealthReporter) {
    let mut ready = true;
    loop {
        let now = node.log.guard().why().is_none();
        if now != ready {
            ready = now;
            let status = if ready { tonic_health::ServingStatus::Serving } else { tonic_health::ServingStatus::NotServing };
            reporter.set_service_status(format!("samtal.{}", node.service), status).await;
        }
        tokio::select! {
            () = node.log.guard().changed() => {}
            // The mark may have changed between the look and the wait.
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = node.platform.shutdown.cancelled() => return,
        }
    }
}

/// Where a listener listens, with the port that was chosen if 0 was asked for.
pub fn local_address(listener: &TcpListener) -> Result<SocketAddr> {
    listener.local_addr().map_err(|error| Error::unavailable(format!("the listener has no address: {error}")))
}
