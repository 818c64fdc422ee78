//! A file that was sent along in the conversation. It is saved and never shown within these pages, whatever it holds.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt, stream};
use kernel::Id;
use proto::intake::DownloadAttachmentRequest;
use proto::intake::download_attachment_response::Frame;

use crate::web::{Problem, Visitor};

pub async fn file(visitor: Visitor, Path((case, file)): Path<(Id, String)>) -> Result<Response, Problem> {
    let calls = visitor.calls(case)?;
    let mut frames = calls.files().download_attachment(DownloadAttachmentRequest { attachment_id: file }).await?.into_inner();
    let first = frames.message().await?.and_then(|first| first.frame);
    let Some(Frame::Attachment(attachment)) = first else { return Err(Problem::internal()) };
    let pieces = stream::unfold(frames, |mut frames| async {
        let piece = match frames.message().await {
            Ok(Some(piece)) => piece.frame,
            Ok(None) => return None,
            Err(status) => return Some((Err(status), frames)),
        };
        match piece {
            Some(Frame::Chunk(chunk)) => Some((Ok(Bytes::from(chunk.data)), frames)),
            _ => None,
        }
    });
    let mut response = Response::new(Body::from_stream(pieces.boxed()));
    let kind = HeaderValue::try_from(attachment.media_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    // The link's own text is the name; a header takes no foreign letters.
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    Ok(response)
}
