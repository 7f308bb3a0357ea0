//! A YAML document as a JSON value, with the line and column of every node.
//!
//! Serde stops at the first thing it does not like and loses places in maps of maps. So the text becomes a value first,
//! and every check after that names a place by its JSON pointer.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, Spanned, UserMessageFormatter};

use super::{Problem, Problems};

/// A document and the places of its nodes.
pub(super) struct Document {
    pub(super) value: Value,
    pub(super) places: Places,
}

/// Where the nodes of a file are: keys and positions, no value.
#[derive(Debug)]
pub(super) struct Places {
    file: String,
    all: BTreeMap<String, Location>,
}

impl Document {
    pub(super) fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        let places = Places { file: file.to_owned(), all: BTreeMap::new() };
        let mut document = Self { value: Value::Null, places };
        // YAML 1.2: `no` and `on` are words, and an account that begins with a zero keeps it.
        let options = serde_saphyr::options! { strict_booleans: true, leading_zero_numbers_as_strings: true };
        match serde_saphyr::from_str_with_options::<Spanned<Node>>(text, options) {
            Ok(root) => {
                document.value = document.take(root, String::new());
                Ok(document)
            }
            Err(error) => {
                let location = error.location();
                let message = format!("not readable as YAML: {}", message(&error));
                Err(Problems(vec![document.places.problem_at(location, String::new(), message)]))
            }
        }
    }

    /// See [`Places::problem`].
    pub(super) fn problem(&self, pointer: &str, message: impl Into<String>) -> Problem {
        self.places.problem(pointer, message)
    }

    fn take(&mut self, node: Spanned<Node>, pointer: String) -> Value {
        self.places.all.entry(pointer.clone()).or_insert(node.referenced);
        match node.value {
            Node::Leaf(value) => value,
            Node::List(items) => items
                .into_iter()
                .enumerate()
                .map(|(index, item)| self.take(item, format!("{pointer}/{index}")))
                .collect(),
            Node::Map(entries) => {
                let mut map = Map::new();
                for (key, item) in entries {
                    let pointer = child(&pointer, &key.value);
                    self.places.all.insert(pointer.clone(), key.referenced);
                    let value = self.take(item, pointer);
                    map.insert(key.value, value);
                }
                Value::Object(map)
            }
        }
    }
}

impl Places {
    /// A problem with the node at that JSON pointer: for an entry of a map the place of its key.
    pub(super) fn problem(&self, pointer: &str, message: impl Into<String>) -> Problem {
        // What is not there itself (a missing key) is shown at what should hold it.
        let mut known = pointer;
        let location = loop {
            match (self.all.get(known), known.rfind('/')) {
                (Some(location), _) => break Some(*location),
                (None, Some(end)) => known = &known[..end],
                (None, None) => break None,
            }
        };
        self.problem_at(location, readable(pointer), message.into())
    }

    fn problem_at(&self, location: Option<Location>, path: String, message: String) -> Problem {
        let number = |of: fn(&Location) -> u64| {
            location.as_ref().map(of).and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0)
        };
        Problem {
            file: self.file.clone(),
            line: number(Location::line),
            column: number(Location::column),
            path,
            message,
        }
    }
}

/// The pointer of an entry.
pub(super) fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// `/targets/1/role_arn` as `targets[1].role_arn`.
fn readable(pointer: &str) -> String {
    let mut path = String::new();
    for token in pointer.split('/').skip(1) {
        if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push_str(&format!("[{token}]"));
        } else {
            let dot = if path.is_empty() { "" } else { "." };
            path.push_str(&format!("{dot}{}", token.replace("~1", "/").replace("~0", "~")));
        }
    }
    path
}

/// The parser's sentence without the excerpt of the file, which could show a digest, and on one line.
fn message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().render_with_formatter(&UserMessageFormatter);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

enum Node {
    Leaf(Value),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        Number::from_f64(value).map(|number| Node::Leaf(number.into())).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_node_has_its_place() {
        let document = Document::parse("f.yaml", "a:\n  - x: 1\n    y/z: [true, ~, 1.5, no, 012]\n").unwrap();
        assert_eq!(document.value, json!({"a": [{"x": 1, "y/z": [true, null, 1.5, "no", "012"]}]}));
        let at = |pointer: &str| document.problem(pointer, "m").to_string();
        assert_eq!(at("/a/0/x"), "f.yaml:2:5: a[0].x: m");
        assert_eq!(at("/a/0/y~1z/1"), "f.yaml:3:17: a[0].y/z[1]: m");
        assert_eq!(at("/a/0/missing"), "f.yaml:2:5: a[0].missing: m");
        assert_eq!(at(""), "f.yaml:1:1: m");
    }

    #[test]
    fn text_that_is_no_yaml_is_located_and_not_quoted() {
        for text in ["a: [1", "a: 1\na: 2\n", "a: 'hunter2\n"] {
            let problems = Document::parse("f.yaml", text).err().unwrap();
            let shown = problems.to_string();
            assert!(shown.starts_with("f.yaml:") && !shown.contains('\n') && !shown.contains("hunter2"), "{shown}");
            assert!(problems.0[0].line.is_some(), "{shown}");
        }
    }
}
