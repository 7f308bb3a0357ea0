//! A piece of an offering with expressions in it, compiled: a property, the credentials, a label.
//!
//! A text that is exactly `${{ expr }}` is the expression's typed value, and `none` drops the key or the list's item; `${{ }}`
//! inside longer text becomes text, and there `none`, a list or a map is an error. A null never leaves here.
//! `$merge` in a map lays a map (or each of a list of maps) under the map's own keys.

use serde_json::Value;

use super::analysis::Path;
use super::expression::Expression;
use super::scope::View;
use super::text::{Part, split};
use super::walk::{self, First, Observer};
use crate::yaml::join;

/// The key whose maps are laid under a map's own keys.
pub(super) const MERGE: &str = "$merge";

/// A compiled value.
#[derive(Debug)]
pub(super) enum Tree {
    /// No expression inside.
    Constant(Value),
    /// Exactly one expression.
    Whole(Expression),
    /// Text with expressions in it.
    Text(Vec<Piece>),
    /// A list with expressions inside.
    List(Vec<Tree>),
    /// A map with expressions inside.
    Map { merge: Option<Box<Tree>>, entries: Vec<(String, Tree)> },
}

/// A piece of a text.
#[derive(Debug)]
pub(super) enum Piece {
    /// As it is.
    Literal(String),
    /// Becomes text.
    Expression(Expression),
}

/// What an evaluation gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluated {
    /// The value, without nulls.
    pub value: Value,
    /// JSON pointers of the leaves or subtrees of `value` that are secret.
    pub secrets: Vec<String>,
}

/// A part that could not be evaluated: where, and a sentence without secrets.
pub(super) type Failure = (String, String);

impl Tree {
    /// Compiles a value of the file. `errors` collects pointer and sentence of whatever is wrong in it.
    pub fn compile(value: &Value, pointer: &str, errors: &mut Vec<Failure>) -> Self {
        match value {
            Value::String(text) => Self::compile_text(text, pointer, errors),
            Value::Array(items) => {
                let trees: Vec<Self> = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| Self::compile(item, &join(pointer, &index.to_string()), errors))
                    .collect();
                match trees.iter().all(|tree| matches!(tree, Self::Constant(_))) {
                    true => Self::Constant(value.clone()),
                    false => Self::List(trees),
                }
            }
            Value::Object(map) => {
                let mut merge = None;
                let mut entries = Vec::new();
                for (key, value) in map {
                    let tree = Self::compile(value, &join(pointer, key), errors);
                    match key.as_str() {
                        MERGE => merge = Some(Box::new(tree)),
                        _ => entries.push((key.clone(), tree)),
                    }
                }
                match merge.is_none() && entries.iter().all(|(_, tree)| matches!(tree, Self::Constant(_))) {
                    true => Self::Constant(value.clone()),
                    false => Self::Map { merge, entries },
                }
            }
            other => Self::Constant(other.clone()),
        }
    }

    fn compile_text(text: &str, pointer: &str, errors: &mut Vec<Failure>) -> Self {
        let parts = match split(text) {
            Ok(parts) => parts,
            Err(message) => {
                errors.push((pointer.to_owned(), message));
                return Self::Constant(Value::Null);
            }
        };
        let whole =
            text.trim().starts_with("${{") && matches!(split(text.trim()).as_deref(), Ok([Part::Expression(_)]));
        let mut pieces = Vec::new();
        for part in parts {
            match part {
                Part::Literal(text) => pieces.push(Piece::Literal(text.to_owned())),
                Part::Expression(source) => match Expression::compile(source) {
                    Ok(expression) if whole => return Self::Whole(expression),
                    Ok(expression) => pieces.push(Piece::Expression(expression)),
                    Err(messages) => {
                        let source = source.trim();
                        errors.extend(messages.into_iter().map(|m| (pointer.to_owned(), format!("`{source}`: {m}"))));
                    }
                },
            }
        }
        match pieces.iter().any(|piece| matches!(piece, Piece::Expression(_))) {
            true => Self::Text(pieces),
            false => Self::Constant(Value::String(text.to_owned())),
        }
    }

    /// Every expression with the pointer of the leaf it stands in, below `pointer`.
    pub fn expressions<'t>(&'t self, pointer: &str, visit: &mut impl FnMut(&str, &'t Expression)) {
        match self {
            Self::Constant(_) => {}
            Self::Whole(expression) => visit(pointer, expression),
            Self::Text(pieces) => pieces.iter().for_each(|piece| {
                if let Piece::Expression(expression) = piece {
                    visit(pointer, expression);
                }
            }),
            Self::List(items) => {
                items.iter().enumerate().for_each(|(i, t)| t.expressions(&join(pointer, &i.to_string()), visit));
            }
            Self::Map { merge, entries } => {
                merge.iter().for_each(|tree| tree.expressions(&join(pointer, MERGE), visit));
                entries.iter().for_each(|(key, tree)| tree.expressions(&join(pointer, key), visit));
            }
        }
    }

    /// Marks the expressions whose result is secret.
    pub fn mark_secret(&mut self, is_secret: &impl Fn(&Path) -> bool) {
        let mark = |e: &mut Expression| e.secret = e.names().iter().any(is_secret);
        match self {
            Self::Constant(_) => {}
            Self::Whole(expression) => mark(expression),
            Self::Text(pieces) => pieces.iter_mut().for_each(|piece| {
                if let Piece::Expression(expression) = piece {
                    mark(expression);
                }
            }),
            Self::List(items) => items.iter_mut().for_each(|tree| tree.mark_secret(is_secret)),
            Self::Map { merge, entries } => {
                merge.iter_mut().for_each(|tree| tree.mark_secret(is_secret));
                entries.iter_mut().for_each(|(_, tree)| tree.mark_secret(is_secret));
            }
        }
    }

    /// Every name that is mentioned.
    pub fn names(&self) -> Vec<Path> {
        let mut names = Vec::new();
        self.expressions("", &mut |_, expression| names.extend_from_slice(expression.names()));
        names.sort();
        names.dedup();
        names
    }

    /// The value; `Value::Null` where it is `none`. The first failure ends it.
    pub fn evaluate(&self, view: &View<'_>) -> Result<Evaluated, Failure> {
        let mut first = First::default();
        let evaluated = self.observe(view, &mut first);
        match first.0 {
            Some(failure) => Err(failure),
            None => Ok(evaluated),
        }
    }

    /// The value, with an observer who is told of every leaf and says what stands for one that cannot be evaluated.
    pub fn observe(&self, view: &View<'_>, observer: &mut dyn Observer) -> Evaluated {
        walk::evaluate(self, view, observer)
    }
}

/// Whether `pointer` is `ancestor` or something inside it.
pub(super) fn is_within(pointer: &str, ancestor: &str) -> bool {
    pointer.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn evaluate(value: &Value) -> Result<Evaluated, Failure> {
        let mut errors = Vec::new();
        let mut tree = Tree::compile(value, "", &mut errors);
        if let Some(error) = errors.pop() {
            return Err(error);
        }
        tree.mark_secret(&|path| path.root() == "key");
        let mut view = View::default();
        view.add("params", json!({"n": 5, "none": null, "list": [1]}));
        view.add("key", json!({"id": "AKIA", "more": {"a": "1", "b": "2"}}));
        tree.evaluate(&view)
    }

    #[test]
    fn a_whole_expression_is_typed_and_text_is_text() {
        let value = evaluate(&json!({"a": "${{ params.n }}", "b": "x${{ params.n }}y", "c": "plain"})).unwrap().value;
        assert_eq!(value, json!({"a": 5, "b": "x5y", "c": "plain"}));
        assert_eq!(evaluate(&json!("${{ {'a': {'b': '}}'}} }}")).unwrap().value, json!({"a": {"b": "}}"}}));
        assert_eq!(evaluate(&json!("${{ '${{' }}")).unwrap().value, json!("${{"));
        assert_eq!(evaluate(&json!("${{ params.n }}\n")).unwrap().value, json!(5));
    }

    #[test]
    fn none_drops_keys_and_items_and_is_refused_in_text() {
        let value =
            evaluate(&json!({"a": "${{ params.none }}", "b": ["${{ params.none }}", 1, "${{ key.id }}"]})).unwrap();
        assert_eq!(value.value, json!({"b": [1, "AKIA"]}));
        assert_eq!(value.secrets, ["/b/1"]);
        assert!(evaluate(&json!(["x ${{ params.none }}"])).is_err());
        assert!(evaluate(&json!(["x ${{ params.list }}"])).is_err());
    }

    #[test]
    fn merged_maps_lie_under_the_own_keys_and_keep_their_secrecy() {
        let all = evaluate(&json!({"$merge": "${{ key.more }}", "b": "mine", "c": "${{ key.id }}!"})).unwrap();
        assert_eq!(all.value, json!({"a": "1", "b": "mine", "c": "AKIA!"}));
        assert_eq!(all.secrets, ["/a", "/c"]);
        let listed = evaluate(&json!({"$merge": [{"a": "${{ key.id }}", "z": 1}, {"a": 2}]})).unwrap();
        assert_eq!(listed, Evaluated { value: json!({"a": 2, "z": 1}), secrets: vec![] });
        assert!(evaluate(&json!({"$merge": "${{ params.n }}"})).is_err());
    }

    #[test]
    fn an_expression_without_its_end_is_refused() {
        assert_eq!(evaluate(&json!({"a": "x ${{ 'a }}"})).unwrap_err().0, "/a");
    }

    proptest! {
        #[test]
        fn any_text_is_cut_without_panic_and_nothing_is_lost(text in "(\\$\\{\\{|\\}\\}|[a-z'\"{}\\\\ $é])*") {
            let mut errors = Vec::new();
            Tree::compile(&Value::String(text.clone()), "", &mut errors);
            if let Ok(parts) = split(&text) {
                let joined: String = parts.iter().map(|part| match part {
                    Part::Literal(text) => (*text).to_owned(),
                    Part::Expression(source) => format!("${{{{{source}}}}}"),
                }).collect();
                prop_assert_eq!(joined, text);
            }
        }

        #[test]
        fn text_without_an_expression_is_itself(text in "\\PC*") {
            prop_assume!(!text.contains("${{"));
            let mut errors = Vec::new();
            let tree = Tree::compile(&Value::String(text.clone()), "", &mut errors);
            prop_assert!(errors.is_empty());
            prop_assert_eq!(tree.evaluate(&View::default()).unwrap().value, Value::String(text));
        }
    }
}
