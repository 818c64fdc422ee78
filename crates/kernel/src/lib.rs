//! What every part of Samtal shares and nothing more: ids, time, errors, and the words of the domain.
//!
//! No IO, no database, no network. Depends on nothing of ours.

pub mod clock;
pub mod error;
pub mod failpoint;
pub mod id;
pub mod time;
pub mod words;

pub use clock::Clock;
pub use error::{Code, Error, Result};
pub use id::Id;
pub use time::Time;
pub use words::{Channel, Language, Profession, Severity};
