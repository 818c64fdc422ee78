//! The way in from other sites: a small script that makes a button and, when it is pressed, a frame. It learns whether the door is
//! open, and nothing about anybody; what is written in the frame, the other site cannot read.

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use super::{entry, words};
use crate::Gateway;
use crate::assets::source;
use crate::web::{Page, Problem};

pub fn routes() -> Router<Gateway> {
    Router::new().route("/widget.js", get(script)).route("/w/e/{entry_point}/state", get(state))
}

const FOREIGN: &str = "cross-origin";

/// The address stays the same for ever, so that it is asked for anew every hour.
async fn script(State(_): State<Gateway>) -> Response {
    let headers = [
        (header::CONTENT_TYPE.as_str(), "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL.as_str(), "public, max-age=3600"),
        ("cross-origin-resource-policy", FOREIGN),
    ];
    (headers, source("widget.js")).into_response()
}

#[derive(Serialize)]
struct Door {
    open: bool,
    /// What the button says.
    label: String,
    /// Of the frame, for screen readers.
    title: String,
    close: String,
}

/// Public facts about a door, for the sites that may frame it: on any other one the button would lead to an empty frame.
async fn state(State(gateway): State<Gateway>, page: Page, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let allowed =
        |site: &HeaderValue| gateway.settings().frame_ancestors.iter().any(|one| site.as_bytes().eq_ignore_ascii_case(one.as_bytes()));
    if headers.get(header::ORIGIN).is_some_and(|site| !allowed(site)) {
        return Ok(
            (StatusCode::FORBIDDEN, [("access-control-allow-origin", "*"), ("cross-origin-resource-policy", FOREIGN)]).into_response()
        );
    }
    let door = entry::door(&page, &id).await?;
    let when = words::when(&page, door.next_opening_at.as_ref());
    let label = match (door.open, when.is_empty()) {
        (true, _) => page.say("widget-open"),
        (false, false) => page.say("widget-closed-until").with("when", when),
        (false, true) => page.say("widget-closed"),
    };
    let title = page.say("widget-title").with("door", &door.name).to_string();
    let told = Door { open: door.open, label: label.to_string(), title, close: page.say("widget-close").to_string() };
    let headers = [("access-control-allow-origin", "*"), ("cross-origin-resource-policy", FOREIGN), ("cache-control", "max-age=60")];
    Ok((headers, Json(told)).into_response())
}
