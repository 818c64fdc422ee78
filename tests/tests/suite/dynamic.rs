//! Calling any RPC by its descriptor, without generated code: for tests that go through all of them.

use bytes::{Buf, BufMut, Bytes};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use samtal_tests::suite::Person;
use std::time::Duration;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Status};

/// Every RPC of the contracts.
pub fn methods() -> Vec<MethodDescriptor> {
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).expect("own descriptors");
    let methods: Vec<MethodDescriptor> = pool
        .services()
        .filter(|service| service.full_name().starts_with("samtal."))
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect();
    assert!(methods.len() > 40, "{}", methods.len());
    methods
}

/// `samtal.intake.v1.CaseService/GetCase`
pub fn path(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().full_name(), method.name())
}

/// Answers of a call that was let in: encoded messages. A stream that stays open is read until it is silent for `silence`.
pub async fn call(person: &Person, method: &MethodDescriptor, request: Bytes, silence: Duration) -> Result<Vec<Bytes>, Status> {
    let mut grpc = tonic::client::Grpc::new(person.at("intake"));
    grpc.ready().await.expect("the suite answers");
    let path = http::uri::PathAndQuery::try_from(format!("/{}", self::path(method))).expect("a path");
    if !method.is_client_streaming() && !method.is_server_streaming() {
        let answer = grpc.unary(Request::new(request), path, Raw).await?;
        return Ok(vec![answer.into_inner()]);
    }
    let mut answers = if method.is_client_streaming() {
        // The request stays open until the answers are read.
        let frames = futures::StreamExt::chain(futures::stream::iter([request]), futures::stream::pending());
        grpc.streaming(Request::new(frames), path, Raw).await?.into_inner()
    } else {
        grpc.server_streaming(Request::new(request), path, Raw).await?.into_inner()
    };
    let mut all = Vec::new();
    while let Ok(message) = tokio::time::timeout(silence, answers.message()).await {
        match message? {
            Some(bytes) => all.push(bytes),
            None => break,
        }
    }
    Ok(all)
}

/// Bytes as they are.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
