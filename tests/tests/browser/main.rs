//! The pages in real Chromium, by `tests/browser/*.test.mjs`. A test binary of its own, and one file after the other: a browser
//! takes the whole machine, and what people see in time is part of what is tested.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::sync::{Mutex, PoisonError};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn run(name: &str) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    samtal_tests::browser::run(name);
}

#[test]
fn door() {
    run("door");
}

#[test]
fn sign_in() {
    run("sign_in");
}

#[test]
fn visitor() {
    run("visitor");
}

#[test]
fn staff() {
    run("staff");
}

#[test]
fn onward() {
    run("onward");
}

#[test]
fn work() {
    run("work");
}

#[test]
fn leader() {
    run("leader");
}
