//! Practice: `/staff/practice`, where staff begin and end it and open doors to play the visitor; and `/practice/<door>/<key>`, a link
//! for another device. Nobody gets there without a key that staff of the clinic have made.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use proto::intake::{EntryPoint, GetPracticeKeyRequest};
use proto::routing::{NamedEntryPoint, Presence, SetPresenceRequest};
use serde::Deserialize;

use super::staff::names::Names;
use super::staff::{desk, view};
use crate::Gateway;
use crate::web::cookies::Cookie;
use crate::web::{Form, Page, Problem, Staff};

/// Seconds of the cookie: as long as the key.
const LIFE: i64 = 12 * 3600;

pub fn routes() -> Router<Gateway> {
    Router::new()
        .route("/staff/practice", get(show).post(presence))
        .route("/staff/practice/visit", post(visit))
        .route("/practice/{door}/{key}", get(ask).post(begin))
        .route("/practice/stop", post(stop))
}

#[derive(Template)]
#[template(path = "practice/staff.html")]
struct Practice {
    page: Page,
    staff: Staff,
    presence: Presence,
    doors: Vec<NamedEntryPoint>,
    names: Names,
    /// A link that was just made: the door's name, the address, when it ends.
    link: Option<(String, String, String)>,
}

#[derive(Default, Deserialize)]
pub struct Wanted {
    /// A door to which a link is wanted.
    #[serde(default)]
    link: String,
}

pub async fn show(page: Page, staff: Staff, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    let names = Names::load(&page, &staff).await?;
    let presence = desk::presence_of(&staff).await?;
    let mut doors: Vec<NamedEntryPoint> = names.doors(&staff.clinics).cloned().collect();
    doors.sort_by_key(|door| !door.practice);
    let link = if wanted.link.is_empty() {
        None
    } else {
        let (key, until) = key(&staff, &wanted.link).await?;
        // Where the browser is right now, so is the other device.
        let address = format!("/practice/{}/{key}", wanted.link);
        Some((names.door(&wanted.link).to_owned(), address, until))
    };
    page.show(&Practice { page: page.clone(), staff, presence, doors, names, link })
}

/// A key to a door of the worker's own clinics, and when it ends.
pub async fn key(staff: &Staff, door: &str) -> Result<(String, String), Problem> {
    let request = GetPracticeKeyRequest { entry_point_id: door.to_owned() };
    let answer = staff.calls.clinics().get_practice_key(request).await?.into_inner();
    Ok((answer.practice_key, view::short(answer.expires_at.as_ref(), staff.calls.now())))
}

#[derive(Deserialize)]
pub struct Presenting {
    practising: u8,
}

async fn presence(page: Page, staff: Staff, Form(said): Form<Presenting>) -> Result<Response, Problem> {
    let on = said.practising == 1;
    // A page with a script renews it while it is open; without one it holds for an hour.
    let request =
        SetPresenceRequest { present: on, practising: on, hold_seconds: if on { 3600 } else { 0 }, ..SetPresenceRequest::default() };
    staff.calls.routing().set_presence(request).await?;
    Ok(page.then("/staff/practice", &staff.calls))
}

#[derive(Deserialize)]
pub struct Door {
    door: String,
}

/// Plays the visitor in this browser.
async fn visit(State(gateway): State<Gateway>, staff: Staff, Form(wanted): Form<Door>) -> Result<Response, Problem> {
    let (key, _) = key(&staff, &wanted.door).await?;
    Ok(to_the_door(&gateway, &wanted.door, &key))
}

fn to_the_door(gateway: &Gateway, door: &str, key: &str) -> Response {
    let mut response = Redirect::to(&format!("/e/{door}")).into_response();
    if let Some(cookie) = gateway.jar("").write(Cookie::Practice, &format!("{door}~{key}"), LIFE) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

#[derive(Template)]
#[template(path = "practice/ask.html")]
struct Ask {
    page: Page,
    door: EntryPoint,
    key: String,
}

/// Nobody is put into practice by a link alone: they are asked.
async fn ask(page: Page, Path((door, key)): Path<(String, String)>) -> Result<Response, Problem> {
    let door = super::visitor::door(&page, &door).await?;
    page.show(&Ask { page: page.clone(), door, key })
}

async fn begin(State(gateway): State<Gateway>, page: Page, Path((door, key)): Path<(String, String)>) -> Result<Response, Problem> {
    let door = super::visitor::door(&page, &door).await?;
    Ok(to_the_door(&gateway, &door.entry_point_id, &key))
}

/// This browser plays the visitor no more. Its conversations stay practice.
async fn stop(State(gateway): State<Gateway>, staff: Result<Staff, Problem>) -> Response {
    let mut response = Redirect::to(if staff.is_ok() { "/staff/practice" } else { "/" }).into_response();
    if let Some(cookie) = gateway.jar("").write(Cookie::Practice, "", 0) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
