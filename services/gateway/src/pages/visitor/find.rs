//! `/find`, and `/` where no demo is: one's clinic, by place and name.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use proto::intake::{EntryPointSummary, ListEntryPointsRequest};
use serde::Deserialize;

use crate::web::{Page, Problem};

#[derive(Deserialize)]
pub struct Sought {
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "visitor/find.html")]
struct Find {
    page: Page,
    q: String,
    /// By place.
    places: BTreeMap<String, Vec<EntryPointSummary>>,
    found: usize,
}

pub async fn find(page: Page, Query(sought): Query<Sought>) -> Result<Response, Problem> {
    front(page, sought.q).await
}

/// The page, with what is found for these words; all for none.
pub async fn front(page: Page, q: String) -> Result<Response, Problem> {
    let q: String = q.chars().take(100).collect();
    let doors = list(&page, &q).await?;
    let found = doors.len();
    let mut places: BTreeMap<String, Vec<EntryPointSummary>> = BTreeMap::new();
    for door in doors {
        places.entry(door.place.clone()).or_default().push(door);
    }
    page.show(&Find { page: page.clone(), q, places, found })
}

async fn list(page: &Page, q: &str) -> Result<Vec<EntryPointSummary>, Problem> {
    let request = ListEntryPointsRequest { language: page.language().code().to_owned() };
    let all = page.calls().cases().list_entry_points(request).await?.into_inner().entry_points;
    let words: Vec<String> = q.split_whitespace().map(super::start::folded).collect();
    let fits = |door: &EntryPointSummary| {
        let text = super::start::folded(&format!("{} {} {} {}", door.name, door.clinic_name, door.organisation_name, door.place));
        words.iter().all(|word| text.contains(word))
    };
    Ok(all.into_iter().filter(|door| !door.practice && fits(door)).collect())
}
