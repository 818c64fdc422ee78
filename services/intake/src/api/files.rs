//! FileService: bytes in and out, in pieces.

use futures::{StreamExt, stream};
use kernel::error::{Code, Violations};
use kernel::{Error, Result};
use log::Receipt;
use proto::intake::file_service_server::FileService;
use proto::intake::upload_attachment_request::Frame;
use proto::intake::{
    Attachment, DownloadAttachmentRequest, DownloadAttachmentResponse, FileChunk, UploadAttachmentRequest, UploadAttachmentResponse,
    download_attachment_response,
};
use rpc::caller::reply;
use rpc::{Answer, Caller, caller, status};
use tonic::{Request, Streaming};

use super::conversations::Out;
use crate::app::App;
use crate::app::attachments::MAX_NAME;

/// Largest piece, either way.
const PIECE: usize = 48 * 1024;

pub struct FileTransfer {
    pub app: App,
}

#[tonic::async_trait]
impl FileService for FileTransfer {
    async fn upload_attachment(&self, request: Request<Streaming<UploadAttachmentRequest>>) -> Answer<UploadAttachmentResponse> {
        let caller = caller(&request).map_err(status)?;
        let (attachment, receipt) = upload(&self.app, &caller, request.into_inner()).await.map_err(status)?;
        Ok(reply("intake", UploadAttachmentResponse { attachment: Some(attachment) }, &receipt))
    }

    type DownloadAttachmentStream = Out<DownloadAttachmentResponse>;

    async fn download_attachment(&self, request: Request<DownloadAttachmentRequest>) -> Answer<Self::DownloadAttachmentStream> {
        use download_attachment_response::Frame;
        let caller = caller(&request).map_err(status)?;
        let mut violations = Violations::default();
        let id = violations.id("attachment_id", &request.into_inner().attachment_id);
        violations.done().map_err(status)?;
        let (attachment, bytes) = self.app.file(&caller, id).await.map_err(status)?;
        let pieces = (0..bytes.len()).step_by(PIECE).map(move |at| bytes.slice(at..bytes.len().min(at + PIECE)));
        let frames =
            std::iter::once(Frame::Attachment(attachment)).chain(pieces.map(|data| Frame::Chunk(FileChunk { data: data.to_vec() })));
        let answers = frames.map(|frame| Ok(DownloadAttachmentResponse { frame: Some(frame) }));
        Ok(tonic::Response::new(stream::iter(answers).boxed()))
    }
}

async fn upload(app: &App, caller: &Caller, mut frames: Streaming<UploadAttachmentRequest>) -> Result<(Attachment, Receipt)> {
    let broken = |said: tonic::Status| rpc::refusal::meant(&said).unwrap_or_else(|| rpc::status::error(&said));
    let first = frames.message().await.map_err(broken)?.and_then(|request| request.frame);
    let Some(Frame::Start(start)) = first else {
        return Err(Error::invalid("start", "must be the first frame"));
    };
    let mut violations = Violations::default();
    let case = violations.id("start.case_id", &start.case_id);
    violations.text("start.file_name", &start.file_name, MAX_NAME);
    violations.check(
        !start.file_name.contains(|letter: char| letter.is_control() || "/\\".contains(letter)),
        "start.file_name",
        "is no name of a file",
    );
    violations.text("start.media_type", &start.media_type, 64);
    violations.done()?;
    let (_, most) = app.may_upload(caller, case).await?;
    let busy = || Error::new(Code::ResourceExhausted, "TOO_MANY_UPLOADS", "too many files are coming in; try again in a moment");
    let _slot = app.files.slots.try_acquire().map_err(|_| busy())?;
    let mut bytes = Vec::new();
    while let Some(request) = frames.message().await.map_err(broken)? {
        let Some(Frame::Chunk(chunk)) = request.frame else {
            return Err(Error::invalid("chunk", "must be every frame but the first"));
        };
        if bytes.len() + chunk.data.len() > most {
            let message = format!("the file is larger than {} MiB, the most that is taken here", most >> 20);
            return Err(Error::new(Code::InvalidArgument, "FILE_TOO_LARGE", message));
        }
        bytes.extend_from_slice(&chunk.data);
    }
    app.keep_file(caller, case, start.file_name, &start.media_type, bytes).await
}
