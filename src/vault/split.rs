//! Takes the secret leaves out of a JSON value, so that the rest can be stored, compared and shown in the clear.
//!
//! In the public part an object whose only key is `$sealed` stands in place of a secret; its value is the secret's JSON
//! pointer. A user's object whose only key is `$sealed`, `$$sealed`, … gets one more `$`, so the two cannot be confused.

use serde_json::{Map, Value};

const MARK: &str = "$sealed";

/// The secret that [`join`] did not find; its pointer, never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret part holds nothing for {0:?}")]
pub struct MissingSecret(pub String);

/// The value with `{"$sealed": pointer}` in place of each secret, and the secrets by pointer.
///
/// `secrets` are JSON pointers (RFC 6901); one that points to nothing is ignored, one inside another secret goes with it.
pub fn split(value: Value, secrets: &[String]) -> (Value, Map<String, Value>) {
    let mut taken = Map::new();
    let public = split_at(value, &mut String::new(), secrets, &mut taken);
    (public, taken)
}

/// What [`split`] took apart.
pub fn join(public: Value, secrets: &Map<String, Value>) -> Result<Value, MissingSecret> {
    match public {
        Value::Object(map) => match lone_mark(&map) {
            Some(0) => {
                let pointer = map.get(MARK).and_then(Value::as_str).unwrap_or_default();
                secrets.get(pointer).cloned().ok_or_else(|| MissingSecret(pointer.to_owned()))
            }
            Some(_) => join_entries(map, secrets, |key| key[1..].to_owned()),
            None => join_entries(map, secrets, |key| key),
        },
        Value::Array(items) => {
            items.into_iter().map(|item| join(item, secrets)).collect::<Result<_, _>>().map(Value::Array)
        }
        leaf => Ok(leaf),
    }
}

fn split_at(value: Value, path: &mut String, secrets: &[String], taken: &mut Map<String, Value>) -> Value {
    if secrets.contains(path) {
        taken.insert(path.clone(), value);
        return Value::Object(Map::from_iter([(MARK.to_owned(), Value::String(path.clone()))]));
    }
    match value {
        Value::Object(map) => {
            let escape = if lone_mark(&map).is_some() { "$" } else { "" };
            let split = |(key, item): (String, Value)| {
                let item = descend(path, &key.replace('~', "~0").replace('/', "~1"), |path| {
                    split_at(item, path, secrets, taken)
                });
                (format!("{escape}{key}"), item)
            };
            Value::Object(map.into_iter().map(split).collect())
        }
        Value::Array(items) => {
            let split = |(index, item): (usize, Value)| {
                descend(path, &index.to_string(), |path| split_at(item, path, secrets, taken))
            };
            Value::Array(items.into_iter().enumerate().map(split).collect())
        }
        leaf => leaf,
    }
}

fn descend<T>(path: &mut String, token: &str, inside: impl FnOnce(&mut String) -> T) -> T {
    let length = path.len();
    path.push('/');
    path.push_str(token);
    let result = inside(path);
    path.truncate(length);
    result
}

fn join_entries(
    map: Map<String, Value>,
    secrets: &Map<String, Value>,
    name: impl Fn(String) -> String,
) -> Result<Value, MissingSecret> {
    let entries = map.into_iter().map(|(key, item)| Ok((name(key), join(item, secrets)?)));
    entries.collect::<Result<_, _>>().map(Value::Object)
}

/// How many `$` too many the mark has, where an object's only key is a mark.
fn lone_mark(map: &Map<String, Value>) -> Option<usize> {
    let key = if map.len() == 1 { map.keys().next()? } else { return None };
    let extra = key.strip_suffix(MARK)?;
    extra.bytes().all(|byte| byte == b'$').then_some(extra.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_leaves_a_marker_and_user_data_that_looks_like_one_is_escaped() {
        let value = json!({"a": {"key/~": ["x", "s3cret"]}, "b": {"$sealed": "/a"}, "c": {"$$sealed": 1}});
        let (public, secrets) = split(value.clone(), &["/a/key~1~0/1".to_owned(), "/nothing".to_owned()]);
        let marked =
            json!({"a": {"key/~": ["x", {"$sealed": "/a/key~1~0/1"}]}, "b": {"$$sealed": "/a"}, "c": {"$$$sealed": 1}});
        assert_eq!(public, marked);
        assert_eq!(Value::Object(secrets.clone()), json!({"/a/key~1~0/1": "s3cret"}));
        assert_eq!(join(public.clone(), &secrets).unwrap(), value);
        assert_eq!(join(public, &Map::new()), Err(MissingSecret("/a/key~1~0/1".to_owned())));
    }

    #[test]
    fn a_whole_value_can_be_secret() {
        let (public, secrets) = split(json!({"$sealed": ""}), &[String::new()]);
        assert_eq!(public, json!({"$sealed": ""}));
        assert_eq!(join(public, &secrets).unwrap(), json!({"$sealed": ""}));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let key = prop_oneof!["\\$?\\$?\\$sealed", "[a/~0]{0,2}"];
        let leaf =
            prop_oneof![Just(Value::Null), any::<i32>().prop_map(Value::from), "[/a$]{0,3}".prop_map(Value::from)];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::btree_map(key.clone(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn pointers(value: &Value, path: String, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, item)| {
                pointers(item, format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| pointers(item, format!("{path}/{index}"), found));
            }
            _ => {}
        }
        found.push(path);
    }

    proptest! {
        #[test]
        fn join_undoes_split(value in any_json(), picks in prop::collection::vec(any::<prop::sample::Index>(), 0..4)) {
            let mut all = Vec::new();
            pointers(&value, String::new(), &mut all);
            let secrets: Vec<String> = picks.iter().map(|pick| pick.get(&all).clone()).collect();
            let (public, taken) = split(value.clone(), &secrets);
            for (pointer, secret) in &taken {
                prop_assert_eq!(value.pointer(pointer), Some(secret));
            }
            for pointer in &secrets {
                let inside = |outer: &String| pointer == outer || pointer.starts_with(&format!("{outer}/"));
                prop_assert!(taken.keys().any(inside));
            }
            prop_assert_eq!(join(public, &taken), Ok(value));
        }

        #[test]
        fn join_takes_any_input(value in any_json()) {
            let _ = join(value, &Map::new());
        }
    }
}
