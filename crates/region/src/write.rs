//! A region as a YAML document, to be kept, changed and applied again. Pure.

use std::fmt::Write as _;

use serde_json::Value;

use crate::model::Region;

/// The description as a document that [`crate::parse`] reads back to the same. What says nothing is left out. Errors: none that a
/// region could bring about.
pub fn write(region: &Region) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    fields(&serde_json::to_value(region)?, 0, &mut text);
    Ok(text)
}

/// Lists and maps that are empty unless they are written down: leaving them out says the same.
const EMPTY_BY_DEFAULT: [&str; 13] = [
    "advice",
    "answers",
    "approved_by",
    "calendars",
    "entry_points",
    "exceptions",
    "protocols",
    "queues",
    "resources",
    "rules",
    "tests",
    "when",
    "workers",
];

fn says_nothing(key: &str, value: &Value) -> bool {
    let empty = value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(serde_json::Map::is_empty);
    value.is_null() || (empty && EMPTY_BY_DEFAULT.contains(&key))
}

fn fields(value: &Value, depth: usize, text: &mut String) {
    let Some(object) = value.as_object() else { return };
    // What names a thing comes first, so that a person finds it.
    let place = |key: &str| ["region", "id", "date", "name", "clinic"].iter().position(|one| *one == key).unwrap_or(usize::MAX);
    let mut keys: Vec<&String> = object.keys().collect();
    keys.sort_by_key(|key| place(key));
    for (key, value) in keys.into_iter().filter_map(|key| Some((key, object.get(key)?))) {
        if says_nothing(key, value) {
            continue;
        }
        let _ = write!(text, "{:depth$}{}:", "", scalar(&Value::String(key.clone())));
        under(value, depth, text);
    }
}

/// What stands behind a colon.
fn under(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(object) if !object.is_empty() => {
            text.push('\n');
            fields(value, depth + 2, text);
        }
        Value::Array(items) if !items.is_empty() && !items.iter().all(is_plain) => {
            text.push('\n');
            for item in items {
                let mut inner = String::new();
                fields(item, depth + 4, &mut inner);
                if inner.is_empty() {
                    let _ = writeln!(text, "{:1$}- {2}", "", depth + 2, scalar(item));
                } else {
                    // The first field stands behind the dash.
                    let _ = write!(text, "{:1$}- {2}", "", depth + 2, inner.trim_start());
                }
            }
        }
        _ => {
            let _ = writeln!(text, " {}", scalar(value));
        }
    }
}

fn is_plain(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

/// On one line, in JSON's way, which is YAML's too; bare where nobody can take it for anything else.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(word) if is_bare(word) => word.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(scalar).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// A word of letters, digits and dashes that begins with a letter and is no value of YAML's own.
fn is_bare(word: &str) -> bool {
    let reserved = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan"];
    word.starts_with(|first: char| first.is_ascii_alphabetic())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        && !reserved.contains(&word.to_ascii_lowercase().as_str())
}
