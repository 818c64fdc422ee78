//! A posted form with a text that may come as a file or be pasted (multipart): a region's description. It is far larger than what other
//! forms carry, so whoever reads it asks first who posts it; the form token comes first in it.

use std::collections::BTreeMap;

use axum::extract::{FromRequest, Request};
use multer::SizeLimit;

use super::upload::{broken, checked, named, read};
use crate::Gateway;
use crate::web::Problem;

/// Bytes of the text, as the services take it.
const TEXT: u64 = runtime::MAX_CONFIG_REQUEST as u64;
/// Bytes of all other fields together.
const OTHERS: u64 = 64 * 1024;

/// The text, from the file if one was chosen, and the other fields.
pub struct Written {
    pub text: String,
    /// What the file is called; empty: nobody says.
    pub file: String,
    fields: BTreeMap<String, String>,
}

impl Written {
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

impl FromRequest<Gateway> for Written {
    type Rejection = Problem;

    async fn from_request(request: Request, gateway: &Gateway) -> Result<Self, Problem> {
        let limits = SizeLimit::new().whole_stream(2 * TEXT + OTHERS).per_field(TEXT).for_field("form_token", OTHERS);
        let mut parts = checked(request, gateway, limits).await?;
        let (mut chosen, mut fields) = (None, BTreeMap::new());
        while let Some(field) = parts.next_field().await.map_err(|error| broken(&error))? {
            let name = field.name().unwrap_or_default().to_owned();
            match field.file_name().map(named) {
                // A browser sends an empty part for a field in which no file was chosen.
                Some(file) => {
                    let text = read(Some(field)).await?;
                    chosen = if text.is_empty() { chosen } else { Some((file, text)) };
                }
                None => drop(fields.insert(name, read(Some(field)).await?)),
            }
        }
        let pasted = (fields.remove("file").unwrap_or_default(), fields.remove("text").unwrap_or_default());
        let (file, text) = chosen.unwrap_or(pasted);
        // A browser ends the lines of a field in its own way, and those of a file as they are.
        Ok(Self { text: text.replace("\r\n", "\n").replace('\r', "\n"), file: file.trim().chars().take(100).collect(), fields })
    }
}
