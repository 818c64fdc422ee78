//! What applying another description would change, keyed by id and not by place in a list.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::model::Organisation;

/// One difference: something added (`before` is none), removed (`after` is none) or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Within the organisation, list items by their id: `queues[pef-chat].offer_seconds`.
    pub path: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{}: {before} -> {after}", self.path),
            (None, Some(after)) => write!(f, "{}: added {after}", self.path),
            (Some(before), None) => write!(f, "{}: removed {before}", self.path),
            (None, None) => f.write_str(&self.path),
        }
    }
}

/// The changes that lead from one description of an organisation to another, in a stable order; none if they are equal.
pub fn diff(before: Option<&Organisation>, after: Option<&Organisation>) -> Vec<Change> {
    let value = |organisation: Option<&Organisation>| organisation.and_then(|organisation| serde_json::to_value(organisation).ok());
    let mut walk = Walk { changes: Vec::new(), whole: before.is_some() != after.is_some() };
    walk.values("", value(before).as_ref(), value(after).as_ref());
    walk.changes
}

struct Walk {
    changes: Vec<Change>,
    /// A whole organisation comes or goes: fields that say nothing are left out.
    whole: bool,
}

impl Walk {
    fn values(&mut self, path: &str, before: Option<&Value>, after: Option<&Value>) {
        if before == after {
            return;
        }
        // What comes or goes is told item by item down to the first list, and then in one piece.
        let in_item = path.contains('[');
        match (before, after) {
            (Some(Value::Object(_)), Some(Value::Object(_))) => self.fields(path, before, after),
            (Some(Value::Object(_)), None) | (None, Some(Value::Object(_))) if !in_item => self.fields(path, before, after),
            (Some(Value::Array(_)), Some(Value::Array(_))) => self.items(path, before, after),
            (Some(Value::Array(_)), None) | (None, Some(Value::Array(_))) if !in_item => self.items(path, before, after),
            _ => self.change(path, before, after),
        }
    }

    fn fields(&mut self, path: &str, before: Option<&Value>, after: Option<&Value>) {
        let of = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
        let (before, after) = (of(before), of(after));
        for key in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.values(&path, before.get(key), after.get(key));
        }
    }

    fn items(&mut self, path: &str, before: Option<&Value>, after: Option<&Value>) {
        let (Some(old), Some(new)) = (keyed(before), keyed(after)) else {
            return self.change(path, before, after);
        };
        let place = |items: &[(String, &Value)]| items.iter().enumerate().map(|(i, (key, _))| (key.clone(), i)).collect::<BTreeMap<_, _>>();
        let (old_places, new_places) = (place(&old), place(&new));
        for (key, item) in &old {
            let other = new_places.get(key).and_then(|i| new.get(*i)).map(|(_, item)| *item);
            self.values(&format!("{path}[{key}]"), Some(item), other);
        }
        for (key, item) in new.iter().filter(|(key, _)| !old_places.contains_key(key)) {
            self.values(&format!("{path}[{key}]"), None, Some(item));
        }
        // Questions and rules are tried in their order, and a person reads lists in theirs.
        let common = |items: &[(String, &Value)], others: &BTreeMap<String, usize>| {
            items.iter().filter(|(key, _)| others.contains_key(key)).map(|(key, _)| key.clone()).collect::<Vec<_>>().join(", ")
        };
        let (was, is) = (common(&old, &new_places), common(&new, &old_places));
        if was != is {
            self.changes.push(Change { path: format!("{path} (order)"), before: Some(was), after: Some(is) });
        }
    }

    fn change(&mut self, path: &str, before: Option<&Value>, after: Option<&Value>) {
        let tells = |value: &&Value| !(self.whole && says_nothing(value));
        let (before, after) = (before.filter(tells).map(shown), after.filter(tells).map(shown));
        if before.is_some() || after.is_some() {
            self.changes.push(Change { path: path.to_owned(), before, after });
        }
    }
}

/// The items of a list with their keys, if each has a key and no two share one. A list that is absent has no items.
fn keyed(list: Option<&Value>) -> Option<Vec<(String, &Value)>> {
    let Some(list) = list else { return Some(Vec::new()) };
    let items = list.as_array()?.iter().map(|item| Some((key_of(item)?, item))).collect::<Option<Vec<_>>>()?;
    let distinct = items.iter().map(|(key, _)| key).collect::<BTreeSet<_>>().len() == items.len();
    distinct.then_some(items)
}

/// What names an item for people: its id, an exception's date, a test's name, the first day of a week's hours.
fn key_of(item: &Value) -> Option<String> {
    let item = item.as_object()?;
    let text = |field: &str| item.get(field).and_then(Value::as_str).map(str::to_owned);
    text("id")
        .or_else(|| text("date"))
        .or_else(|| text("name"))
        .or_else(|| text("from"))
        .or_else(|| item.contains_key("hours").then(|| "start".to_owned()))
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "''".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) if items.iter().all(Value::is_string) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
