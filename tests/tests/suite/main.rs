//! The suite as a whole: every promise that needs more than one service, on both stacks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

/// Makes two tests of an async function that takes a `Stack`: one per stack.
macro_rules! on_both_stacks {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            use samtal_tests::suite::Stack;

            #[tokio::test(flavor = "multi_thread")]
            async fn embedded() {
                super::$name(Stack::Embedded).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn region() {
                super::$name(Stack::Region).await;
            }
        })+
    };
}

mod access_log;
mod afterwards;
mod away;
mod bad_input;
mod bus_loss;
mod canaries;
mod clinic;
mod command_line;
mod conformance;
mod conversation;
mod deploying;
mod disk;
mod doors;
mod doors_found;
mod dynamic;
mod exactly_once;
mod files;
mod isolation;
mod issuer;
mod journey;
mod keeping;
mod kill;
mod lanes;
mod listeners;
mod load;
mod metrics;
mod nemesis;
mod pages;
mod panics;
mod readers;
mod replicas;
mod restore;
mod screens;
mod sign_in;
mod simulate;
mod store_conformance;
mod tables;
mod tenants;
mod tokens;
mod way;
mod way_in;
mod worklist;
