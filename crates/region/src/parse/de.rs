//! Serde over the tree: types lead, and a failure knows its path and line.

use std::fmt::{self, Display};

use serde::de::{self, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use super::tree::{Entry, Item, Node, Value};
use crate::nearest;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Key(String),
    Index(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The value at the path is wrong, or its key is unknown.
    Value,
    /// Nothing stands at the path, but something must.
    Missing,
}

/// Why the tree is no region.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// From the root.
    pub path: Vec<Segment>,
    pub line: Option<usize>,
    pub message: String,
    pub kind: Kind,
}

/// `organisations[0].queues[2].clinic`
pub(super) fn path(segments: &[Segment]) -> String {
    let mut path = String::new();
    for segment in segments {
        match segment {
            Segment::Index(index) => path.push_str(&format!("[{index}]")),
            Segment::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
        }
    }
    path
}

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self { path: Vec::new(), line: None, message: message.into(), kind: Kind::Value }
    }

    fn at(mut self, line: usize) -> Self {
        self.line.get_or_insert(line);
        self
    }

    fn below(mut self, segment: Segment) -> Self {
        self.path.insert(0, segment);
        self
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl de::Error for Failure {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self { path: vec![Segment::Key(field.to_owned())], kind: Kind::Missing, ..Self::new("is missing; it must be given") }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let hint = match nearest::hint(field, expected.iter().copied()) {
            hint if hint.is_empty() => format!("; there are: {}", expected.join(", ")),
            hint => hint,
        };
        Self::new(format!("there is no such field{hint}"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("must be one of {}, not '{variant}'", expected.join(", ")))
    }
}

/// Reads one node.
#[derive(Clone, Copy)]
pub(super) struct Reader<'de>(&'de Node);

impl<'de> Reader<'de> {
    pub fn new(node: &'de Node) -> Self {
        Self(node)
    }

    fn must_be(&self, what: impl Display) -> Failure {
        let found = match &self.0.value {
            _ if self.0.is_null() => "and nothing is written here".to_owned(),
            Value::Scalar { text, .. } => format!("not '{}'", shortened(text)),
            Value::List(_) => "not a list".to_owned(),
            Value::Map(_) => "not a group of fields".to_owned(),
        };
        Failure::new(format!("must be {what}, {found}")).at(self.0.line)
    }

    fn text(&self) -> Result<&'de str, Failure> {
        match &self.0.value {
            Value::Scalar { text, .. } if !self.0.is_null() => Ok(text),
            _ => Err(self.must_be("a text")),
        }
    }

    /// A number or a truth value is written without quotation marks.
    fn plain<T: std::str::FromStr>(&self, what: impl Display) -> Result<T, Failure> {
        match &self.0.value {
            Value::Scalar { text, plain: true } => text.parse().map_err(|_| self.must_be(what)),
            _ => Err(self.must_be(what)),
        }
    }

    fn list<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.0.value {
            Value::List(items) => visitor.visit_seq(List(items.iter())).map_err(|failure| failure.at(self.0.line)),
            _ => Err(self.must_be("a list")),
        }
    }

    fn map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.0.value {
            Value::Map(entries) => {
                visitor.visit_map(Map { entries: entries.iter(), current: None }).map_err(|failure| failure.at(self.0.line))
            }
            _ => Err(self.must_be("fields with values, 'field: value'")),
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $kind:ty,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            visitor.$visit(self.plain::<$kind>(format_args!("a whole number from {} to {}", <$kind>::MIN, <$kind>::MAX))?)
        })*
    };
}

impl<'de> de::Deserializer<'de> for Reader<'de> {
    type Error = Failure;

    whole_numbers! {
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64,
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.0.value {
            Value::Scalar { text, .. } => visitor.visit_borrowed_str(text).map_err(|failure: Failure| failure.at(self.0.line)),
            Value::List(_) => self.list(visitor),
            Value::Map(_) => self.map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_bool(self.plain("true or false")?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_borrowed_str(self.text()?).map_err(|failure: Failure| failure.at(self.0.line))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.list(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.map(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Failure> {
        self.map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, known: &'static [&'static str], visitor: V) -> Result<V::Value, Failure> {
        let Ok(text) = self.text() else {
            return Err(self.must_be(format_args!("one of {}", known.join(", "))));
        };
        visitor.visit_enum(text.into_deserializer()).map_err(|failure: Failure| failure.at(self.0.line))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

struct List<'de>(std::slice::Iter<'de, Item>);

impl<'de> SeqAccess<'de> for List<'de> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        let Some(item) = self.0.next() else { return Ok(None) };
        seed.deserialize(Reader(&item.node)).map(Some).map_err(|failure| failure.at(item.node.line).below(Segment::Index(item.index)))
    }
}

struct Map<'de> {
    entries: std::slice::Iter<'de, Entry>,
    /// The entry whose key was read last.
    current: Option<&'de Entry>,
}

impl<'de> MapAccess<'de> for Map<'de> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Failure> {
        let Some(entry) = self.entries.next() else { return Ok(None) };
        self.current = Some(entry);
        let here = |failure: Failure| failure.at(entry.line).below(Segment::Key(entry.key.clone()));
        seed.deserialize(entry.key.as_str().into_deserializer()).map(Some).map_err(here)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Failure> {
        let Some(entry) = self.current else {
            return Err(Failure::new("a value without a key"));
        };
        let here = |failure: Failure| failure.at(entry.line).below(Segment::Key(entry.key.clone()));
        seed.deserialize(Reader(&entry.node)).map_err(here)
    }
}
