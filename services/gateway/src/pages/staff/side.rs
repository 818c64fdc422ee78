//! `/staff/side?c=A,B`: several conversations side by side. Each is its own page in a frame, which leaves out what this page has.

use askama::Template;
use axum::extract::Query;
use axum::http::HeaderMap;
use axum::response::Response;
use kernel::Id;
use serde::Deserialize;

use super::cases;
use super::desk::followed;
use super::names::Names;
use super::view::Row;
use crate::web::{Page, Problem, Staff};

/// Each has a stream of its own, and browsers open six to one site: one is this page's, one is for everything else.
const MOST: usize = 4;
/// Shown when none is asked for.
const FIRST: usize = 2;

/// Whether the page is asked for by a frame.
pub fn framed(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-dest").is_some_and(|dest| dest == "iframe")
}

#[derive(Deserialize)]
pub struct Wanted {
    /// Cases, parted by commas.
    c: Option<String>,
}

/// One of the caller's cases, and what a click on it leads to.
struct Chip {
    row: Row,
    shown: bool,
    /// All that are shown, without this one or with it.
    to: String,
}

#[derive(Template)]
#[template(path = "staff/side.html")]
struct Side {
    page: Page,
    staff: Staff,
    mine: Vec<Row>,
    chips: Vec<Chip>,
    panes: Vec<Row>,
}

impl Side {
    fn followed(&self) -> String {
        followed(&self.mine)
    }
}

pub async fn show(page: Page, staff: Staff, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    let names = Names::load(&page, &staff).await?;
    let mine = cases::mine(&page, &staff, &names, staff.calls.now()).await?;
    let all: Vec<&str> = mine.iter().map(|row| row.id.as_str()).collect();
    let shown = chosen(wanted.c.as_deref(), &all);
    let chip = |row: &Row| {
        let open = shown.contains(&row.id);
        let mut to: Vec<&str> = shown.iter().map(String::as_str).filter(|one| *one != row.id).collect();
        if !open {
            to.push(&row.id);
        }
        // The newest takes the place of the oldest.
        let from = to.len().saturating_sub(MOST);
        Chip { row: row.clone(), shown: open, to: to.get(from..).unwrap_or_default().join(",") }
    };
    let side = Side {
        chips: mine.iter().map(chip).collect(),
        panes: shown.iter().filter_map(|id| mine.iter().find(|row| row.id == *id)).cloned().collect(),
        page: page.clone(),
        staff,
        mine,
    };
    page.show(&side)
}

/// Those that are asked for and are the caller's own, in the asked order; without a wish the most pressing.
fn chosen(wanted: Option<&str>, mine: &[&str]) -> Vec<String> {
    let Some(wanted) = wanted else { return mine.iter().take(FIRST).map(|id| (*id).to_owned()).collect() };
    let mut shown: Vec<String> = Vec::new();
    for id in wanted.split(',').filter_map(|one| one.parse::<Id>().ok()).map(|id| id.to_string()) {
        if mine.contains(&id.as_str()) && !shown.contains(&id) && shown.len() < MOST {
            shown.push(id);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ones_own_are_shown_and_each_once() {
        let ids: Vec<String> = (0..6_u8).map(|n| Id::derived(&[&[n]]).to_string()).collect();
        let mine: Vec<&str> = ids.iter().take(5).map(String::as_str).collect();
        assert_eq!(chosen(None, &mine), ids[..2]);
        assert_eq!(chosen(Some(""), &mine), Vec::<String>::new());
        let wanted = format!("{},{},nonsense,{},{}", ids[3], ids[0], ids[3], ids[5]);
        assert_eq!(chosen(Some(&wanted), &mine), [ids[3].clone(), ids[0].clone()]);
        assert_eq!(chosen(Some(&ids.join(",")), &mine).len(), MOST);
    }
}
