//! The one error that crosses a service's layers: a closed set of codes, a stable reason, a text that says what to do.

use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it is. Each maps to one gRPC status (in `rpc::status`) and says whether a retry can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The request can never succeed as it stands; `violations` name the fields.
    InvalidArgument,
    /// No such thing, or one that the caller may not know of.
    NotFound,
    /// The same key with another content.
    AlreadyExists,
    /// Right request, wrong moment: the state of the thing does not allow it.
    FailedPrecondition,
    /// Somebody else was faster; read again and decide anew.
    Aborted,
    PermissionDenied,
    Unauthenticated,
    /// Too large, too many, too fast.
    ResourceExhausted,
    /// A server or a disk is not there; the same request may succeed later.
    Unavailable,
    DeadlineExceeded,
    Unimplemented,
    /// Our fault; the details are in the log under the id that the caller gets.
    Internal,
}

/// One field of a request and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field in the request, `answers[2].question_id`.
    pub field: String,
    pub description: String,
}

/// A failure that a caller can act on.
#[derive(Clone, Debug)]
pub struct Error {
    pub code: Code,
    /// Stable, upper case, for programs: `CASE_CLOSED`.
    pub reason: &'static str,
    /// For people; of an `Internal` error only the log sees it.
    pub message: String,
    pub violations: Vec<Violation>,
}

impl Error {
    pub fn new(code: Code, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), violations: Vec::new() }
    }

    pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        let violation = Violation { field: field.into(), description: description.into() };
        Self {
            code: Code::InvalidArgument,
            reason: "INVALID_FIELD",
            message: format!("{} {}", violation.field, violation.description),
            violations: vec![violation],
        }
    }

    /// `what` with this id does not exist, or the caller may not know that it does: both read the same.
    pub fn not_found(what: &'static str) -> Self {
        Self::new(Code::NotFound, "NOT_FOUND", format!("there is no such {what}"))
    }

    pub fn precondition(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, reason, message)
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, "UNAVAILABLE", message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Code::Internal, "INTERNAL", message)
    }

    /// Whether the same request may succeed later without anybody changing it.
    pub const fn is_transient(&self) -> bool {
        matches!(self.code, Code::Unavailable | Code::DeadlineExceeded | Code::Aborted | Code::ResourceExhausted)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

impl std::error::Error for Error {}

/// Collects every violation of a request, so that a caller learns of all of them at once.
#[derive(Default)]
pub struct Violations(Vec<Violation>);

impl Violations {
    pub fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.0.push(Violation { field: field.into(), description: description.into() });
    }

    pub fn check(&mut self, ok: bool, field: &str, description: &str) {
        if !ok {
            self.add(field, description);
        }
    }

    /// The text must be there and have at most `max` bytes.
    pub fn text(&mut self, field: &str, text: &str, max: usize) {
        self.check(!text.trim().is_empty(), field, "is required");
        self.optional_text(field, text, max);
    }

    /// The text may be empty; it has at most `max` bytes and no control characters but line breaks and tabs.
    pub fn optional_text(&mut self, field: &str, text: &str, max: usize) {
        if text.len() > max {
            self.add(field, format!("has {} bytes, {max} are allowed", text.len()));
        }
        self.check(!text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')), field, "must not contain control characters");
    }

    /// Parses an id; on failure the violation is noted and a placeholder is returned, which `done` keeps from being used.
    pub fn id(&mut self, field: &str, text: &str) -> crate::Id {
        crate::Id::parse(field, text).unwrap_or_else(|error| {
            self.0.extend(error.violations);
            crate::Id::from_uuid(uuid::Uuid::nil())
        })
    }

    pub fn take(self) -> Vec<Violation> {
        self.0
    }

    pub fn done(self) -> Result<()> {
        match self.0.first() {
            None => Ok(()),
            Some(first) => Err(Error {
                code: Code::InvalidArgument,
                reason: "INVALID_FIELD",
                message: format!("{} {}", first.field, first.description),
                violations: self.0,
            }),
        }
    }
}
