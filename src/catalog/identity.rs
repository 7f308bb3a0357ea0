//! What expressions see as `instance`, `binding`, `plan` and `target`, and the slugs that names are made of.

use aws_lc_rs::digest;
use data_encoding::Specification;
use serde_json::{Map, Value, json};

use crate::osb::{Context, Uid};

/// How many characters of a slug are random: 80 bits in base 32.
pub const SLUG_RANDOM: usize = 16;

/// The stem of every name that an owner's resources get in AWS: `PREFIX-` and 16 characters of `a-z2-7` that derive from
/// its uid. A higher `generation` gives another one, for a global name that somebody else holds.
pub fn slug(prefix: &str, uid: Uid, generation: i32) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(uid.uuid().as_bytes());
    context.update(&generation.to_be_bytes());
    let mut specification = Specification::new();
    specification.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    let text = specification
        .encoding()
        .map_or_else(|_| uid.uuid().simple().to_string(), |encoding| encoding.encode(&context.finish().as_ref()[..10]));
    format!("{prefix}-{text}")
}

/// `instance` in expressions. What the platform did not say is none.
pub fn instance(
    prefix: &str,
    uid: Uid,
    generation: i32,
    id: &str,
    organization: &str,
    space: &str,
    context: &Context,
) -> Value {
    let given = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
    json!({
        "slug": slug(prefix, uid, generation),
        "uid": uid,
        "id": id,
        "name": context.instance_name(),
        "namespace": context.namespace(),
        "organization": given(organization),
        "space": given(space),
    })
}

/// `binding` in expressions.
pub fn binding(prefix: &str, uid: Uid, generation: i32, id: &str, app_guid: Option<&str>) -> Value {
    json!({ "slug": slug(prefix, uid, generation), "uid": uid, "id": id, "app_guid": app_guid })
}

/// `target` in expressions, from a target as instances pin it: never the role or its ExternalId.
pub fn target(pinned: &Value) -> Value {
    let visible = ["name", "account", "region", "partition", "settings", "permissions_boundary"];
    let mut shown: Map<String, Value> = visible.iter().map(|&key| (key.to_owned(), Value::Null)).collect();
    if let Value::Object(pinned) = pinned {
        shown.extend(
            pinned
                .iter()
                .filter(|(key, _)| visible.contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), value.clone())),
        );
    }
    Value::Object(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_stable_and_each_generation_gives_another() {
        let uid = Uid::random();
        let first = slug("chandlery", uid, 0);
        assert_eq!(first, slug("chandlery", uid, 0));
        assert_eq!(first.len(), "chandlery-".len() + SLUG_RANDOM);
        assert_ne!(first, slug("chandlery", uid, 1));
        assert_ne!(first, slug("chandlery", Uid::random(), 0));
    }
}
