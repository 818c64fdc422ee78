//! The language that a request asks for.

use kernel::{Error, Language, Result};

/// None if the request names none. Errors: a code that is none of ours, at the field `language`.
pub fn named(code: &str) -> Result<Option<Language>> {
    if code.is_empty() {
        return Ok(None);
    }
    Language::from_code(code).map(Some).ok_or_else(|| Error::invalid("language", "must be sv, nb, nn or en"))
}
