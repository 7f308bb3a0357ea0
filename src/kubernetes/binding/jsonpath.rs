//! The JSONPath templates of Kubernetes (`kubectl -o jsonpath`), as far as credentials need them: text, and expressions in
//! braces made of `.field`, `['field']`, `[0]`, `[-1]`, `[1:3]`, `[*]`, `.*` and `..field`.
//!
//! A field that is not there is an error, as it was in Service Catalog. Filters and `range` are not known and said so. A
//! message names a part of the expression, never of the credentials.

use std::fmt::Write as _;

use serde_json::Value;

/// A template that can be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Path(Vec<Step>),
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    Index(i64),
    Slice(Option<i64>, Option<i64>),
    All,
    /// This value and all below it.
    Deep,
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            if open > 0 {
                pieces.push(Piece::Text(rest[..open].to_owned()));
            }
            let close = end_of(&rest[open + 1..]).ok_or("a brace of the JSONPath template is not closed")?;
            pieces.push(piece(rest[open + 1..open + 1 + close].trim())?);
            rest = &rest[open + close + 2..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// What it gives for that value.
    pub fn apply(&self, root: &Value) -> Result<String, String> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Path(steps) => {
                    for (place, value) in found(root, steps)?.into_iter().enumerate() {
                        text.push_str(if place > 0 { " " } else { "" });
                        match value {
                            Value::String(value) => text.push_str(value),
                            // Writing to a string does not fail.
                            value => drop(write!(text, "{value}")),
                        }
                    }
                }
            }
        }
        Ok(text)
    }
}

/// Where the closing brace is: not one in quotes.
fn end_of(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if open == c => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '}') => return Some(at),
            _ => {}
        }
    }
    None
}

fn piece(text: &str) -> Result<Piece, String> {
    if let Some(literal) = quoted(text) {
        return Ok(Piece::Text(literal));
    }
    if text.starts_with("range") || text == "end" {
        return Err("the JSONPath template uses range, which is not known here".to_owned());
    }
    let mut rest = text.trim_start_matches(['$', '@']);
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("..") {
            steps.push(Step::Deep);
            // `..name` and `..[0]` go on; the point belongs to the name.
            rest = after;
            if !rest.starts_with('[') {
                rest = name(rest, text, &mut steps)?;
            }
        } else if let Some(after) = rest.strip_prefix('.') {
            if !after.is_empty() || !steps.is_empty() {
                rest = name(after, text, &mut steps)?;
            } else {
                rest = after;
            }
        } else if let Some(after) = rest.strip_prefix('[') {
            let close = bracket(after).ok_or_else(|| wrong(text))?;
            steps.push(subscript(after[..close].trim()).ok_or_else(|| wrong(text))?);
            rest = &after[close + 1..];
        } else if steps.is_empty() {
            rest = name(rest, text, &mut steps)?;
        } else {
            return Err(wrong(text));
        }
    }
    Ok(Piece::Path(steps))
}

fn name<'a>(rest: &'a str, whole: &str, steps: &mut Vec<Step>) -> Result<&'a str, String> {
    let mut name = String::new();
    let mut chars = rest.char_indices();
    let mut end = rest.len();
    while let Some((at, c)) = chars.next() {
        match c {
            // A point in a name is written with a backslash.
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            '.' | '[' => {
                end = at;
                break;
            }
            c if c.is_whitespace() || "()?|,".contains(c) => return Err(wrong(whole)),
            c => name.push(c),
        }
    }
    match name.as_str() {
        "" => return Err(wrong(whole)),
        "*" => steps.push(Step::All),
        _ => steps.push(Step::Field(name)),
    }
    Ok(&rest[end..])
}

fn bracket(text: &str) -> Option<usize> {
    match text.chars().next()? {
        quote @ ('\'' | '"') => {
            let end = text[1..].find(quote)? + 2;
            text[end..].starts_with(']').then_some(end)
        }
        _ => text.find(']'),
    }
}

fn subscript(text: &str) -> Option<Step> {
    if let Some(field) = quoted(text) {
        return Some(Step::Field(field));
    }
    if text == "*" {
        return Some(Step::All);
    }
    match text.split_once(':') {
        None => text.parse().ok().map(Step::Index),
        Some((from, to)) => {
            let bound = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
            Some(Step::Slice(bound(from.trim())?, bound(to.trim())?))
        }
    }
}

fn quoted(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    Some(inner.replace("\\n", "\n").replace("\\t", "\t").replace("\\'", "'").replace("\\\"", "\""))
}

fn wrong(text: &str) -> String {
    format!("the JSONPath expression {{{text}}} cannot be read: filters, unions and functions are not known here")
}

fn found<'a>(root: &'a Value, steps: &[Step]) -> Result<Vec<&'a Value>, String> {
    let mut values = vec![root];
    let mut deep = false;
    for step in steps {
        let mut next = Vec::new();
        for value in values {
            match step {
                Step::Deep => below(value, &mut next),
                Step::All => next.extend(children(value)),
                Step::Field(name) => match value.get(name) {
                    Some(value) => next.push(value),
                    None if deep => {}
                    None => return Err(format!("the credentials have no {name:?} where the JSONPath expression asks")),
                },
                Step::Index(place) => match value.as_array().and_then(|list| list.get(at(*place, list.len())?)) {
                    Some(value) => next.push(value),
                    None if deep => {}
                    None => {
                        return Err(format!("the credentials have no [{place}] where the JSONPath expression asks"));
                    }
                },
                Step::Slice(from, to) => {
                    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
                    let bound =
                        |bound: Option<i64>, or| bound.map_or(or, |at_| at(at_, list.len()).unwrap_or(list.len()));
                    next.extend(list.get(bound(*from, 0)..bound(*to, list.len())).unwrap_or_default());
                }
            }
        }
        deep = *step == Step::Deep;
        values = next;
    }
    Ok(values)
}

fn at(place: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    usize::try_from(if place < 0 { place + length } else { place }).ok()
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(list) => Box::new(list.iter()),
        Value::Object(object) => Box::new(object.values()),
        _ => Box::new(std::iter::empty()),
    }
}

fn below<'a>(value: &'a Value, into: &mut Vec<&'a Value>) {
    into.push(value);
    for child in children(value) {
        below(child, into);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn apply(template: &str) -> Result<String, String> {
        let root = json!({
            "host": "db", "port": 5432, "a.b": "dotted", "tls": {"ca": "PEM", "on": true},
            "nodes": [{"ip": "1"}, {"ip": "2"}, {"ip": "3"}],
        });
        Template::parse(template)?.apply(&root)
    }

    #[test]
    fn templates_are_those_of_kubectl() {
        for (template, text) in [
            ("{.host}", "db"),
            ("{ $.host }", "db"),
            ("{@.host}:{.port}", "db:5432"),
            ("postgres://{.host}:{.port}/x", "postgres://db:5432/x"),
            ("{.tls.ca}", "PEM"),
            ("{.tls['on']}", "true"),
            ("{['a.b']}{.a\\.b}", "dotteddotted"),
            ("{.nodes[0].ip} {.nodes[-1].ip}", "1 3"),
            ("{.nodes[*].ip}", "1 2 3"),
            ("{.nodes[1:].ip}", "2 3"),
            ("{.nodes[:-1].ip}", "1 2"),
            ("{..ip}", "1 2 3"),
            ("{.tls.*}", "PEM true"),
            ("{.tls}", r#"{"ca":"PEM","on":true}"#),
            ("a{'}'}{\"\\n\"}b", "a}\nb"),
            ("plain", "plain"),
            ("", ""),
        ] {
            assert_eq!(apply(template).as_deref(), Ok(text), "{template}");
        }
    }

    #[test]
    fn what_is_not_there_or_not_known_is_said() {
        for (template, said) in [
            ("{.nothing}", "no \"nothing\""),
            ("{.nodes[7].ip}", "no [7]"),
            ("{.host", "not closed"),
            ("{range .nodes[*]}x{end}", "range"),
            ("{.nodes[?(@.ip=='1')].ip}", "filters"),
            ("{.tls['ca','on']}", "unions"),
        ] {
            let reason = apply(template).unwrap_err();
            assert!(reason.contains(said) && !reason.contains("PEM"), "{template}: {reason}");
        }
    }
}
