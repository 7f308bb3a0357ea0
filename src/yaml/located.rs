//! A document with positions: a JSON value, and a map from JSON pointer to line and column.
//!
//! Serde stops at the first thing it does not like and loses places in maps of maps. So the text becomes a value first, and
//! every check after that names a place by its JSON pointer.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use serde_saphyr::{Error, Options, Spanned, UserMessageFormatter, options};

use super::node::Node;
use super::pointer::{below, dotted};
use super::problem::Problem;

/// A parsed document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// What it says.
    pub value: Value,
    /// Where it says it.
    pub places: Places,
}

/// Where the nodes of a file are, by JSON pointer: keys and positions, no value. An entry of a map also knows where its key
/// stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    file: String,
    values: BTreeMap<String, (u32, u32)>,
    keys: BTreeMap<String, (u32, u32)>,
}

impl Located {
    /// Parses one YAML document. Keys given twice are problems, and the first of them counts; what is not YAML at all ends
    /// the parse with its one problem.
    pub fn parse(file: &str, source: &str) -> (Option<Self>, Vec<Problem>) {
        match serde_saphyr::from_str_with_options::<Spanned<Node>>(source, yaml_options()) {
            Ok(root) => {
                let places = Places { file: file.to_owned(), ..Places::default() };
                let mut located = Self { value: Value::Null, places };
                let mut problems = Vec::new();
                located.value = located.places.take(root, &mut String::new(), &mut problems);
                (Some(located), problems)
            }
            Err(error) => (None, vec![yaml_problem(file, source, &error)]),
        }
    }

    /// See [`Places::problem`].
    pub fn problem(&self, pointer: &str, message: impl Into<String>) -> Problem {
        self.places.problem(pointer, message)
    }

    /// See [`Places::key_problem`].
    pub fn key_problem(&self, pointer: &str, message: impl Into<String>) -> Problem {
        self.places.key_problem(pointer, message)
    }
}

impl Places {
    /// The file, as it was named to us.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// A problem at that pointer, or at the nearest thing above it that stands in the file.
    pub fn problem(&self, pointer: &str, message: impl Into<String>) -> Problem {
        self.problem_at(pointer, self.position(pointer), message)
    }

    /// A problem with the key itself.
    pub fn key_problem(&self, pointer: &str, message: impl Into<String>) -> Problem {
        let place = self.keys.get(pointer).copied().or_else(|| self.position(pointer));
        self.problem_at(pointer, place, message)
    }

    fn problem_at(&self, pointer: &str, place: Option<(u32, u32)>, message: impl Into<String>) -> Problem {
        Problem {
            file: self.file.clone(),
            line: place.map(|p| p.0),
            column: place.map(|p| p.1),
            path: dotted(pointer),
            message: message.into(),
        }
    }

    fn position(&self, pointer: &str) -> Option<(u32, u32)> {
        let mut pointer = pointer;
        loop {
            // A value on the lines below its key is found faster by the key.
            if let Some(place) = self.keys.get(pointer).or_else(|| self.values.get(pointer)) {
                let value = self.values.get(pointer).unwrap_or(place);
                return Some(if value.0 == place.0 { *value } else { *place });
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }

    /// Notes where everything below the node is, and gives its value.
    fn take(&mut self, node: Spanned<Node>, pointer: &mut String, problems: &mut Vec<Problem>) -> Value {
        self.values.insert(pointer.clone(), position(&node));
        match node.value {
            Node::Leaf(value) => value,
            Node::List(items) => Value::Array(
                items
                    .into_iter()
                    .enumerate()
                    .map(|(index, item)| below(pointer, &index.to_string(), |p| self.take(item, p, problems)))
                    .collect(),
            ),
            Node::Map(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    let place = position(&key);
                    let name = key.value;
                    below(pointer, &name, |p| {
                        if map.contains_key(&name) {
                            let first = self.keys.get(p.as_str()).map_or(0, |first| first.0);
                            let message = format!("the key stands here a second time, the first is in line {first}");
                            problems.push(self.problem_at(p, Some(place), message));
                            return;
                        }
                        self.keys.insert(p.clone(), place);
                        let value = self.take(value, p, problems);
                        map.insert(name.clone(), value);
                    });
                }
                Value::Object(map)
            }
        }
    }
}

fn position<T>(node: &Spanned<T>) -> (u32, u32) {
    let clip = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    (clip(node.referenced.line()), clip(node.referenced.column()))
}

/// YAML 1.2: `no` and `on` are words, and an account that begins with a zero keeps it.
fn yaml_options() -> Options {
    options! {
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::PassThrough,
        leading_zero_numbers_as_strings: true,
        strict_booleans: true,
        with_snippet: false,
    }
}

/// What the parser does not take, as a problem.
pub fn yaml_problem(file: &str, source: &str, error: &Error) -> Problem {
    let place = error.location().map(|l| (l.line(), l.column()));
    let mut message = sentence(error);
    let line = place.and_then(|(line, _)| source.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?));
    if line.is_some_and(|line| line.contains("${{")) {
        message.push_str("; an expression inside { }, [ ] or before \": \" must stand in quotes: \"${{ … }}\"");
    }
    let clip = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Problem {
        file: file.to_owned(),
        line: place.map(|p| clip(p.0)),
        column: place.map(|p| clip(p.1)),
        path: String::new(),
        message,
    }
}

/// The parser's sentence without the position, which we print ourselves; where it speaks of its own workings, another one.
fn sentence(error: &Error) -> String {
    let error = error.without_snippet();
    match error {
        Error::MultipleDocuments { .. } => "a file holds one document: `---` begins a second one here".to_owned(),
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "an alias (`*name`) stands inside what it names".to_owned()
        }
        Error::Budget { .. } | Error::AliasReplayLimitExceeded { .. } | Error::AliasExpansionLimitExceeded { .. } => {
            "the file is too large or its aliases expand to too much; no file of ours needs as much".to_owned()
        }
        error => {
            let text = error.render_with_formatter(&UserMessageFormatter);
            text.split(" at line ").next().unwrap_or(&text).trim_start_matches("error: ").to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_and_key_knows_its_place() {
        let (located, problems) = Located::parse("a.yaml", "name: x\nplans:\n  - id: 1\n    fixed: { a/b: on }\n");
        let located = located.unwrap();
        assert_eq!(problems, []);
        assert_eq!(located.value, serde_json::json!({"name": "x", "plans": [{"id": 1, "fixed": {"a/b": "on"}}]}));
        assert_eq!(located.problem("/plans/0/id", "bad").to_string(), "a.yaml:3:9: plans[0].id: bad");
        assert_eq!(
            located.key_problem("/plans/0/fixed/a~1b", "bad").to_string(),
            "a.yaml:4:14: plans[0].fixed.a/b: bad"
        );
        // Something that is missing is reported where it should have been.
        assert_eq!(located.problem("/plans/0/name", "bad").to_string(), "a.yaml:3:5: plans[0].name: bad");
    }

    #[test]
    fn a_key_given_twice_is_reported_with_the_first() {
        let (_, problems) = Located::parse("a.yaml", "a: 1\nb:\n  c: 1\n  c: 2\na: 3\n");
        let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "a.yaml:4:3: b.c: the key stands here a second time, the first is in line 3",
                "a.yaml:5:1: a: the key stands here a second time, the first is in line 1"
            ]
        );
    }

    #[test]
    fn what_the_parser_cannot_take_is_said_without_its_own_words() {
        let many = format!("a: [{}]\n", "1, ".repeat(250_000));
        for (text, said) in [
            ("a: 1\n---\nb: 2\n", "a file holds one document"),
            ("a: &x [*x]\n", "an alias (`*name`) stands inside what it names"),
            ("a: *x\n", "unknown"),
            (&many, "the file is too large"),
        ] {
            let (_, problems) = Located::parse("a.yaml", text);
            assert!(problems[0].message.contains(said), "{}", problems[0]);
        }
    }

    #[test]
    fn an_unquoted_expression_in_braces_gets_a_hint() {
        let (located, problems) = Located::parse("a.yaml", "a: { b: ${{ x }} }\n");
        assert!(located.is_none());
        assert!(problems[0].to_string().starts_with("a.yaml:1:"), "{}", problems[0]);
        assert!(problems[0].message.contains("must stand in quotes"), "{}", problems[0]);
    }
}
