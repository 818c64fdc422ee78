//! Errors become gRPC statuses here and nowhere else: a stable reason, the fields that are wrong, and whether to try again.

use std::time::Duration;

use kernel::error::Code;
use kernel::{Error, Id, Time};
use tonic::Status;
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, StatusExt};

/// What a handler returns.
pub type Answer<T> = Result<tonic::Response<T>, Status>;

/// Reason of a message over the size limit.
pub(crate) const TOO_LARGE: &str = "MESSAGE_TOO_LARGE";
/// Domain of every reason.
const DOMAIN: &str = "samtal";
/// When a caller may try again after a passing trouble.
const RETRY: Duration = Duration::from_millis(500);

/// The status of `error`. Of an internal error the caller learns only an id, under which the log has the rest.
pub fn status(error: Error) -> Status {
    let mut details = ErrorDetails::new();
    let mut message = error.message;
    match error.code {
        Code::Internal => {
            let id = incident();
            tracing::error!(%id, reason = error.reason, message, "internal error");
            message = format!("something went wrong on our side; the log has it under {id}");
        }
        Code::FailedPrecondition => {
            details.set_precondition_failure(vec![PreconditionViolation::new(error.reason, String::new(), message.clone())]);
        }
        // The same call again would be as large.
        Code::ResourceExhausted if error.reason == TOO_LARGE => {}
        Code::Unavailable | Code::Aborted | Code::ResourceExhausted => {
            details.set_retry_info(Some(RETRY));
        }
        _ => {}
    }
    if !error.violations.is_empty() {
        let fields: Vec<FieldViolation> =
            error.violations.into_iter().map(|violation| FieldViolation::new(violation.field, violation.description)).collect();
        details.set_bad_request(fields);
    }
    details.set_error_info(error.reason, DOMAIN, []);
    Status::with_error_details(code(error.code), message, details)
}

const fn code(code: Code) -> tonic::Code {
    match code {
        Code::InvalidArgument => tonic::Code::InvalidArgument,
        Code::NotFound => tonic::Code::NotFound,
        Code::AlreadyExists => tonic::Code::AlreadyExists,
        Code::FailedPrecondition => tonic::Code::FailedPrecondition,
        Code::Aborted => tonic::Code::Aborted,
        Code::PermissionDenied => tonic::Code::PermissionDenied,
        Code::Unauthenticated => tonic::Code::Unauthenticated,
        Code::ResourceExhausted => tonic::Code::ResourceExhausted,
        Code::Unavailable => tonic::Code::Unavailable,
        Code::DeadlineExceeded => tonic::Code::DeadlineExceeded,
        Code::Unimplemented => tonic::Code::Unimplemented,
        Code::Internal => tonic::Code::Internal,
    }
}

/// What another service answered, as an error of ours.
pub fn error(status: &Status) -> Error {
    let code = match status.code() {
        tonic::Code::InvalidArgument | tonic::Code::OutOfRange => Code::InvalidArgument,
        tonic::Code::NotFound => Code::NotFound,
        tonic::Code::AlreadyExists => Code::AlreadyExists,
        tonic::Code::FailedPrecondition => Code::FailedPrecondition,
        tonic::Code::Aborted => Code::Aborted,
        tonic::Code::PermissionDenied => Code::PermissionDenied,
        tonic::Code::Unauthenticated => Code::Unauthenticated,
        tonic::Code::ResourceExhausted => Code::ResourceExhausted,
        tonic::Code::DeadlineExceeded => Code::DeadlineExceeded,
        tonic::Code::Unimplemented => Code::Unimplemented,
        // A connection that breaks shows as Unknown or Cancelled: the other side may be restarting.
        tonic::Code::Unavailable | tonic::Code::Unknown | tonic::Code::Cancelled => Code::Unavailable,
        _ => Code::Internal,
    };
    Error::new(code, "PEER", status.message())
}

/// The stable reason in a status, if it has one.
pub fn reason(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

fn incident() -> Id {
    // Only a name for one line of the log; its time part need not be right.
    let clock = kernel::Clock::system();
    Id::new(Time::from_micros(clock.now().micros()))
}
