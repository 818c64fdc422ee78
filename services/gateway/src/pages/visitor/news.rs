//! `/c/<case>/news`: what has come since the page was made, in a frame that asks again by itself. For browsers without script: the page
//! around it stands still, so that nothing that is being written is lost.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use kernel::Id;
use proto::intake::ListMessagesRequest;
use proto::routing::GetPositionRequest;
use serde::Deserialize;

use super::{chat, entry, line};
use crate::web::{Page, Problem, Visitor};

/// Seconds between two looks: soon at first, then seldom, since each look at a conversation is kept in its log. None: it stands still
/// until somebody wants to go on.
fn pause(looks: u32) -> Option<u32> {
    match looks {
        0..=29 => Some(10),
        30..=59 => Some(20),
        60..=119 => Some(60),
        _ => None,
    }
}

#[derive(Deserialize)]
pub struct Asked {
    /// The last message on the page around.
    #[serde(default)]
    after: i64,
    /// Its door.
    #[serde(default)]
    door: String,
    /// Looks so far.
    #[serde(default)]
    n: u32,
    /// Not by itself.
    #[serde(default)]
    still: bool,
}

#[derive(Template)]
#[template(path = "visitor/news.html")]
struct News {
    page: Page,
    id: Id,
    after: i64,
    door: String,
    /// Whom to call, if something tells of danger since the page around was made; HTML.
    safety: String,
    /// HTML, each made by [`chat::bubble`].
    bubbles: Vec<String>,
    standing: String,
    /// Nobody answered just now.
    away: bool,
    /// Seconds until the next look, and the looks until then.
    every: Option<u32>,
    n: u32,
}

pub async fn news(page: Page, visitor: Visitor, Path(id): Path<Id>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let calls = visitor.calls(id)?;
    // It goes into an address again: what is no id is none.
    let door = Some(asked.door).filter(|door| door.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')).unwrap_or_default();
    let place = calls.routing().get_position(GetPositionRequest { case_id: id.to_string() }).await.map(tonic::Response::into_inner);
    let standing = match place.ok().filter(|place| place.waiting) {
        Some(place) => entry::door(&page, &door).await.map(|door| chat::place_of(&page, &place, &door).to_string()).unwrap_or_default(),
        None => String::new(),
    };
    let request = ListMessagesRequest { case_id: id.to_string(), after_seq: asked.after.max(0), page_size: 50 };
    let (messages, away) = match calls.conversations().list_messages(request).await {
        Ok(answer) => (answer.into_inner().messages, false),
        Err(status) if matches!(status.code(), tonic::Code::Unavailable | tonic::Code::DeadlineExceeded) => (Vec::new(), true),
        Err(status) => return Err(status.into()),
    };
    let danger = messages.iter().filter_map(|message| message.system.as_ref()).any(|line| !line::numbers(line).is_empty());
    page.show(&News {
        safety: if danger { chat::safety_of(&page, &calls, id).await? } else { String::new() },
        page: page.clone(),
        id,
        after: asked.after,
        door,
        bubbles: messages.iter().map(|message| chat::bubble(&page, message)).collect::<Result<_, _>>()?,
        standing,
        away,
        every: pause(asked.n).filter(|_| !asked.still),
        n: asked.n.saturating_add(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_ever_less_often_and_in_the_end_not_at_all() {
        let all: Vec<_> = (0..130).map(pause).collect();
        assert!(all.windows(2).all(|two| two[0].unwrap_or(u32::MAX) <= two[1].unwrap_or(u32::MAX)));
        assert_eq!((pause(0), pause(130)), (Some(10), None));
    }
}
