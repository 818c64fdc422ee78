//! ConversationService.

use std::pin::Pin;

use futures::Stream;
use kernel::error::Violations;
use kernel::{Error, Id, Result};
use prost::Message as _;
use proto::intake::conversation_service_server::ConversationService;
use proto::intake::subscribe_response::Event;
use proto::intake::{
    ConverseRequest, ConverseResponse, ListMessagesRequest, ListMessagesResponse, ListNotesRequest, ListNotesResponse, PostMessageRequest,
    PostMessageResponse, PostNoteRequest, PostNoteResponse, SetTypingRequest, SetTypingResponse, SubscribeRequest, SubscribeResponse,
    Typing,
};
use rpc::caller::reply;
use rpc::{Answer, Caller, caller, status};
use tonic::{Request, Status, Streaming};

use crate::app::post::{Post, sender};
use crate::app::{App, change};
use crate::store::{cases, messages};

pub struct Conversations {
    pub app: App,
}

const TYPING: &str = "samtal.intake.v1.ConversationService/SetTyping";

/// What a stream gives.
pub type Out<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl ConversationService for Conversations {
    async fn post_message(&self, request: Request<PostMessageRequest>) -> Answer<PostMessageResponse> {
        let caller = caller(&request).map_err(status)?;
        let post = Post::parse(request.into_inner()).map_err(status)?;
        let (answer, receipt) = self.app.post(&caller, post).await.map_err(status)?;
        Ok(reply("intake", answer, &receipt))
    }

    async fn list_messages(&self, request: Request<ListMessagesRequest>) -> Answer<ListMessagesResponse> {
        let caller = caller(&request).map_err(status)?;
        list(&self.app, &caller, &request.into_inner()).await.map(Into::into).map_err(status)
    }

    async fn post_note(&self, request: Request<PostNoteRequest>) -> Answer<PostNoteResponse> {
        let caller = caller(&request).map_err(status)?;
        let (answer, receipt) = super::notes::post(&self.app, &caller, request.into_inner()).await.map_err(status)?;
        Ok(reply("intake", answer, &receipt))
    }

    async fn list_notes(&self, request: Request<ListNotesRequest>) -> Answer<ListNotesResponse> {
        let caller = caller(&request).map_err(status)?;
        super::notes::list(&self.app, &caller, request.into_inner()).await.map(Into::into).map_err(status)
    }

    async fn set_typing(&self, request: Request<SetTypingRequest>) -> Answer<SetTypingResponse> {
        let caller = caller(&request).map_err(status)?;
        typing(&self.app, &caller, &request.into_inner()).await.map_err(status)?;
        Ok(SetTypingResponse {}.into())
    }

    type SubscribeStream = Out<SubscribeResponse>;

    async fn subscribe(&self, request: Request<SubscribeRequest>) -> Answer<Self::SubscribeStream> {
        let caller = caller(&request).map_err(status)?;
        let stream = super::subscribe::open(&self.app, &caller, &request.into_inner()).await.map_err(status)?;
        Ok(tonic::Response::new(stream))
    }

    type ConverseStream = Out<ConverseResponse>;

    async fn converse(&self, request: Request<Streaming<ConverseRequest>>) -> Answer<Self::ConverseStream> {
        let caller = caller(&request).map_err(status)?;
        Ok(tonic::Response::new(super::converse::open(self.app.clone(), caller, request.into_inner())))
    }
}

async fn list(app: &App, caller: &Caller, request: &ListMessagesRequest) -> Result<ListMessagesResponse> {
    let mut violations = Violations::default();
    let id = violations.id("case_id", &request.case_id);
    violations.check(request.after_seq >= 0, "after_seq", "must not be negative");
    violations.check((0..=500).contains(&request.page_size), "page_size", "must be at most 500");
    violations.done()?;
    let case = app.read(caller, id).await?;
    let limit = if request.page_size == 0 { 200 } else { i64::from(request.page_size) };
    let messages = messages::after(&app.node.of(caller), id, request.after_seq, limit).await?;
    // A message may have come between the two reads.
    let last_seq = messages.last().map_or(case.last_seq, |last| last.seq.max(case.last_seq));
    Ok(ListMessagesResponse { messages, last_seq })
}

/// Tells the other side that somebody is typing.
pub async fn typing(app: &App, caller: &Caller, request: &SetTypingRequest) -> Result<()> {
    let id = Id::parse("case_id", &request.case_id)?;
    let case = cases::load(&app.node.of(caller), id).await?;
    change::check(caller, TYPING, &case)?;
    if case.life.closed_at.is_some() {
        return Err(Error::precondition("CASE_CLOSED", "the case is closed"));
    }
    let event = SubscribeResponse { event: Some(Event::Typing(Typing { sender_kind: sender(caller)?.kind.to_wire() })) };
    app.node.bus().publish_live(&bus::live_subject(&request.case_id), event.encode_to_vec().into()).await;
    Ok(())
}
