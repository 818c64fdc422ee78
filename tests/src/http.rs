//! HTTP by hand: what is sent and what is answered, as it goes over the wire.

use std::fmt::Display;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends one request, which must say `Connection: close`; the whole answer.
pub async fn send(address: impl Display, request: &str) -> String {
    try_send(address, request).await.expect("it answers")
}

async fn try_send(address: impl Display, request: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address.to_string()).await?;
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Asks for `path` with further header lines, each ended by CRLF; the whole answer.
pub async fn get(address: impl Display, path: &str, headers: &str) -> String {
    try_get(address, path, headers).await.expect("it answers")
}

/// The same where nobody may answer.
pub async fn try_get(address: impl Display, path: &str, headers: &str) -> std::io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}Connection: close\r\n\r\n");
    try_send(address, &request).await
}
