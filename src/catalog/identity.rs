//! What expressions see as `instance`, `binding` and `target`, and the slugs that names are made of.

use aws_lc_rs::digest;
use data_encoding::Specification;
use serde_json::{Map, Value, json};

use super::{Names, Plan};
use crate::osb::Uid;

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

/// What identifies an instance, as its row has it.
#[derive(Clone, Copy, Debug)]
pub struct InstanceFacts<'a> {
    /// The row's identity.
    pub uid: Uid,
    /// The platform's id.
    pub id: &'a str,
    /// OSB's `organization_guid`.
    pub organization: &'a str,
    /// OSB's `space_guid`.
    pub space: &'a str,
    /// OSB's `context`.
    pub context: &'a Value,
    /// The pinned target.
    pub target: &'a Value,
}

/// What identifies a binding, as its row has it.
#[derive(Clone, Copy, Debug)]
pub struct BindingFacts<'a> {
    /// The row's identity.
    pub uid: Uid,
    /// The platform's id.
    pub id: &'a str,
    /// The app it is for.
    pub app_guid: Option<&'a str>,
}

impl Names {
    /// The names in instance scope. What the platform did not say is none.
    pub fn of_instance(prefix: &str, facts: &InstanceFacts<'_>, plan: &Plan, params: Value) -> Self {
        let said = |key: &str| facts.context.get(key).filter(|value| value.is_string()).cloned().unwrap_or_default();
        let given = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
        let instance = json!({
            "slug": slug(prefix, facts.uid, 0),
            "uid": facts.uid,
            "id": facts.id,
            "name": said("instance_name"),
            "namespace": said("namespace"),
            "organization": given(facts.organization),
            "space": given(facts.space),
        });
        Self { params, plan: plan.names().clone(), instance, binding: None, target: target(facts.target) }
    }

    /// The names in binding scope, from those of the binding's instance.
    #[must_use]
    pub fn of_binding(mut self, prefix: &str, facts: &BindingFacts<'_>, params: Value) -> Self {
        let of_instance = std::mem::replace(&mut self.params, params);
        if let Value::Object(instance) = &mut self.instance {
            instance.insert("params".to_owned(), of_instance);
        }
        let slug = slug(prefix, facts.uid, 0);
        self.binding = Some(json!({ "slug": slug, "uid": facts.uid, "id": facts.id, "app_guid": facts.app_guid }));
        self
    }

    /// The same with the slugs of a later generation, for a global name that somebody else holds.
    #[must_use]
    pub fn of_generation(mut self, prefix: &str, instance: Uid, binding: Option<Uid>, generation: i32) -> Self {
        for (value, uid) in [(Some(&mut self.instance), Some(instance)), (self.binding.as_mut(), binding)] {
            if let (Some(Value::Object(shown)), Some(uid)) = (value, uid) {
                shown.insert("slug".to_owned(), slug(prefix, uid, generation).into());
            }
        }
        self
    }
}

/// `target` in expressions, from a target as instances pin it: never the role or its ExternalId.
fn target(pinned: &Value) -> Value {
    let visible = ["name", "account", "region", "partition", "settings", "permissions_boundary"];
    let value = |key: &str| pinned.get(key).cloned().unwrap_or_default();
    Value::Object(visible.iter().map(|&key| (key.to_owned(), value(key))).collect::<Map<_, _>>())
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
