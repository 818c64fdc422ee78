//! The pages in real Chromium.

use samtal_tests::browser::run;

#[test]
fn door() {
    run("door");
}

#[test]
fn visitor() {
    run("visitor");
}

#[test]
fn staff() {
    run("staff");
}
