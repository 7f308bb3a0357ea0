//! Laws of parameters, over random offerings and requests.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::testing::registry;
use super::{Revision, Verb};

fn schema() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-50_i64..50, 0_i64..50, 0_i64..50).prop_map(|(low, a, b)| {
            json!({"type": "integer", "minimum": low, "default": low + a.min(b), "maximum": low + a.max(b)})
        }),
        any::<bool>().prop_map(|default| json!({"type": "boolean", "default": default, "updatable": true})),
        prop::sample::select(vec!["a", "b", "c"])
            .prop_map(|default| json!({"type": "string", "enum": ["a", "b", "c"], "default": default})),
        Just(json!({"type": "string", "updatable": true})),
        Just(json!({"type": "array", "items": {"type": "integer"}, "default": []})),
    ]
}

fn offering() -> impl Strategy<Value = Revision> {
    prop::collection::btree_map("[a-d]", schema(), 0..5).prop_map(|parameters| {
        let document = json!({
            "id": "0b6c7a1e-5a52-4d0f-9f0c-3f8d6f5b7a10", "name": "laws", "description": "d",
            "plans": [{"id": "5e1f3c52-74d4-4a86-8a9d-0d0a6a9d1b01", "name": "p", "description": "d"}],
            "parameters": parameters,
            "resources": {"group": {"kind": "test/group"}},
        });
        // JSON is YAML.
        Revision::parse("laws.yaml", &document.to_string(), &registry()).unwrap_or_else(|problems| panic!("{problems}"))
    })
}

fn patch() -> impl Strategy<Value = Map<String, Value>> {
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-60_i64..110).prop_map(Value::from),
        "[a-d]".prop_map(Value::from),
    ];
    prop::collection::btree_map("[a-e]", value, 0..4).prop_map(|map| map.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn defaults_are_accepted_and_accepting_is_idempotent(revision in offering(), given in patch()) {
        let plan = &revision.plans()[0];
        let nothing = Map::new();
        let accept = |verb, given: &Map<String, Value>| revision.accept(plan, verb, given, &nothing, &Value::Null);
        let defaults = accept(Verb::Create, &nothing).unwrap();
        prop_assert_eq!(accept(Verb::Create, defaults.as_object().unwrap()), Ok(defaults.clone()));
        match accept(Verb::Update, &given) {
            Ok(effective) => {
                prop_assert_eq!(accept(Verb::Update, effective.as_object().unwrap()), Ok(effective.clone()));
                for (name, value) in &given {
                    prop_assert_eq!(effective.get(name), Some(value));
                }
            }
            Err(refusals) => {
                for refusal in refusals {
                    let named = refusal.parameter.unwrap_or_default();
                    prop_assert!(given.contains_key(&named) && refusal.message.contains(&named));
                }
            }
        }
    }

    #[test]
    fn null_resets_and_merging_twice_is_merging_once(revision in offering(), first in patch(), second in patch()) {
        let current = revision.merge(&Map::new(), &first);
        prop_assert!(current.values().all(|value| !value.is_null()));
        let merged = revision.merge(&current, &second);
        prop_assert_eq!(revision.merge(&merged, &second), merged.clone());
        prop_assert_eq!(revision.merge(&current, &Map::new()), current.clone());
        for (name, value) in &second {
            prop_assert_eq!(merged.get(name), Some(value).filter(|value| !value.is_null()));
        }
        for (name, value) in current.iter().filter(|(name, _)| !second.contains_key(*name)) {
            prop_assert_eq!(merged.get(name), Some(value));
        }
    }
}
