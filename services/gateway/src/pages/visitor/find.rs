//! `/find`, and `/` where no demo is: one's clinic, by place and name.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use proto::intake::{EntryPointSummary, ListEntryPointsRequest};
use serde::Deserialize;

use super::words;
use crate::web::{Page, Problem};

/// Doors on one page.
const MOST: i32 = 100;

#[derive(Deserialize)]
pub struct Sought {
    #[serde(default)]
    q: String,
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "visitor/find.html")]
struct Find {
    page: Page,
    q: String,
    /// By place.
    places: BTreeMap<String, Vec<EntryPointSummary>>,
    found: usize,
    /// The rest, if there is one.
    next: String,
}

pub async fn find(page: Page, Query(sought): Query<Sought>) -> Result<Response, Problem> {
    shown(page, sought).await
}

/// The page, with what is found for these words; all for none.
pub async fn front(page: Page, q: String) -> Result<Response, Problem> {
    shown(page, Sought { q, next: String::new() }).await
}

async fn shown(page: Page, sought: Sought) -> Result<Response, Problem> {
    let q: String = sought.q.chars().take(100).collect();
    let request = ListEntryPointsRequest {
        query: q.clone(),
        language: page.language().code().to_owned(),
        page_size: MOST,
        page_token: sought.next,
        ..ListEntryPointsRequest::default()
    };
    let answer = page.calls().cases().list_entry_points(request).await?.into_inner();
    let doors = answer.entry_points;
    let found = doors.len();
    let mut places: BTreeMap<String, Vec<EntryPointSummary>> = BTreeMap::new();
    for door in doors {
        places.entry(door.place.clone()).or_default().push(door);
    }
    page.show(&Find { page: page.clone(), q, places, found, next: answer.next_page_token })
}
