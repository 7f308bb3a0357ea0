//! One expression of an offering: minijinja's expression language, strict, with limited fuel, without any I/O.
//!
//! A result is typed (a number stays a number). An undefined name is an error wherever it stands: minijinja lets a bare
//! undefined name through as a value even in strict mode, so results are searched for it.

use std::sync::LazyLock;

use minijinja::value::ValueKind;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value};

use super::analysis::{self, Mentions, Path};
use super::functions;
use super::scope::View;

/// Enough for every sensible expression and over in a millisecond.
const FUEL: u64 = 50_000;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    functions::install(&mut env);
    env
});

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Expression {
    source: String,
    compiled: minijinja::Expression<'static, 'static>,
    mentions: Box<Mentions>,
    /// It mentions something secret, so its result is.
    pub secret: bool,
}

impl Expression {
    /// Compiles the text between `${{` and `}}`. The errors are sentences.
    pub fn compile(source: &str) -> Result<Self, Vec<String>> {
        let source = source.trim();
        let mentions = Box::new(analysis::read(source)?);
        let compiled = ENVIRONMENT
            .compile_expression_owned(source.to_owned())
            .map_err(|e| vec![e.detail().unwrap_or("this is not an expression").to_owned()])?;
        Ok(Self { source: source.to_owned(), compiled, mentions, secret: false })
    }

    /// Every name it mentions.
    pub fn names(&self) -> &[Path] {
        &self.mentions.names
    }

    /// The names whose text may get into the result without having passed `literal`.
    pub fn raw(&self) -> &[Path] {
        &self.mentions.raw
    }

    /// The names whose text may get into the result in whatever form.
    pub fn carried(&self) -> &[Path] {
        &self.mentions.carried
    }

    /// Its text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its typed value. Nulls inside are dropped; `Value::Null` is `none`. The error is a sentence without secrets.
    pub fn evaluate(&self, view: &View<'_>) -> Result<Value, String> {
        self.evaluate_with_nulls(view).map(without_nulls)
    }

    /// The same with the nulls inside: what a user left out stays a name that is none.
    pub fn evaluate_with_nulls(&self, view: &View<'_>) -> Result<Value, String> {
        // Most expressions are one name: no need to start the machine, and numbers stay exactly what they were.
        if let Some(path) = &self.mentions.only {
            return view.lookup(path).cloned().ok_or_else(|| format!("`{path}` is not defined"));
        }
        let value = self.compiled.eval(view.context()).map_err(|error| self.describe(&error))?;
        to_json(&value).map_err(|problem| format!("`{}`: {problem}", self.source))
    }

    fn describe(&self, error: &minijinja::Error) -> String {
        let source = &self.source;
        match (error.kind(), error.detail()) {
            (ErrorKind::OutOfFuel, _) => format!("`{source}` takes too long"),
            // What minijinja says may quote a value.
            (kind, Some(detail)) if !self.secret => format!("`{source}`: {kind}: {detail}"),
            (kind, _) => format!("`{source}`: {kind}"),
        }
    }
}

/// A result as JSON. Undefined is an error, at any depth.
pub(super) fn to_json(value: &minijinja::Value) -> Result<Value, String> {
    match value.kind() {
        ValueKind::Undefined => Err("a name in it is not defined".to_owned()),
        ValueKind::None => Ok(Value::Null),
        ValueKind::Bool => Ok(Value::Bool(value.is_true())),
        ValueKind::Number => serde_json::to_value(value).map_err(|_| "the number is not finite".to_owned()),
        ValueKind::String => Ok(Value::String(value.as_str().unwrap_or_default().to_owned())),
        ValueKind::Seq | ValueKind::Iterable => {
            let mut items = Vec::new();
            for item in value.try_iter().map_err(|e| e.kind().to_string())? {
                items.push(to_json(&item)?);
            }
            Ok(Value::Array(items))
        }
        ValueKind::Map => {
            let mut map = Map::new();
            for key in value.try_iter().map_err(|e| e.kind().to_string())? {
                let item = to_json(&value.get_item(&key).map_err(|e| e.kind().to_string())?)?;
                let Some(key) = key.as_str() else { return Err("the keys of a map must be texts".to_owned()) };
                map.insert(key.to_owned(), item);
            }
            Ok(Value::Object(map))
        }
        kind => Err(format!("a {kind} is not a value of JSON")),
    }
}

/// The value without nulls inside.
pub(super) fn without_nulls(mut value: Value) -> Value {
    match &mut value {
        Value::Array(items) => {
            items.retain(|item| !item.is_null());
            items.iter_mut().for_each(|item| *item = without_nulls(item.take()));
        }
        Value::Object(map) => {
            map.retain(|_, item| !item.is_null());
            map.values_mut().for_each(|item| *item = without_nulls(item.take()));
        }
        _ => {}
    }
    value
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn evaluate(source: &str) -> Result<Value, String> {
        let params = json!({"n": 20, "big": u64::MAX, "text": "a", "none": null, "list": [1, null, {"a": null}]});
        let mut scope = View::default();
        scope.add("params", params);
        Expression::compile(source).map_err(|errors| errors.join(" "))?.evaluate(&scope)
    }

    #[test]
    fn results_are_typed_and_hold_no_nulls() {
        assert_eq!(evaluate("params.n * 2 + 1"), Ok(json!(41)));
        assert_eq!(evaluate("params.big"), Ok(json!(u64::MAX)));
        assert_eq!(evaluate("params.n / 8"), Ok(json!(2.5)));
        assert_eq!(evaluate("params.none"), Ok(Value::Null));
        assert_eq!(evaluate("params.list"), Ok(json!([1, {}])));
        assert_eq!(evaluate("{'a': params.none, 'b': params.n > 1}"), Ok(json!({"b": true})));
        assert_eq!(evaluate("params.none | default(5, true)"), Ok(json!(5)));
    }

    #[test]
    fn undefined_is_an_error_wherever_it_stands() {
        for source in ["params.missing", "missing", "[params.missing]", "{'a': params.missing}", "params.missing + 1"] {
            assert!(evaluate(source).is_err(), "{source}");
        }
    }

    #[test]
    fn an_endless_expression_runs_out_of_fuel() {
        assert!(evaluate("range(100000) | map('string') | join").unwrap_err().contains("too long"));
    }
}
