//! The pages in real Chromium.

use samtal_tests::browser::run;

#[test]
fn door() {
    run("door");
}

#[test]
fn staff() {
    run("staff");
}
