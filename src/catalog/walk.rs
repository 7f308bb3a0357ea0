//! Evaluates a [`Tree`]: builds the value, drops what is none, lays merged maps under, and notes which parts are secret.

use serde_json::{Map, Value};

use super::expression::Expression;
use super::scope::View;
use super::tree::{Evaluated, Failure, MERGE, Piece, Tree, is_within};
use crate::yaml::{below, join};

/// Watches an evaluation. Pointers: `from` in the file, `to` in the result; they part behind a dropped item of a list.
pub(super) trait Observer {
    /// An expression whose result becomes the leaf, or a part of it.
    fn leaf(&mut self, _expression: &Expression, _from: &str, _to: &str) {}

    /// A leaf that cannot be evaluated. The answer stands for it.
    fn failed(&mut self, failed: Failure, to: &str) -> Value;
}

/// Keeps the first failure.
#[derive(Default)]
pub(super) struct First(pub Option<Failure>);

impl Observer for First {
    fn failed(&mut self, failed: Failure, _to: &str) -> Value {
        self.0.get_or_insert(failed);
        Value::Null
    }
}

/// Evaluates a tree under an observer.
pub(super) fn evaluate(tree: &Tree, view: &View<'_>, observer: &mut dyn Observer) -> Evaluated {
    let mut walk = Walk { view, observer, secrets: Vec::new() };
    let value = walk.evaluate(tree, &mut String::new(), &mut String::new());
    Evaluated { value, secrets: walk.secrets }
}

struct Walk<'w, 'v> {
    view: &'w View<'v>,
    observer: &'w mut dyn Observer,
    secrets: Vec<String>,
}

impl Walk<'_, '_> {
    /// `from` is where we are in the file, `to` where in the result: they part behind a dropped item of a list.
    fn evaluate(&mut self, tree: &Tree, from: &mut String, to: &mut String) -> Value {
        match tree {
            Tree::Constant(value) => value.clone(),
            Tree::Whole(expression) => {
                self.observer.leaf(expression, from, to);
                let value = expression
                    .evaluate(self.view)
                    .unwrap_or_else(|message| self.observer.failed((from.clone(), message), to));
                if expression.secret && !value.is_null() {
                    self.secrets.push(to.clone());
                }
                value
            }
            Tree::Text(pieces) => self.text(pieces, from, to),
            Tree::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let place = list.len().to_string();
                    let value =
                        below(from, &index.to_string(), |from| below(to, &place, |to| self.evaluate(item, from, to)));
                    if !value.is_null() {
                        list.push(value);
                    }
                }
                Value::Array(list)
            }
            Tree::Map { merge, entries } => {
                let mut map = Map::new();
                if let Some(merge) = merge {
                    below(from, MERGE, |from| self.merge(merge, from, to, &mut map));
                }
                for (key, tree) in entries {
                    let merged = self.secrets.len();
                    let value = below(from, key, |from| below(to, key, |to| self.evaluate(tree, from, to)));
                    if !value.is_null() {
                        // A secret that was merged and is now replaced is not in the result.
                        let own = self.secrets.split_off(merged);
                        let target = join(to, key);
                        self.secrets.retain(|secret| !is_within(secret, &target));
                        self.secrets.extend(own);
                        map.insert(key.clone(), value);
                    }
                }
                Value::Object(map)
            }
        }
    }

    fn text(&mut self, pieces: &[Piece], from: &str, to: &str) -> Value {
        let mut text = String::new();
        let mut secret = false;
        for piece in pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Expression(expression) => {
                    secret |= expression.secret;
                    self.observer.leaf(expression, from, to);
                    let value = expression.evaluate(self.view).and_then(|value| match value {
                        Value::String(value) => Ok(value),
                        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
                        Value::Null => Err(format!("`{}` is none inside a text", expression.source())),
                        _ => Err(format!("`{}` is a list or a map inside a text; use `| json`", expression.source())),
                    });
                    match value {
                        Ok(value) => text.push_str(&value),
                        Err(message) => match self.observer.failed((from.to_owned(), message), to) {
                            Value::String(value) => text.push_str(&value),
                            other => return other,
                        },
                    }
                }
            }
        }
        if secret {
            self.secrets.push(to.to_owned());
        }
        Value::String(text)
    }

    fn merge(&mut self, tree: &Tree, from: &mut String, to: &str, map: &mut Map<String, Value>) {
        let mut inner = Vec::new();
        std::mem::swap(&mut inner, &mut self.secrets);
        let mut place = join(to, MERGE);
        let value = self.evaluate(tree, from, &mut place);
        std::mem::swap(&mut inner, &mut self.secrets);
        let maps = match value {
            Value::Null => return,
            Value::Object(one) => vec![(place, one)],
            Value::Array(list) if list.iter().all(Value::is_object) => {
                let maps = list.into_iter().enumerate().filter_map(|(index, item)| match item {
                    Value::Object(map) => Some((format!("{place}/{index}"), map)),
                    _ => None,
                });
                maps.collect()
            }
            _ => {
                self.observer.failed((from.clone(), format!("{MERGE} takes a map, a list of maps or none")), &place);
                return;
            }
        };
        for (place, entries) in maps {
            for (key, value) in entries {
                let source = join(&place, &key);
                let target = join(to, &key);
                self.secrets.retain(|secret| !is_within(secret, &target));
                for secret in &inner {
                    if is_within(&source, secret) {
                        self.secrets.push(target.clone());
                    } else if let Some(rest) = secret.strip_prefix(&source).filter(|rest| rest.starts_with('/')) {
                        self.secrets.push(format!("{target}{rest}"));
                    }
                }
                map.insert(key, value);
            }
        }
    }
}
