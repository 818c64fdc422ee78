//! The contracts: every message and service of Samtal, compiled from `proto/samtal/**`.

#![allow(missing_docs, clippy::all, reason = "generated code follows the .proto files, whose comments it carries")]

/// Every file with its comments, for server reflection and for tests that go through all RPCs.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));

mod convert;
pub mod event;

pub use convert::{from_timestamp, timestamp};
pub use event::Event;

// The folders `samtal.<name>.v1`, flattened: one version lives at a time, and `proto::intake::Case` reads better.
pub mod samtal {
    macro_rules! v1 {
        ($($name:ident = $package:literal),+ $(,)?) => {
            $(pub mod $name { pub mod v1 { tonic::include_proto!($package); } })+
        };
    }
    v1! {
        log = "samtal.log.v1",
        config = "samtal.config.v1",
        access = "samtal.access.v1",
        intake = "samtal.intake.v1",
        triage = "samtal.triage.v1",
        routing = "samtal.routing.v1",
        scheduling = "samtal.scheduling.v1",
        notifications = "samtal.notifications.v1",
        insights = "samtal.insights.v1",
    }
}

pub use samtal::access::v1 as access;
pub use samtal::config::v1 as config;
pub use samtal::insights::v1 as insights;
pub use samtal::intake::v1 as intake;
pub use samtal::log::v1 as log;
pub use samtal::notifications::v1 as notifications;
pub use samtal::routing::v1 as routing;
pub use samtal::scheduling::v1 as scheduling;
pub use samtal::triage::v1 as triage;
