//! The words by which one comes back, offered before anything is written. On the way through the steps they travel sealed with what was
//! said, and hold for this browser only: a link that somebody else has made, with words that they know, gives nobody theirs.

use kernel::Id;
use proto::intake::{CaseState, EntryPoint, ListMessagesRequest, OfferReturnPhraseRequest, PostMessageRequest, ResumeCaseRequest};
use serde::{Deserialize, Serialize};

use crate::services::Calls;
use crate::web::Page;

/// Seconds before their end at which words are not used any more: what was just shown must still hold when it is sent.
const MARGIN: i64 = 60;

#[derive(Clone, Serialize, Deserialize)]
pub struct Offered {
    pub phrase: String,
    pub ticket: String,
    door: String,
    browser: String,
    /// Unix seconds.
    until: i64,
}

impl Offered {
    /// None if nobody can offer any now: then they come with the answer to the first message.
    pub async fn ask(page: &Page, door: &EntryPoint) -> Option<Self> {
        let request = OfferReturnPhraseRequest { entry_point_id: door.entry_point_id.clone() };
        let offer = page.calls().cases().offer_return_phrase(request).await.ok()?.into_inner();
        Some(Self {
            phrase: offer.return_phrase,
            ticket: offer.return_ticket,
            door: door.entry_point_id.clone(),
            browser: page.browser().to_owned(),
            until: offer.expires_at?.seconds,
        })
    }

    /// The conversation that was opened with these words, with what was just written in it; with the visitor's token. None: there is
    /// none that can be written in.
    pub async fn back(&self, calls: &Calls, request: &str, written: &str) -> Option<(Id, String)> {
        let resume = ResumeCaseRequest { request_id: String::new(), return_phrase: self.phrase.clone() };
        let found = calls.cases().resume_case(resume).await.ok()?.into_inner();
        let case = found.case.filter(|case| case.state() != CaseState::Closed)?;
        let mine = calls.as_bearer(&found.visitor_token);
        let first = ListMessagesRequest { case_id: case.case_id.clone(), after_seq: 0, page_size: 1 };
        let first = mine.conversations().list_messages(first).await.ok()?.into_inner().messages;
        if first.first().is_none_or(|message| message.text != written) {
            let (case_id, client_id, text) = (case.case_id.clone(), request.to_owned(), written.to_owned());
            let post = PostMessageRequest { case_id, client_id, text, ..PostMessageRequest::default() };
            mine.conversations().post_message(post).await.ok()?;
        }
        Some((Id::parse("case_id", &case.case_id).ok()?, found.visitor_token))
    }

    /// Whether they can still be used, here, by this browser.
    pub fn holds(&self, page: &Page, door: &EntryPoint) -> bool {
        let now = page.gateway().services().clock().now().secs();
        self.browser == page.browser() && self.door == door.entry_point_id && now < self.until - MARGIN
    }
}
