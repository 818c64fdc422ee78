//! Who calls, what they may do, and the tokens that say so. No IO.

pub mod access_log;
mod passkey;
mod phrase;
pub mod policy;
mod principal;
mod secret;

pub use access_log::Leaves;
pub use passkey::{base64_url, from_base64_url, passkey_point, passkey_signed};
pub use phrase::{normalise as normalise_phrase, phrase_from};
pub use policy::{Decision, Reach, Resource, decide, rules};
pub use principal::{Principal, Role};
pub use secret::{Secret, hash, same, token_hash};
