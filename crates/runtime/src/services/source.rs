//! Another service's log, asked by gRPC.

use futures::future::BoxFuture;
use kernel::{Error, Result};
use log::Source;
use proto::log::event_log_service_client::EventLogServiceClient;
use proto::log::{Batch, Cursor, Head, HeadsRequest, ReadRequest};

use crate::Peer;

pub struct PeerSource {
    client: EventLogServiceClient<Peer>,
    service: &'static str,
}

impl PeerSource {
    pub fn new(peer: Peer, service: &'static str) -> Self {
        Self { client: EventLogServiceClient::new(peer).max_decoding_message_size(crate::MAX_RESPONSE), service }
    }
}

impl Source for PeerSource {
    fn heads(&self, cursors: Vec<Cursor>) -> BoxFuture<'static, Result<Vec<Head>>> {
        let (mut client, service) = (self.client.clone(), self.service.to_owned());
        Box::pin(async move {
            let answer = client.heads(HeadsRequest { service, cursors }).await.map_err(|status| rpc::status::error(&status))?;
            Ok(answer.into_inner().heads)
        })
    }

    fn read(&self, shard: u32, from: i64) -> BoxFuture<'static, Result<(Batch, Head)>> {
        let (mut client, service) = (self.client.clone(), self.service.to_owned());
        Box::pin(async move {
            let answer = client
                .read(ReadRequest { service, shard, from, limit: 0 })
                .await
                .map_err(|status| rpc::status::error(&status))?
                .into_inner();
            match (answer.batch, answer.head) {
                (Some(batch), Some(head)) => Ok((batch, head)),
                _ => Err(Error::internal("a log answered a read without a batch or a head")),
            }
        })
    }
}
