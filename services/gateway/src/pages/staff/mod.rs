//! Pages of staff, below `/staff`.

pub mod acts;
mod book;
pub mod cases;
mod conversation;
pub mod desk;
mod file;
mod hand_over;
mod history;
mod keep;
pub mod names;
mod onward;
mod open;
pub mod pass_on;
mod refer;
mod replies;
pub mod said;
mod say;
mod side;
mod transfer;
pub mod view;

use axum::Router;
use axum::routing::{get, post};

use crate::Gateway;

pub fn routes() -> Router<Gateway> {
    Router::new()
        .route("/staff", get(desk::show))
        .route("/staff/keep", post(keep::keep))
        .route("/staff/presence", post(desk::presence))
        .route("/staff/presence/renew", post(desk::renew))
        .route("/staff/offers/{offer}/accept", post(desk::accept))
        .route("/staff/offers/{offer}/decline", post(desk::decline))
        .route("/staff/claim/{case}", post(desk::claim))
        .route("/staff/hand-over", get(hand_over::form).post(hand_over::hand_over))
        .route("/staff/side", get(side::show))
        .route("/staff/new", get(open::doors))
        .route("/staff/new/{door}", get(open::form).post(open::open))
        .route("/staff/c/{case}", get(conversation::show))
        .route("/staff/c/{case}/message", post(say::message))
        .route("/staff/c/{case}/file", post(file::post))
        .route("/staff/c/{case}/file/{file}", get(file::picture))
        .route("/staff/c/{case}/file/{file}/picture", get(file::picture))
        .route("/staff/c/{case}/file/{file}/save", get(file::save))
        .route("/staff/c/{case}/typing", post(say::typing))
        .route("/staff/c/{case}/note", post(say::note))
        .route("/staff/c/{case}/severity", post(acts::severity))
        .route("/staff/c/{case}/mode", post(acts::mode))
        .route("/staff/c/{case}/reply", post(replies::fill))
        .route("/staff/c/{case}/transfer", post(transfer::transfer))
        .route("/staff/c/{case}/release", post(acts::release))
        .route("/staff/c/{case}/close", post(acts::close))
        .route("/staff/c/{case}/documented", post(acts::documented))
        .route("/staff/c/{case}/reopen", post(acts::reopen))
        .route("/staff/c/{case}/video", post(onward::video))
        .route("/staff/c/{case}/refer", get(refer::targets).post(refer::refer))
        .route("/staff/c/{case}/pass-on", get(pass_on::choose).post(pass_on::propose))
        .route("/staff/c/{case}/pass-on/withdraw", post(pass_on::withdraw))
        .route("/staff/c/{case}/book", get(book::slots).post(book::book))
        .route("/staff/c/{case}/book/cancel", post(book::cancel))
}
