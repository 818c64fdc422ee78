//! Which language: `?lang=`, else the cookie, else what the browser asks for, else Swedish.

use axum::extract::Query;
use axum::http::{HeaderMap, Uri, header};
use kernel::Language;
use serde::Deserialize;

#[derive(Deserialize)]
struct Asked {
    lang: Option<String>,
}

/// The language that the address asks for.
pub fn asked(uri: &Uri) -> Option<Language> {
    Query::<Asked>::try_from_uri(uri).ok()?.0.lang.and_then(|code| Language::from_code(&code))
}

/// The language that the browser likes best among ours.
pub fn accepted(headers: &HeaderMap) -> Option<Language> {
    let line = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
    let mut wanted: Vec<(f32, Language)> = line
        .split(',')
        .filter_map(|one| {
            let (tag, weight) = one.split_once(";q=").unwrap_or((one, "1"));
            let code = tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
            // `no` is Norwegian without saying which.
            let language = if code == "no" { Some(Language::Bokmal) } else { Language::from_code(&code) };
            Some((weight.trim().parse().ok()?, language?))
        })
        .filter(|(weight, _)| *weight > 0.0)
        .collect();
    // Stable: of equals, the first.
    wanted.sort_by(|a, b| b.0.total_cmp(&a.0));
    wanted.first().map(|(_, language)| *language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_of_ours_is_chosen() {
        let accepted = |line: &'static str| accepted(&HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, line.parse().unwrap())]));
        assert_eq!(accepted("de-DE,nn;q=0.5,en-GB;q=0.8"), Some(Language::English));
        assert_eq!(accepted("no,en"), Some(Language::Bokmal));
        assert_eq!(accepted("en;q=0, sv;q=0.1"), Some(Language::Swedish));
        assert_eq!(accepted("de, ;;;, q=x"), None);
    }
}
