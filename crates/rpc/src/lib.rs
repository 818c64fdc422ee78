//! What every RPC has in common: who calls, how long it may take, what an error looks like, and how a caller reads its
//! own write in another service.
//!
//! - [`gate`]: a layer in front of all handlers: token, role, deadline, position tokens.
//! - [`caller`]: what a handler learns of its caller, and the check of a thing's owner.
//! - [`refusal`]: what tonic refuses by itself, in our words.
//! - [`status`]: the one place where errors become gRPC statuses.
//! - [`position`]: sealed tokens that name how far a log had come.
//! - [`whence`]: where a caller without a name comes from, for limits.

pub mod authenticate;
pub mod caller;
pub mod gate;
pub mod position;
pub mod refusal;
pub mod status;
mod watch;
pub mod whence;

pub use authenticate::{Authenticator, Introspect};
pub use caller::{Caller, caller};
pub use gate::GateLayer;
pub use status::{Answer, status};
pub use whence::{Whence, whence};
