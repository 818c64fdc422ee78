//! The YAML as a tree whose nodes know their lines. Built with a stack of its own: no depth of nesting ends the process.

use std::collections::HashMap;
use std::fmt::Write;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

/// Deeper nesting than any region needs; the code that walks the tree is recursive.
const MOST_DEPTH: usize = 64;
/// A region of a thousand clinics has some hundred thousand nodes. Aliases count with all they stand for.
const MOST_NODES: usize = 2_000_000;

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub line: usize,
    pub value: Value,
    /// Nodes in this one, itself included.
    size: usize,
    /// Levels of nesting, itself included. Aliases can pile up levels that the text does not show.
    depth: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Scalar { text: String, plain: bool },
    List(Vec<Item>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Place in the file's list, which stays when other items are taken out.
    pub index: usize,
    pub node: Node,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    /// The key's line.
    pub line: usize,
    pub node: Node,
}

/// Something wrong at a line.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    pub line: usize,
    pub field: String,
    pub message: String,
}

impl Node {
    fn new(line: usize, value: Value) -> Self {
        Self { line, value, size: 1, depth: 1 }
    }

    /// Nothing was written: `name:` or `name: ~`.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// Calls `found` with the path and line of every node below this one.
    pub fn each_place(&self, found: &mut impl FnMut(&str, usize)) {
        self.places_below("", found);
    }

    fn places_below(&self, path: &str, found: &mut impl FnMut(&str, usize)) {
        match &self.value {
            Value::Scalar { .. } => {}
            Value::List(items) => {
                for item in items {
                    let path = format!("{path}[{}]", item.index);
                    found(&path, item.node.line);
                    item.node.places_below(&path, found);
                }
            }
            Value::Map(entries) => {
                for entry in entries {
                    let path = join(path, &entry.key);
                    found(&path, entry.line);
                    entry.node.places_below(&path, found);
                }
            }
        }
    }
}

/// A list or map that is still being read.
struct Open {
    node: Node,
    anchor: usize,
    /// In a map: the key that waits for its value, with its line.
    key: Option<(String, usize)>,
    /// In a map: the value that comes next belongs to a key that is left out.
    skip: bool,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    wrong: Vec<Wrong>,
    nodes: usize,
}

/// Reads the text; the tree is there unless the text is no YAML at all. What is wrong without hiding the rest is listed beside it.
pub(super) fn read(text: &str) -> (Option<Node>, Vec<Wrong>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder::default();
    match builder.run(Parser::new_from_str(text)) {
        Ok(()) => match builder.root {
            Some(root) if root.is_null() && root.size == 1 => (None, with(builder.wrong, empty(root.line))),
            Some(root) => (Some(root), builder.wrong),
            None => (None, with(builder.wrong, empty(1))),
        },
        Err(wrong) => (None, with(builder.wrong, wrong)),
    }
}

fn with(mut all: Vec<Wrong>, one: Wrong) -> Vec<Wrong> {
    all.push(one);
    all
}

fn empty(line: usize) -> Wrong {
    wrong(line, "the file is empty; a region begins with 'region: <name>'")
}

fn wrong(line: usize, message: impl Into<String>) -> Wrong {
    Wrong { line, field: String::new(), message: message.into() }
}

impl Builder {
    fn run(&mut self, parser: Parser<'_, StrInput<'_>>) -> Result<(), Wrong> {
        for event in parser {
            let (event, span) = event.map_err(|error| wrong(error.marker().line(), format!("this is not YAML: {}", error.info())))?;
            let line = span.start.line().max(1);
            match event {
                Event::Scalar(text, style, anchor, tag) => {
                    self.tag(line, tag.is_some());
                    self.count(line, 1)?;
                    let value = Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                    self.value(Node::new(line, value), anchor)?;
                }
                Event::SequenceStart(anchor, tag) => {
                    self.tag(line, tag.is_some());
                    self.start(Node::new(line, Value::List(Vec::new())), anchor)?;
                }
                Event::MappingStart(anchor, tag) => {
                    self.tag(line, tag.is_some());
                    self.start(Node::new(line, Value::Map(Vec::new())), anchor)?;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    if let Some(done) = self.open.pop() {
                        self.value(done.node, done.anchor)?;
                    }
                }
                Event::Alias(id) => {
                    // An anchor inside itself is not there yet.
                    let node = self.anchors.get(&id).ok_or_else(|| wrong(line, "this alias stands inside what it repeats"))?;
                    let node = Node { line, ..node.clone() };
                    self.count(line, node.size)?;
                    self.value(node, 0)?;
                }
                Event::DocumentStart(_) if self.root.is_some() => {
                    return Err(wrong(line, "a second document begins here; put it into a file of its own"));
                }
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {}
            }
        }
        Ok(())
    }

    fn tag(&mut self, line: usize, tagged: bool) {
        if tagged {
            self.wrong.push(wrong(line, "tags such as !name have no meaning here; leave it out"));
        }
    }

    fn start(&mut self, node: Node, anchor: usize) -> Result<(), Wrong> {
        if self.open.len() >= MOST_DEPTH {
            return Err(too_deep(node.line));
        }
        self.count(node.line, 1)?;
        self.open.push(Open { node, anchor, key: None, skip: false });
        Ok(())
    }

    /// A node is complete: it becomes a key, a value, an item, or the whole.
    fn value(&mut self, node: Node, anchor: usize) -> Result<(), Wrong> {
        if anchor > 0 {
            self.count(node.line, node.size)?;
            self.anchors.insert(anchor, node.clone());
        }
        if self.open.len() + node.depth > MOST_DEPTH {
            return Err(too_deep(node.line));
        }
        let path = if self.expects_key() { self.path() } else { String::new() };
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        let of = &mut parent.node;
        match &mut of.value {
            Value::List(items) => {
                (of.size, of.depth) = (of.size + node.size, of.depth.max(node.depth + 1));
                items.push(Item { index: items.len(), node });
            }
            Value::Map(entries) => match (parent.key.take(), std::mem::take(&mut parent.skip)) {
                (Some((key, line)), _) => {
                    (of.size, of.depth) = (of.size + node.size, of.depth.max(node.depth + 1));
                    entries.push(Entry { key, line, node });
                }
                (None, true) => {}
                (None, false) => match node.value {
                    Value::Scalar { text, .. } => match entries.iter().find(|entry| entry.key == text) {
                        Some(first) => {
                            let message = format!("is given twice, first on line {}; keep one", first.line);
                            self.wrong.push(Wrong { line: node.line, field: join(&path, &text), message });
                            parent.skip = true;
                        }
                        None => parent.key = Some((text, node.line)),
                    },
                    Value::List(_) | Value::Map(_) => {
                        let message = "a key must be a word; a text that begins with { or [ needs quotation marks".to_owned();
                        self.wrong.push(Wrong { line: node.line, field: path, message });
                        parent.skip = true;
                    }
                },
            },
            Value::Scalar { .. } => {}
        }
        Ok(())
    }

    fn count(&mut self, line: usize, nodes: usize) -> Result<(), Wrong> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MOST_NODES {
            return Err(wrong(line, format!("more than {MOST_NODES} values, with everything that aliases repeat")));
        }
        Ok(())
    }

    /// Whether the next node is a key: only keys are refused here, so only they need their path.
    fn expects_key(&self) -> bool {
        self.open.last().is_some_and(|open| matches!(open.node.value, Value::Map(_)) && open.key.is_none() && !open.skip)
    }

    /// The path of the place where the next node goes.
    fn path(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            match (&open.node.value, &open.key) {
                (Value::List(items), _) => {
                    // Writing to a String cannot fail.
                    let _ = write!(path, "[{}]", items.len());
                }
                (_, Some((key, _))) => path = join(&path, key),
                _ => {}
            }
        }
        path
    }
}

/// The path of a key in the map at `path`.
fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn too_deep(line: usize) -> Wrong {
    wrong(line, format!("nested more than {MOST_DEPTH} deep"))
}
