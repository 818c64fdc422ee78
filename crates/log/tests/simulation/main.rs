//! The log's protocol under a seeded simulation: the relay and the consumer of production, against a bus that loses,
//! repeats and reorders, against crashes, takeovers, restores and rejoins. Everything in a run follows from its seed.
//!
//! `SAMTAL_SIM_SEEDS=n` plays n seeds; `SAMTAL_SIM_SEED=n` plays that one and prints what happens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that goes wrong shall stop; clippy knows only functions marked #[test] for tests"
)]

mod checks;
mod consumer;
mod consumers;
mod faults;
mod guard;
mod network;
mod relay;
mod relays;
mod rng;
mod source;
mod world;

use faults::Stats;
use samtal_log::consumer::Checks;
use world::{Options, World};

/// Seeds within which the lack of a check must show.
const MUST_SHOW: u64 = 100;

#[allow(clippy::disallowed_methods, reason = "a test is steered from the command line")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn play(seed: u64, options: Options) -> Result<Stats, String> {
    let mut world = World::new(seed, options);
    world.run().map_err(|wrong| {
        format!("seed {seed} failed: {wrong}; replay: SAMTAL_SIM_SEED={seed} cargo test -p samtal-log --test simulation")
    })?;
    Ok(world.stats)
}

/// The first of the seeds that shows the lack, and that holds with all checks.
fn caught(options: Options) {
    let (seed, wrong) =
        (0..MUST_SHOW).find_map(|seed| Some((seed, play(seed, options).err()?))).expect("no seed shows that the check is needed");
    println!("{wrong}");
    play(seed, Options::ALL).unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[test]
fn with_all_checks_1000_seeds_hold() {
    if let Some(seed) = number("SAMTAL_SIM_SEED") {
        play(seed, Options { trace: true, ..Options::ALL }).unwrap_or_else(|wrong| panic!("{wrong}"));
        return;
    }
    let mut sum = Stats::default();
    let seeds = number("SAMTAL_SIM_SEEDS").unwrap_or(1000);
    for seed in 0..seeds {
        sum.add(&play(seed, Options::ALL).unwrap_or_else(|wrong| panic!("{wrong}")));
    }
    println!("{sum:?}");
    let idle = sum.all().into_iter().filter(|(_, count)| *count == 0).map(|(name, _)| name).collect::<Vec<_>>();
    assert!(seeds < 1000 || idle.is_empty(), "what never happened was not tested: {idle:?}");
}

#[test]
fn without_the_gap_check_it_fails() {
    caught(Options { checks: Checks { gap: false, ..Checks::ALL }, ..Options::ALL });
}

#[test]
fn without_the_incarnation_check_it_fails() {
    caught(Options { checks: Checks { incarnation: false, ..Checks::ALL }, ..Options::ALL });
}

#[test]
fn without_the_guard_it_fails() {
    caught(Options { guard: false, ..Options::ALL });
}

#[test]
fn without_the_epoch_check_it_fails() {
    caught(Options { epoch: false, ..Options::ALL });
}
