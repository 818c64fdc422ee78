//! HTTP by hand: what is sent and what is answered, as it goes over the wire.

use std::fmt::Display;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends one request, which must say `Connection: close`; the whole answer.
pub async fn send(address: impl Display, request: &str) -> String {
    let mut connection = TcpStream::connect(address.to_string()).await.expect("it listens");
    connection.write_all(request.as_bytes()).await.expect("it takes a request");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.expect("it answers");
    answer
}

/// Asks for `path` with further header lines, each ended by CRLF; the whole answer.
pub async fn get(address: impl Display, path: &str, headers: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}Connection: close\r\n\r\n");
    send(address, &request).await
}
