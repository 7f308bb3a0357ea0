//! Parameters that a user took away. An update says what changes, and the absence of a parameter changes nothing; so one
//! that was taken away is sent as `null` where the plan's schema for updates takes that. Otherwise it cannot be unset, and
//! that is said.

use serde_json::{Map, Value};

use crate::kubernetes::api::Object;

/// What became of the parameters that were taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// These are sent as `null`.
    pub unset: Vec<String>,
    /// These cannot be.
    pub kept: Vec<String>,
}

/// Compares by name what the broker has with what is wanted; only names at the top count, since a nested object is sent
/// as a whole.
pub fn taken(had: &Map<String, Value>, wanted: &Map<String, Value>, schema: Option<&Object>) -> Taken {
    let gone = had.keys().filter(|name| !wanted.contains_key(*name)).cloned();
    let (unset, kept) = gone.partition(|name| schema.is_some_and(|schema| may_be_null(schema, name)));
    Taken { unset, kept }
}

/// The schema names the property, and `null` fits what it says of it.
fn may_be_null(schema: &Object, name: &str) -> bool {
    let property = schema.get("properties").and_then(|properties| properties.get(name));
    property.is_some_and(|property| takes_null(property, &Value::Object(schema.clone()), 0))
}

fn takes_null(schema: &Value, root: &Value, depth: usize) -> bool {
    const DEEPEST: usize = 16;
    if depth > DEEPEST {
        return false;
    }
    let Value::Object(fields) = schema else { return schema == &Value::Bool(true) };
    if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
        let target = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.is_some_and(|target| takes_null(target, root, depth + 1));
    }
    let type_fits = match fields.get("type") {
        None => true,
        Some(Value::String(word)) => word == "null",
        Some(Value::Array(words)) => words.iter().any(|word| word == "null"),
        Some(_) => false,
    };
    let nullable = fields.get("nullable") == Some(&Value::Bool(true));
    let values_fit = match (fields.get("enum"), fields.get("const")) {
        (Some(Value::Array(values)), _) => values.contains(&Value::Null),
        (_, Some(value)) => value.is_null(),
        _ => true,
    };
    let list = |word: &str| fields.get(word).and_then(Value::as_array);
    let fits = |one: &Value| takes_null(one, root, depth + 1);
    // A property of which nothing is said takes anything; but nothing was promised either.
    let said =
        ["type", "enum", "const", "nullable", "anyOf", "oneOf", "allOf"].iter().any(|word| fields.contains_key(*word));
    said && (type_fits || nullable)
        && values_fit
        && list("anyOf").is_none_or(|all| all.iter().any(fits))
        && list("oneOf").is_none_or(|all| all.iter().filter(|one| fits(one)).count() == 1)
        && list("allOf").is_none_or(|all| all.iter().all(fits))
        && fields.get("not").is_none_or(|not| !fits(not))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_is_sent_where_the_schema_takes_it() {
        let schema = json!({"definitions": {"free": {"type": ["string", "null"]}}, "properties": {
            "both": {"type": ["integer", "null"]}, "number": {"type": "integer"}, "nothing": {},
            "choice": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "listed": {"enum": ["a", null]},
            "words": {"type": ["string", "null"], "enum": ["a"]}, "pointed": {"$ref": "#/definitions/free"},
            "loop": {"$ref": "#/properties/loop"}, "open": {"type": "string", "nullable": true},
        }});
        let had: Map<_, _> =
            ["both", "number", "nothing", "choice", "listed", "words", "pointed", "loop", "open", "unknown", "stays"]
                .map(|name| (name.to_owned(), json!("<redacted>")))
                .into_iter()
                .collect();
        let wanted = Map::from_iter([("stays".to_owned(), json!(1))]);
        let Taken { unset, kept } = taken(&had, &wanted, schema.as_object());
        assert_eq!(unset, ["both", "choice", "listed", "open", "pointed"]);
        assert_eq!(kept, ["loop", "nothing", "number", "unknown", "words"]);
        assert_eq!(taken(&had, &wanted, None).unset, Vec::<String>::new());
        assert_eq!(taken(&wanted, &had, None), Taken::default());
    }
}
