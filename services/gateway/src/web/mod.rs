//! What every page has in common, one idea a file.

pub mod clock;
pub mod cookies;
pub mod forgery;
pub mod form;
pub mod language;
pub mod page;
pub mod problem;
pub mod security;
pub mod session;
pub mod trace;
pub mod upload;
pub mod visit;
pub mod written;

pub use form::Form;
pub use page::Page;
pub use problem::Problem;
pub use session::{Staff, StaffToken, Visitor};
pub use upload::Upload;
pub use visit::Visit;
pub use written::Written;
