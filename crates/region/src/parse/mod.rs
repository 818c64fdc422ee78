//! YAML text becomes a `Region`, and every place in it keeps its line.
//!
//! The parser's events become a tree with lines, and serde reads the tree guided by the model's types, so `country: NO` is
//! Norway and never `false`. A bad place is noted, taken out of the tree, and the rest is read again: one run names them all.

mod de;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use crate::model::Region;
use crate::validate::validate;
use de::{Failure, Kind, Segment};
use tree::{Node, Value};

/// Findings beyond this many are not looked for: the first ones explain the rest.
const MOST_FINDINGS: usize = 100;

/// Something wrong in a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// Path of the field, `organisations[0].queues[2].clinic`; empty if the text is no YAML at all.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Finding {}

/// A region with the place of each of its fields in the files that it was read from.
#[derive(Clone, Debug)]
pub struct Document {
    pub region: Region,
    /// File and line of every field path.
    places: BTreeMap<String, (Arc<str>, usize)>,
    /// The file that is named for what stands nowhere.
    file: Arc<str>,
}

impl Document {
    /// The line of a field, or of the nearest field around it that is written down.
    pub fn line_of(&self, field: &str) -> usize {
        self.place_of(field).1
    }

    /// The file of a field, which matters once documents were merged.
    pub fn file_of(&self, field: &str) -> &str {
        self.place_of(field).0
    }

    /// A finding at a field, for a service that looks closer than this crate does.
    pub fn finding(&self, field: impl Into<String>, message: impl Into<String>) -> Finding {
        let field = field.into();
        let (file, line) = self.place_of(&field);
        Finding { file: file.to_owned(), line, message: message.into(), field }
    }

    /// What `validate` finds, each with its place, in the order of the files' lines.
    pub fn check(&self) -> Vec<Finding> {
        let mut findings: Vec<_> = validate(&self.region).into_iter().map(|(field, message)| self.finding(field, message)).collect();
        findings.sort();
        findings
    }

    fn place_of(&self, field: &str) -> (&str, usize) {
        let mut path = field;
        loop {
            if let Some((file, line)) = self.places.get(path) {
                return (file, *line);
            }
            match path.rfind(['.', '[']).and_then(|end| path.get(..end)) {
                Some(shorter) => path = shorter,
                None => return (&self.file, 1),
            }
        }
    }
}

/// Reads one file's text. `file` is only a name, used in findings. Whether references lead somewhere is `Document::check`'s matter.
pub fn parse(file: &str, text: &str) -> Result<Document, Vec<Finding>> {
    let (root, mut findings) = tree::read(text);
    let read = root.and_then(|mut root| {
        let (mut places, file) = (BTreeMap::new(), Arc::<str>::from(file));
        root.each_place(&mut |path, line| {
            places.insert(path.to_owned(), (Arc::clone(&file), line));
        });
        read_all(&mut root, &mut findings).map(|region| (region, places))
    });
    match read {
        Some((region, places)) if findings.is_empty() => Ok(Document { region, places, file: file.into() }),
        _ => {
            findings.sort_by(|a, b| (a.line, &a.field).cmp(&(b.line, &b.field)));
            let named =
                |wrong: tree::Wrong| Finding { file: file.to_owned(), line: wrong.line, field: wrong.field, message: wrong.message };
            Err(findings.into_iter().map(named).collect())
        }
    }
}

/// Joins documents into one region. All must name the same region; ids that are given twice are `Document::check`'s matter.
pub fn merge(documents: Vec<Document>) -> Result<Document, Vec<Finding>> {
    let mut documents = documents.into_iter();
    let Some(mut whole) = documents.next() else {
        return Err(vec![Finding { file: String::new(), line: 1, field: String::new(), message: "there is no file to read".into() }]);
    };
    let mut findings = Vec::new();
    for document in documents {
        if document.region.region != whole.region.region {
            let message = format!(
                "is '{}', but {} says '{}'; files that are used together name the same region",
                document.region.region, whole.file, whole.region.region
            );
            findings.push(document.finding("region", message));
        }
        let offset = whole.region.organisations.len();
        for (path, place) in document.places {
            let moved = path.strip_prefix("organisations[").and_then(|rest| rest.split_once(']')).and_then(|(index, rest)| {
                let index: usize = index.parse().ok()?;
                Some(format!("organisations[{}]{rest}", index + offset))
            });
            whole.places.entry(moved.unwrap_or(path)).or_insert(place);
        }
        whole.region.organisations.extend(document.region.organisations);
    }
    if findings.is_empty() { Ok(whole) } else { Err(findings) }
}

/// Reads the tree again and again, each time without what failed the time before, until it reads or nothing is left to take out.
fn read_all(root: &mut Node, findings: &mut Vec<tree::Wrong>) -> Option<Region> {
    let mut told: BTreeSet<String> = BTreeSet::new();
    loop {
        let failure = match Region::deserialize(de::Reader::new(root)) {
            Ok(region) => return Some(region),
            Err(failure) => failure,
        };
        let field = de::path(&failure.path);
        if told.insert(field.clone()) {
            findings.push(tree::Wrong { line: failure.line.unwrap_or(root.line), field, message: failure.message.clone() });
        }
        if findings.len() >= MOST_FINDINGS || !take_out(root, &failure) {
            return None;
        }
    }
}

/// Takes the failed value out of the tree; for a value that must be there, the list item around it.
fn take_out(root: &mut Node, failure: &Failure) -> bool {
    let item = failure.path.iter().rposition(|segment| matches!(segment, Segment::Index(_)));
    match failure.kind {
        Kind::Value => remove(root, &failure.path),
        Kind::Missing => item.and_then(|end| failure.path.get(..=end)).is_some_and(|path| remove(root, path)),
    }
}

fn remove(node: &mut Node, path: &[Segment]) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    match (&mut node.value, first) {
        (Value::Map(entries), Segment::Key(key)) => {
            if rest.is_empty() {
                let count = entries.len();
                entries.retain(|entry| entry.key != *key);
                return entries.len() < count;
            }
            entries.iter_mut().find(|entry| entry.key == *key).is_some_and(|entry| remove(&mut entry.node, rest))
        }
        (Value::List(items), Segment::Index(index)) => {
            if rest.is_empty() {
                let count = items.len();
                items.retain(|item| item.index != *index);
                return items.len() < count;
            }
            items.iter_mut().find(|item| item.index == *index).is_some_and(|item| remove(&mut item.node, rest))
        }
        _ => false,
    }
}
