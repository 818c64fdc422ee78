//! What goes wrong in a run, and the count of what did.

use samtal_log::consumer::Halt;

use crate::rng::Rng;

/// How often what goes wrong, in 1,000. Each seed draws its own mixture, many of them 0.
pub struct Faults {
    pub lose: u64,
    pub duplicate: u64,
    /// Longest way of a message, in ticks.
    pub delay: u64,
    /// Most events that one read gives.
    pub limit: u64,
    pub source_away: u64,
    pub bus_away: u64,
    pub database_away: u64,
    pub crash_after_commit: u64,
    pub commit: u64,
    pub relay_crash: u64,
    pub replica_crash: u64,
    pub pause: u64,
    pub lose_store: u64,
    pub redeliver: u64,
    pub source_restore: u64,
    pub consumer_restore: u64,
    /// A rejoin that nothing calls for.
    pub needless_rejoin: u64,
    /// Whether the operator rejoins after a restore.
    pub rejoin: bool,
    /// Rejoins in a row once nothing more is committed.
    pub quiet_rejoins: u64,
}

impl Faults {
    pub fn draw(rng: &mut Rng) -> Self {
        let mut some = |high: u64| if rng.chance(500) { rng.range(1, high) } else { 0 };
        let faults = Self {
            lose: some(400),
            duplicate: some(300),
            delay: 2 + some(25),
            limit: 1 + some(7),
            source_away: some(250),
            bus_away: some(200),
            database_away: some(150),
            crash_after_commit: some(40),
            commit: 120 + some(200),
            relay_crash: some(25),
            replica_crash: some(20),
            pause: some(25),
            lose_store: some(10),
            redeliver: some(40),
            source_restore: some(15),
            consumer_restore: some(9),
            needless_rejoin: some(2),
            rejoin: true,
            quiet_rejoins: 0,
        };
        let rejoin = rng.chance(800);
        Self { rejoin, quiet_rejoins: if rejoin && rng.chance(150) { rng.range(1, 2) } else { 0 }, ..faults }
    }
}

// What happened, over all seeds: a fault that never happens tests nothing.
macro_rules! stats {
    ($($name:ident),+ $(,)?) => {
        #[derive(Default, Debug)]
        pub struct Stats { $(pub $name: usize),+ }

        impl Stats {
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
            }

            pub fn all(&self) -> Vec<(&'static str, usize)> {
                vec![$((stringify!($name), self.$name)),+]
            }
        }
    };
}

stats!(
    effects,
    published,
    backfills,
    lost,
    deduplicated,
    takeovers,
    fenced_by_epoch,
    fenced_by_cursor,
    source_restores,
    failovers,
    refused,
    guarded,
    consumer_restores,
    rejoins,
    rejoins_again,
    went_back,
    other_history,
    begins_below,
    ended_halted,
);

impl Stats {
    pub fn halted(&mut self, halt: &Halt) {
        match halt {
            Halt::WentBack { .. } => self.went_back += 1,
            Halt::OtherHistory { .. } => self.other_history += 1,
            Halt::BeginsBelow { .. } => self.begins_below += 1,
        }
    }
}
