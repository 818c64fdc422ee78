//! A posted form with files (multipart), read as it comes in, so that no file is ever held here. It may be far larger than other forms,
//! and so it is taken at a few addresses only; the form token comes first, and nothing after it is looked at before it is checked.

use axum::extract::{FromRequest, Request};
use axum::http::header;
use kernel::Id;
use multer::{Constraints, Field, Multipart, SizeLimit};

use crate::Gateway;
use crate::web::{Problem, Visit, forgery};

/// Bytes of such a form: the largest file that an organisation may take, and some more. Each organisation's own limit is much lower, and
/// the services hold to it.
const LIMIT: u64 = 128 << 20;
/// Bytes of a text field in it: as of a form without files.
const TEXT: u64 = 64 * 1024;
/// Longest name of a file, in bytes; as the services take it.
const NAME: usize = 200;

/// Whether forms with files are taken at this path. Their handlers take an [`Upload`] or a [`Written`](super::Written), and nothing else
/// of the body.
pub fn takes(path: &str) -> bool {
    let to_a_conversation =
        path.strip_suffix("/file").is_some_and(|path| ["/c/", "/w/c/", "/staff/c/"].iter().any(|start| path.starts_with(start)));
    to_a_conversation || path == "/region/configuration" || path == "/region/configuration/apply"
}

/// What stands before the first file, and then the files, one at a time.
pub struct Upload {
    parts: Multipart<'static>,
    pub text: String,
    /// Made by the page, so that sending twice posts once; made here for a page that made none.
    pub client_id: String,
    first: Option<Field<'static>>,
}

impl Upload {
    /// The next file with its name and what the browser takes it for.
    pub async fn next(&mut self) -> Result<Option<(Field<'static>, String, String)>, Problem> {
        loop {
            let field = match self.first.take() {
                Some(field) => Some(field),
                None => self.parts.next_field().await.map_err(|error| broken(&error))?,
            };
            let Some(field) = field else { return Ok(None) };
            // A browser sends an empty part for a field in which no file was chosen.
            let Some(name) = field.file_name().filter(|name| !name.is_empty()).map(named) else { continue };
            let kind = field.content_type().map(|kind| kind.essence_str().to_owned()).unwrap_or_default();
            return Ok(Some((field, name, kind)));
        }
    }

    /// Reads what is left, so that the browser hears the answer: it listens only once it has said everything.
    pub async fn finish(mut self) {
        drop(self.first.take());
        while let Ok(Some(mut field)) = self.parts.next_field().await {
            while let Ok(Some(_)) = field.chunk().await {}
        }
    }
}

impl FromRequest<Gateway> for Upload {
    type Rejection = Problem;

    async fn from_request(request: Request, gateway: &Gateway) -> Result<Self, Problem> {
        let limits = ["form_token", "client_id", "text"]
            .iter()
            .fold(SizeLimit::new().whole_stream(LIMIT), |limits, name| limits.for_field(*name, TEXT));
        let mut parts = checked(request, gateway, limits).await?;
        let (mut text, mut client_id) = (String::new(), String::new());
        let first = loop {
            let field = parts.next_field().await.map_err(|error| broken(&error))?;
            match field.as_ref().and_then(|field| field.name()).unwrap_or_default() {
                "text" => text = read(field).await?,
                "client_id" => client_id = read(field).await?,
                _ => break field,
            }
        };
        if client_id.is_empty() {
            client_id = Id::new(gateway.services().clock().now()).to_string();
        }
        Ok(Self { parts, text, client_id, first })
    }
}

/// The form behind its token, which was made for this browser.
pub(super) async fn checked(request: Request, gateway: &Gateway, limits: SizeLimit) -> Result<Multipart<'static>, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(kind).map_err(|_| Problem::kind())?;
    let form_key = request.extensions().get::<Visit>().map(|visit| visit.form_key.clone()).ok_or_else(Problem::forged)?;
    let body = request.into_body().into_data_stream();
    let mut parts = Multipart::with_constraints(body, boundary, Constraints::new().size_limit(limits));
    let first = parts.next_field().await.map_err(|error| broken(&error))?;
    if first.as_ref().and_then(|field| field.name()) != Some("form_token") {
        return Err(Problem::forged());
    }
    let token = read(first).await?;
    if gateway.secret().open(forgery::PURPOSE, &token).as_deref() != Some(form_key.as_bytes()) {
        return Err(Problem::forged());
    }
    Ok(parts)
}

pub(super) async fn read(field: Option<Field<'static>>) -> Result<String, Problem> {
    let field = field.ok_or_else(Problem::invalid)?;
    field.text().await.map_err(|error| broken(&error))
}

pub(super) fn broken(error: &multer::Error) -> Problem {
    match error {
        multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. } => Problem::too_large(),
        _ => Problem::invalid(),
    }
}

/// A file's name as it is shown: what comes after the last folder, without what cannot be seen, and not too long.
pub(super) fn named(name: &str) -> String {
    // Browsers write a quotation mark in a name as forms do.
    let name = name.replace("%22", "\"");
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let seen: String = name.chars().filter(|letter| !letter.is_control() && !is_turning(*letter)).collect();
    let (stem, ending) = seen.rsplit_once('.').filter(|(_, ending)| ending.len() < 12).unwrap_or((&seen, ""));
    let room = NAME.saturating_sub(ending.len() + 1);
    let end = (0..=stem.len().min(room)).rev().find(|at| stem.is_char_boundary(*at)).unwrap_or_default();
    let stem = stem.get(..end).unwrap_or_default();
    match (stem.trim(), ending) {
        ("", "") => "-".to_owned(),
        (stem, "") => stem.to_owned(),
        (stem, ending) => format!("{stem}.{ending}"),
    }
}

/// Characters that turn the direction of writing: `fdp.exe` would read as `exe.pdf`.
const fn is_turning(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_name_and_no_path() {
        assert_eq!(named("C:\\bilder\\utslag på arm.jpg"), "utslag på arm.jpg");
        assert_eq!(named("../../etc/passwd"), "passwd");
        assert_eq!(named("bild\r\nSet-Cookie: a.png"), "bildSet-Cookie: a.png");
        assert_eq!(named("fdp\u{202e}exe.pdf"), "fdpexe.pdf");
        assert_eq!(named("<script>alert(1)<\\script>"), "script>");
        let long = named(&format!("{}.pdf", "å".repeat(300)));
        assert!(long.len() <= NAME && long.ends_with("å.pdf"), "{long}");
        assert_eq!(named("/"), "-");
    }

    #[test]
    fn files_are_taken_where_they_belong_only() {
        assert!(takes("/c/1/file") && takes("/w/c/1/file") && takes("/staff/c/1/file") && takes("/region/configuration"));
        for path in ["/sign-out", "/c/1", "/c/1/file/2", "/staff/file", "/file", "/e/c/file", "/region/configuration/region.yaml"] {
            assert!(!takes(path), "{path}");
        }
    }
}
