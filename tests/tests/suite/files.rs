//! Files that are sent along: in whole or not at all, cleaned, read by those who may, gone with the case.

use std::time::Duration;

use proto::intake::upload_attachment_request::Frame;
use proto::intake::{
    Attachment, DownloadAttachmentRequest, FileChunk, ListAuditRequest, Message, Outcome, PostMessageRequest, UploadAttachmentRequest,
    UploadStart, download_attachment_response,
};
use samtal_tests::suite::{Person, Setup, Stack, TestSuite, eventually, refused};
use tonic::{Code, Status};

on_both_stacks!(
    a_file_goes_with_a_message,
    what_may_not_be_sent_leaves_nothing_behind,
    a_file_that_no_message_names_goes,
    files_go_with_their_case
);

pub async fn upload(person: &Person, case_id: &str, media_type: &str, bytes: &[u8]) -> Result<Attachment, Status> {
    let start = UploadStart { case_id: case_id.into(), file_name: "prov KANARIE.txt".into(), media_type: media_type.into() };
    let pieces = bytes.chunks(40_000).map(|piece| Frame::Chunk(FileChunk { data: piece.to_vec() }));
    let frames: Vec<_> =
        std::iter::once(Frame::Start(start)).chain(pieces).map(|frame| UploadAttachmentRequest { frame: Some(frame) }).collect();
    let answer = person.files().upload_attachment(futures::stream::iter(frames)).await?;
    Ok(answer.into_inner().attachment.expect("an attachment"))
}

async fn download(person: &Person, attachment_id: &str) -> Result<(Attachment, Vec<u8>), Status> {
    use download_attachment_response::Frame;
    let request = DownloadAttachmentRequest { attachment_id: attachment_id.into() };
    let mut frames = person.files().download_attachment(request).await?.into_inner();
    let (mut info, mut bytes) = (None, Vec::new());
    while let Some(answer) = frames.message().await? {
        match answer.frame.unwrap() {
            Frame::Attachment(attachment) => info = Some(attachment),
            Frame::Chunk(chunk) => bytes.extend(chunk.data),
        }
    }
    Ok((info.unwrap(), bytes))
}

async fn send(person: &Person, case_id: &str, client_id: &str, attachment: &Attachment) -> Result<Message, Status> {
    let request = PostMessageRequest {
        case_id: case_id.into(),
        client_id: client_id.into(),
        text: String::new(),
        attachment_ids: vec![attachment.attachment_id.clone()],
    };
    person.conversations().post_message(request).await.map(|answer| answer.into_inner().message.unwrap())
}

fn objects(suite: &TestSuite) -> usize {
    std::fs::read_dir(suite.attachments.path()).unwrap().count()
}

async fn a_file_goes_with_a_message(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    let (anna, bo, case) = (suite.worker("alfa.anna").await, suite.worker("alfa.bo").await, visitor.case_id.clone());
    anna.present(true).await;
    anna.take(&case).await;
    // Of several pieces each way.
    let text = "rad åäö\n".repeat(20_000);
    let file = upload(&visitor.me, &case, "text/plain", text.as_bytes()).await.unwrap();
    assert_eq!((file.media_type.as_str(), file.size), ("text/plain", text.len() as u64));
    // Before it is sent it is its sender's alone.
    refused(download(&anna, &file.attachment_id).await, Code::NotFound, "NOT_FOUND");
    refused(send(&anna, &case, "a1", &file).await, Code::NotFound, "NOT_FOUND");
    let sent = send(&visitor.me, &case, "v1", &file).await.unwrap();
    assert_eq!(sent.attachments, std::slice::from_ref(&file));
    assert_eq!(send(&visitor.me, &case, "v1", &file).await.unwrap(), sent, "the same again is the same");
    refused(send(&visitor.me, &case, "v2", &file).await, Code::NotFound, "NOT_FOUND");
    assert_eq!(anna.messages(&case).await.unwrap().last().unwrap(), &sent);
    let (info, bytes) = download(&anna, &file.attachment_id).await.unwrap();
    assert_eq!((info, bytes == text.as_bytes()), (file.clone(), true));
    refused(download(&bo, &file.attachment_id).await, Code::NotFound, "NOT_FOUND");
    let audit = ListAuditRequest { case_id: case, ..ListAuditRequest::default() };
    let entries = visitor.me.cases().list_audit(audit).await.unwrap().into_inner().entries;
    let reads = entries.iter().filter(|one| one.action.ends_with("FileService/DownloadAttachment")).count();
    assert_eq!(reads, 1, "each look is logged, and a refusal is none");
}

async fn what_may_not_be_sent_leaves_nothing_behind(stack: Stack) {
    let mut suite = TestSuite::start(stack).await;
    let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    let case = visitor.case_id.clone();
    let large = vec![b'a'; (10 << 20) + 1];
    for (claimed, bytes, reason) in [
        ("image/jpeg", b"%PDF-1.7".as_slice(), "FILE_TYPE_MISMATCH"),
        ("text/plain", b"MZ\x90\0\x03", "FILE_TYPE_REFUSED"),
        ("text/plain", b"", "FILE_TYPE_REFUSED"),
        ("image/png", b"\x89PNG\r\n\x1a\nnonsense", "FILE_DAMAGED"),
        ("text/plain", &large, "FILE_TOO_LARGE"),
    ] {
        refused(upload(&visitor.me, &case, claimed, bytes).await, Code::InvalidArgument, reason);
    }
    // A stranger, a closed case, no start.
    let stranger = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    refused(upload(&stranger.me, &case, "text/plain", b"hej").await, Code::NotFound, "NOT_FOUND");
    let piece = UploadAttachmentRequest { frame: Some(Frame::Chunk(FileChunk { data: b"hej".to_vec() })) };
    let answer = visitor.me.files().upload_attachment(futures::stream::iter([piece])).await;
    refused(answer, Code::InvalidArgument, "INVALID_FIELD");
    visitor.me.cases().close_case(crate::journey::close(&case, Outcome::Unspecified)).await.unwrap();
    refused(upload(&visitor.me, &case, "text/plain", b"hej").await, Code::FailedPrecondition, "CASE_CLOSED");
    assert_eq!(objects(&suite), 0);
    suite.down().await;
    assert_eq!(crate::tables::count(&suite.db("intake").await, "attachment").await, 0);
}

async fn a_file_that_no_message_names_goes(stack: Stack) {
    let suite = Setup::new(stack).manual().start().await;
    let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    let case = visitor.case_id.clone();
    let (kept, left) = (
        upload(&visitor.me, &case, "text/plain", b"kept").await.unwrap(),
        upload(&visitor.me, &case, "text/plain", b"left").await.unwrap(),
    );
    send(&visitor.me, &case, "v1", &kept).await.unwrap();
    suite.advance(Duration::from_secs(3599)).await;
    assert!(download(&visitor.me, &left.attachment_id).await.is_ok());
    suite.advance(Duration::from_secs(1)).await;
    refused(download(&visitor.me, &left.attachment_id).await, Code::NotFound, "NOT_FOUND");
    eventually("its bytes are gone", async || (objects(&suite) == 1).then_some(())).await;
    assert_eq!(download(&visitor.me, &kept.attachment_id).await.unwrap().1, b"kept");
}

async fn files_go_with_their_case(stack: Stack) {
    let mut suite = Setup::new(stack).manual().start().await;
    let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    let case = visitor.case_id.clone();
    let file = upload(&visitor.me, &case, "text/plain", b"KANARIE-8812 in a file").await.unwrap();
    send(&visitor.me, &case, "v1", &file).await.unwrap();
    visitor.me.cases().close_case(crate::journey::close(&case, Outcome::Unspecified)).await.unwrap();
    suite.advance(Duration::from_secs(7 * 86_400)).await;
    let lea = suite.leader("alfa.lea").await;
    refused(download(&lea, &file.attachment_id).await, Code::NotFound, "NOT_FOUND");
    let messages = lea.messages(&case).await.unwrap();
    assert!(messages.iter().all(|message| message.erased && message.attachments.is_empty()));
    eventually("its bytes are gone", async || (objects(&suite) == 0).then_some(())).await;
    suite.down().await;
    let found = crate::tables::search(&suite.db("intake").await, &["KANARIE"]).await;
    assert!(found.is_empty(), "{found:?}");
}
