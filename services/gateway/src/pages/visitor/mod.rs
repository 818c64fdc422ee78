//! Pages of visitors: the door, what is asked before, the conversation, and the way back. All of them again below `/w`, where other
//! sites may frame them.

mod after;
mod arrived;
mod back;
mod calendar;
mod chat;
mod contact;
mod copy;
mod entry;
mod file;
mod find;
mod leave;
mod line;
mod news;
mod phrase;
mod send;
mod start;
mod transfer;
mod widget;
pub mod words;

use axum::Router;
use axum::response::Redirect;
use axum::routing::{get, post};

use crate::Gateway;
use crate::web::Page;
pub use chat::bubble;
pub use entry::door;
pub use find::front;
pub use start::folded;

pub fn routes() -> Router<Gateway> {
    Router::new().merge(pages()).nest("/w", pages()).merge(widget::routes())
}

fn pages() -> Router<Gateway> {
    Router::new()
        .route("/find", get(find::find))
        .route("/e/{entry_point}", get(entry::entry))
        .route("/e/{entry_point}/opening", get(entry::opening))
        .route("/e/{entry_point}/start", get(start::ask).post(start::answer))
        .route("/c/{case}", get(chat::chat).post(send::send))
        .route("/c/{case}/welcome", get(chat::welcome))
        .route("/c/{case}/state", get(chat::state))
        .route("/c/{case}/safety", get(chat::safety))
        .route("/c/{case}/typing", post(send::typing))
        .route("/c/{case}/close", post(after::close))
        .route("/c/{case}/reopen", post(after::reopen))
        .route("/c/{case}/rate", post(after::rate))
        .route("/c/{case}/contact", post(contact::contact))
        .route("/c/{case}/contact/forget", post(contact::forget))
        .route("/c/{case}/news", get(news::news))
        .route("/c/{case}/video", post(after::video))
        .route("/c/{case}/identity", post(after::identity))
        .route("/c/{case}/copy", get(copy::read))
        .route("/c/{case}/copy/text", get(copy::text))
        .route("/c/{case}/copy/data", get(copy::data))
        .route("/c/{case}/file", post(file::post))
        .route("/c/{case}/file/{file}", get(file::full))
        .route("/c/{case}/file/{file}/picture", get(file::picture))
        .route("/c/{case}/file/{file}/save", get(file::save))
        .route("/c/{case}/times", get(after::times))
        .route("/c/{case}/booking", post(after::booking))
        .route("/c/{case}/booking/{booking}", get(after::ics))
        .route("/c/{case}/transfer", get(transfer::renewed).post(transfer::answer))
        .route("/c/{case}/onward", post(transfer::onward))
        .route("/arrived", get(arrived::ask).post(arrived::tell))
        .route("/return", get(back::ask).post(back::resume))
        // What messages to visitors name: short, and neutral.
        .route("/r", get(async |page: Page| Redirect::to(&format!("{}/return", page.base()))))
        .route("/leave", get(leave::leave))
}
