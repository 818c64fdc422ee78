//! `/`: in a demo, the ways in; else the search for one's clinic.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use proto::access::{DemoLogin, PrincipalKind};
use proto::intake::{EntryPointSummary, ListEntryPointsRequest};

use crate::Gateway;
use crate::sign_in::demo;
use crate::web::{Page, Problem};

/// Doors that are shown: as many as one answer gives, and more than a demo has.
const MOST: i32 = 200;

pub fn routes() -> Router<Gateway> {
    Router::new().route("/", get(door))
}

#[derive(Template)]
#[template(path = "door.html")]
struct Door {
    page: Page,
    entry_points: Vec<EntryPointSummary>,
    workers: Vec<DemoLogin>,
    leaders: Vec<DemoLogin>,
    operators: Vec<DemoLogin>,
}

async fn door(State(gateway): State<Gateway>, page: Page) -> Result<Response, Problem> {
    if !page.demo() {
        return super::visitor::front(page, String::new()).await;
    }
    let request =
        ListEntryPointsRequest { language: page.language().code().to_owned(), page_size: MOST, ..ListEntryPointsRequest::default() };
    let entry_points = page.calls().cases().list_entry_points(request).await?.into_inner().entry_points;
    let logins = demo::logins(&gateway).await?;
    let of = |kinds: &[PrincipalKind]| logins.iter().filter(|login| kinds.contains(&login.kind())).cloned().collect();
    let workers = of(&[PrincipalKind::Worker, PrincipalKind::Volunteer]);
    let (leaders, operators) = (of(&[PrincipalKind::Leader]), of(&[PrincipalKind::Operator]));
    page.show(&Door { page: page.clone(), entry_points, workers, leaders, operators })
}
