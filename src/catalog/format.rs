//! The structure of the file format, as a JSON Schema made from the document's types: editors use it, and so do we, because
//! a validator finds every problem where a deserializer stops at the first.

use std::sync::LazyLock;

use jsonschema::Draft;
use serde_json::Value;

use super::document::Offering;
use super::validator::Validator;
use crate::yaml::Located;
use crate::yaml::Problem;

static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| Validator::compile(json_schema(), Draft::Draft7).unwrap_or_else(|_| Validator::anything()));

/// The JSON Schema (draft-07) of an offering file.
pub fn json_schema() -> Value {
    let schema = schemars::generate::SchemaSettings::draft07().into_generator().into_root_schema_for::<Offering>();
    let mut schema = schema.to_value();
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("title".to_owned(), "An offering of Chandlery".into());
    }
    schema
}

/// Reports every problem of structure. Gives the document without its unknown keys, and whether anything else is wrong, so
/// that it cannot be read as an offering.
pub(super) fn check(located: &Located, problems: &mut Vec<Problem>) -> (Value, bool) {
    let mut value = located.value.clone();
    let mut unsound = false;
    for violation in VALIDATOR.violations(&located.value) {
        if violation.keyword == "additionalProperties" {
            problems.push(located.key_problem(&violation.pointer, violation.message));
            remove(&mut value, &violation.pointer);
        } else {
            problems.push(located.problem(&violation.pointer, violation.message));
            unsound = true;
        }
    }
    (value, unsound)
}

fn remove(value: &mut Value, pointer: &str) {
    if let Some((parent, key)) = pointer.rsplit_once('/')
        && let Some(map) = value.pointer_mut(parent).and_then(Value::as_object_mut)
    {
        map.remove(&key.replace("~1", "/").replace("~0", "~"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_of_structure_is_found_at_once() {
        let source = "id: 1\nname: x\ndescripton: y\nplans:\n  - id: a\n    fixd: {}\n    free: maybe\n";
        let (located, _) = Located::parse("a.yaml", source);
        let mut problems = Vec::new();
        let (_, unsound) = check(&located.unwrap(), &mut problems);
        problems.sort();
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(unsound);
        assert_eq!(
            texts,
            [
                "a.yaml:1:1: description: is required",
                "a.yaml:1:5: id: must be a text",
                "a.yaml:3:1: descripton: is not known here; did you mean `description`?",
                "a.yaml:5:5: plans[0].description: is required",
                "a.yaml:5:5: plans[0].name: is required",
                "a.yaml:6:5: plans[0].fixd: is not known here; did you mean `fixed`?",
                "a.yaml:7:11: plans[0].free: must be true or false",
            ]
        );
    }

    #[test]
    fn the_published_schema_is_the_current_one() {
        let published: Value = serde_json::from_str(include_str!("../../catalog/catalog.schema.json")).unwrap();
        assert_eq!(published, json_schema(), "run `chandlery catalog schema > catalog/catalog.schema.json`");
    }
}
