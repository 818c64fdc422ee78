//! Files in a conversation, whoever looks: to the services piece by piece, and from them as something that can be looked at or saved
//! and can do nothing.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::channel::mpsc;
use futures::future::{Either, select};
use futures::{SinkExt, StreamExt, stream};
use kernel::{Id, Language};
use proto::intake::upload_attachment_request::Frame;
use proto::intake::{
    Attachment, DownloadAttachmentRequest, FileChunk, PostMessageRequest, PostMessageResponse, UploadAttachmentRequest, UploadStart,
    download_attachment_response,
};
use serde::Serialize;

use super::case;
use crate::services::Calls;
use crate::web::{Page, Problem, Upload};

/// What a form offers to choose. A telephone that takes pictures of another kind turns them into JPEG for a form that asks for it.
pub const ACCEPT: &str = "image/jpeg,image/png,image/webp,application/pdf,text/plain";
/// Largest piece of an upload.
const PIECE: usize = 48 * 1024;
/// Whatever a file holds, it is shown without scripts, styles, forms and a place of its own.
const CONFINED: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'");

/// Why a message was not taken: said beside the form, or a page of its own.
pub enum Refused {
    /// The key of a text that names the file.
    Said(&'static str, String),
    Problem(Problem),
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<tonic::Status> for Refused {
    fn from(status: tonic::Status) -> Self {
        Self::of(status, String::new())
    }
}

impl Refused {
    fn of(status: tonic::Status, name: String) -> Self {
        let key = match rpc::status::reason(&status).as_deref() {
            Some("FILE_TOO_LARGE") => "file-too-large",
            Some("FILE_TYPE_REFUSED") => "file-kind-refused",
            Some("FILE_TYPE_MISMATCH") => "file-disguised",
            Some("FILE_DAMAGED") => "file-damaged",
            Some("NO_ATTACHMENTS") => "file-none-taken",
            Some("CASE_CLOSED") => "file-case-closed",
            _ => match status.code() {
                tonic::Code::InvalidArgument => "file-empty",
                tonic::Code::NotFound | tonic::Code::Unauthenticated | tonic::Code::PermissionDenied => {
                    return Self::Problem(status.into());
                }
                _ => "file-later",
            },
        };
        Self::Said(key, name)
    }

    /// What staff's pages say after a form: the text's key.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Said(key, _) => key,
            Self::Problem(_) => "",
        }
    }

    /// What is said; an error that is a page of its own stays one.
    pub fn said(self, page: &Page) -> Result<Told, Problem> {
        match self {
            Self::Said(key, name) => Ok(Told { text: page.say(key).with("name", name).to_string(), later: key == "file-later" }),
            Self::Problem(problem) => Err(problem),
        }
    }
}

/// What somebody is told whose message was not taken.
pub struct Told {
    pub text: String,
    /// The same may succeed in a moment.
    pub later: bool,
}

/// The same for a page's script.
#[derive(Serialize)]
struct Scripted<'a> {
    said: &'a str,
}

pub fn refused(told: &Told) -> Response {
    let status = if told.later { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::UNPROCESSABLE_ENTITY };
    (status, Json(Scripted { said: &told.text })).into_response()
}

/// Posts a form's text with its files, all or nothing. `text`: as it is to be kept.
pub async fn post(calls: &Calls, case: Id, mut upload: Upload, text: String) -> Result<PostMessageResponse, Refused> {
    let taken = take_all(calls, case, &mut upload).await;
    let client_id = upload.client_id.clone();
    upload.finish().await;
    let files = taken?;
    let attachment_ids = files.iter().map(|file| file.attachment_id.clone()).collect();
    let request = PostMessageRequest { case_id: case.to_string(), client_id, text, attachment_ids };
    match calls.conversations().post_message(request.clone()).await {
        Ok(posted) => Ok(posted.into_inner()),
        // Only the answer was lost: the same files are another upload, and yet the same message.
        Err(status) if rpc::status::reason(&status).as_deref() == Some("CLIENT_ID_REUSED") && !files.is_empty() => {
            if let Some(message) = earlier(calls, &request, &files).await? {
                return Ok(PostMessageResponse { message: Some(message), safety: None });
            }
            let request = PostMessageRequest { client_id: Id::new(calls.now()).to_string(), ..request };
            Ok(calls.conversations().post_message(request).await?.into_inner())
        }
        Err(status) => Err(status.into()),
    }
}

/// The message that was posted before under this id, if it is this one.
async fn earlier(calls: &Calls, request: &PostMessageRequest, files: &[Attachment]) -> Result<Option<proto::intake::Message>, Problem> {
    let what = |file: &Attachment| (file.file_name.clone(), file.size);
    let same = |message: &proto::intake::Message| {
        message.client_id == request.client_id
            && message.text == request.text
            && message.attachments.iter().map(what).eq(files.iter().map(what))
    };
    Ok(case::messages(calls, &request.case_id, 0).await?.into_iter().find(same))
}

async fn take_all(calls: &Calls, case: Id, upload: &mut Upload) -> Result<Vec<Attachment>, Refused> {
    let mut files = Vec::new();
    while let Some((field, name, kind)) = upload.next().await? {
        files.push(take(calls, case, field, name, kind).await?);
    }
    Ok(files)
}

/// One file to the services, as fast as they take it.
async fn take(calls: &Calls, case: Id, mut field: multer::Field<'static>, name: String, kind: String) -> Result<Attachment, Refused> {
    let (mut pieces, taken) = mpsc::channel(2);
    let whole = Arc::new(AtomicBool::new(false));
    let is_whole = whole.clone();
    // A file whose end never came must not pass for one that ended: then the call goes away unfinished.
    let end = stream::once(async move {
        if !is_whole.load(Ordering::Acquire) {
            std::future::pending::<()>().await;
        }
        None
    });
    let frames = taken.chain(end.filter_map(std::future::ready));
    let start = UploadStart { case_id: case.to_string(), file_name: name.clone(), media_type: kind };
    let feed = async {
        let frame = |frame| UploadAttachmentRequest { frame: Some(frame) };
        // Whoever refuses listens no more, and says why in the answer.
        let mut listened = pieces.send(frame(Frame::Start(start))).await.is_ok();
        while let Some(bytes) = field.chunk().await.map_err(|_| Problem::invalid())? {
            for piece in bytes.chunks(PIECE) {
                listened = listened && pieces.send(frame(Frame::Chunk(FileChunk { data: piece.to_vec() }))).await.is_ok();
            }
        }
        whole.store(true, Ordering::Release);
        pieces.close_channel();
        Ok::<_, Problem>(())
    };
    let mut files = calls.files();
    let answer = match select(pin!(files.upload_attachment(frames)), pin!(feed)).await {
        Either::Left((answer, _)) => answer,
        Either::Right((fed, answer)) => {
            fed?;
            answer.await
        }
    };
    let taken = answer.map_err(|status| Refused::of(status, name))?.into_inner();
    taken.attachment.ok_or_else(|| Problem::internal().into())
}

/// A file from the services, as its bytes come.
async fn open(calls: &Calls, file: &str) -> Result<(Attachment, Body), Problem> {
    use download_attachment_response::Frame;
    let request = DownloadAttachmentRequest { attachment_id: file.to_owned() };
    let mut frames = calls.files().download_attachment(request).await?.into_inner();
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
    Ok((attachment, Body::from_stream(pieces.boxed())))
}

/// The file's name and kind alone.
pub async fn about(calls: &Calls, file: &str) -> Result<Attachment, Problem> {
    Ok(open(calls, file).await?.0)
}

/// A picture, to be shown in a page of ours; nothing else is ever shown.
pub async fn picture(calls: &Calls, file: &str) -> Result<Response, Problem> {
    let (attachment, body) = open(calls, file).await?;
    if !is_picture(&attachment) {
        return Err(Problem::not_found());
    }
    Ok(confined(&attachment, body, "inline"))
}

/// The file, to be saved.
pub async fn save(calls: &Calls, file: &str) -> Result<Response, Problem> {
    let (attachment, body) = open(calls, file).await?;
    Ok(confined(&attachment, body, "attachment"))
}

fn confined(attachment: &Attachment, body: Body, how: &str) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let kind = HeaderValue::try_from(&attachment.media_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_SECURITY_POLICY, CONFINED);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(attachment.size));
    let named = format!("{how}; filename*=UTF-8''{}", encoded(&attachment.file_name));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::try_from(named).unwrap_or(HeaderValue::from_static("attachment")));
    response
}

/// A name as a header takes it (RFC 8187).
fn encoded(name: &str) -> String {
    let one = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    name.bytes().map(one).collect()
}

pub fn is_picture(attachment: &Attachment) -> bool {
    attachment.media_type.starts_with("image/")
}

/// What kind of file it is, in words.
pub fn kind(page: &Page, attachment: &Attachment) -> String {
    let key = match attachment.media_type.as_str() {
        "application/pdf" => "file-kind-pdf",
        "text/plain" => "file-kind-text",
        _ => "file-kind-picture",
    };
    page.say(key).to_string()
}

/// `640 kB`, `1,2 MB`.
pub fn size(page: &Page, bytes: u64) -> String {
    // As the limits are said: 10 MB is 10 times 1024 times 1024 bytes.
    const MB: u64 = 1 << 20;
    if bytes < MB {
        return format!("{} kB", bytes.div_ceil(1024));
    }
    let (whole, tenths) = (bytes / MB, bytes % MB * 10 / MB);
    let said = if tenths == 0 { format!("{whole} MB") } else { format!("{whole}.{tenths} MB") };
    if page.language() == Language::English { said } else { said.replace('.', ",") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_header() {
        assert_eq!(encoded("röntgen \"1\".pdf"), "r%C3%B6ntgen%20%221%22.pdf");
        assert_eq!(encoded("a\r\nSet-Cookie: x"), "a%0D%0ASet-Cookie%3A%20x");
    }
}
