//! What tonic refuses before a handler sees it, in words that mislead: a message over the size limit is OUT_OF_RANGE there,
//! and bytes that are no message INTERNAL, as if the fault were ours.

use kernel::Error;
use kernel::error::Code;
use tonic::Status;

use crate::status::TOO_LARGE;

/// How tonic's words begin when the bytes of a request are no message: a wrong frame, cut short, wrongly compressed, none at all.
const NO_MESSAGE: [&str; 5] =
    ["failed to decode", "protocol error: received message", "Unexpected EOF decoding", "Error decompressing", "Missing request message"];

/// The refusal in our words; none if it is not one of tonic's own.
pub fn meant(said: &Status) -> Option<Error> {
    if said.code() == tonic::Code::OutOfRange {
        let message = "the message is larger than this RPC takes; send less at once";
        Some(Error::new(Code::ResourceExhausted, TOO_LARGE, message))
    } else if said.code() == tonic::Code::Internal && NO_MESSAGE.iter().any(|start| said.message().starts_with(start)) {
        let message =
            "the bytes are not the message that this RPC takes; compare your contracts with the server's, by reflection or in proto/";
        Some(Error::new(Code::InvalidArgument, "NOT_DECODABLE", message))
    } else {
        None
    }
}
