//! What a turn works on: the operation, its instance and binding, and what the offering says about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Broken, Engine};
use crate::catalog::identity::{BindingFacts, InstanceFacts};
use crate::catalog::{Evaluated, Given, Ladder, Names, OutputMap, Revision, Scope, Spec, Verb, plain};
use crate::driver::{Context, Target};
use crate::osb::{PlanId, Uid};
use crate::store::binding::Binding;
use crate::store::instance::Instance;
use crate::store::operation::Operation;
use crate::store::resource::Resource;
use crate::store::{self, OperationKind, OwnerKind, place};
use crate::vault::{Place, Sealed, Vault, join, split};

/// What a turn works on.
pub(super) struct Subject {
    pub kind: OwnerKind,
    pub operation: Operation,
    pub instance: Instance,
    pub binding: Option<Binding>,
}

impl Subject {
    /// Reads it; `None` if no operation runs for the owner.
    pub async fn load(engine: &Engine, claim: &store::owner::Claim) -> Result<Option<Self>, Broken> {
        let owner = async {
            let binding = match claim.kind {
                OwnerKind::Instance => None,
                OwnerKind::Binding => store::binding::by_uid(engine.db(), claim.owner).await?,
            };
            let instance = binding.as_ref().map_or(claim.owner, |binding| binding.instance);
            Ok((binding, store::instance::by_uid(engine.db(), instance).await?))
        };
        let operation = store::operation::live(engine.db(), claim.owner);
        let (operation, (binding, instance)) = tokio::try_join!(operation, owner)?;
        let Some(operation) = operation else { return Ok(None) };
        let instance = instance.ok_or_else(|| Broken::new("the owner has no instance row"))?;
        Ok(Some(Self { kind: claim.kind, operation, instance, binding }))
    }

    pub fn uid(&self) -> Uid {
        self.binding.as_ref().map_or(self.instance.uid, |binding| binding.uid)
    }

    pub fn scope(&self) -> Scope {
        match self.kind {
            OwnerKind::Instance => Scope::Instance,
            OwnerKind::Binding => Scope::Binding,
        }
    }

    pub fn target(&self) -> Result<Target, Broken> {
        serde_json::from_value(self.instance.target.clone())
            .map_err(|_| Broken::new("the instance's target is unreadable"))
    }

    /// The offering as it applies to this subject. `aimed`: as the operation wants the instance to become, where it is an
    /// update, instead of as it is.
    pub async fn blueprint(&self, engine: &Engine, aimed: bool) -> Result<Blueprint, Broken> {
        let (instance, operation) = (&self.instance, &self.operation);
        let aimed = aimed && operation.kind == OperationKind::Update;
        let pick = |new: &Option<String>, old: &str| new.clone().filter(|_| aimed).unwrap_or_else(|| old.to_owned());
        let digest = pick(&operation.revision, &instance.revision);
        let revision = engine.revision(&digest).await?;
        let plan_id = PlanId::from(pick(&operation.plan_id, instance.plan_id.as_str()));
        let plan = revision.plan(&plan_id).ok_or_else(|| Broken::new("the revision lacks the instance's plan"))?;
        let mut parameters = match &operation.parameters {
            Some(sealed) if aimed => open(engine.vault(), place::operation_parameters(operation.id), sealed)?,
            _ => open(engine.vault(), place::instance_parameters(instance.uid), &instance.parameters)?,
        };
        let stop = match plan.ladder().filter(|_| aimed) {
            Some(ladder) => self.stop(engine, ladder, &mut parameters).await?,
            None => None,
        };
        let params = revision.effective(plan, Verb::Create, &parameters);
        let context = self.context(aimed);
        let facts = InstanceFacts {
            uid: instance.uid,
            id: instance.id.as_str(),
            organization: &instance.organization,
            space: &instance.space,
            context,
            target: &instance.target,
        };
        let mut names = Names::of_instance(engine.prefix(), &facts, plan, params);
        if let Some(binding) = &self.binding {
            let parameters = open(engine.vault(), place::binding_parameters(binding.uid), &binding.parameters)?;
            let params = revision.effective(plan, Verb::Bind, &parameters);
            let app_guid = binding.app_guid.as_deref();
            let facts = BindingFacts { uid: binding.uid, id: binding.id.as_str(), app_guid };
            names = names.of_binding(engine.prefix(), &facts, params);
        }
        let specs = revision.resources(self.scope(), &names)?;
        let plan_name = plan.name().to_owned();
        Ok(Blueprint { aimed, stop, given: parameters, scope: self.scope(), plan_name, revision, names, specs })
    }

    /// The next version on the way of an upgrade, if it is not the last: the parameters become what they are there.
    async fn stop(&self, engine: &Engine, ladder: Ladder<'_>, aim: &mut Given) -> Result<Option<Stop>, Broken> {
        let instance = &self.instance;
        let stored = open(engine.vault(), place::instance_parameters(instance.uid), &instance.parameters)?;
        let held = match stored.version {
            Some(held) => held,
            // From before its plan had versions: its parameters say it.
            None => {
                let revision = engine.revision(&instance.revision).await?;
                let plan = revision.plan(&instance.plan_id);
                let plan = plan.ok_or_else(|| Broken::new("the revision lacks the instance's plan"))?;
                let params = revision.effective(plan, Verb::Create, &stored);
                ladder.chosen(&params).cloned().unwrap_or_default()
            }
        };
        let Some(last) = aim.version.clone().filter(|last| ladder.is_older(&held, last)) else { return Ok(None) };
        let Some(next) = ladder.after(&held).filter(|next| next.value != last) else { return Ok(None) };
        ladder.reach(aim, &next.value);
        let last = ladder.step(&last).map_or_else(|| plain(&last), |step| step.version.clone());
        Ok(Some(Stop { version: next.version.clone(), last }))
    }

    /// The platform's words about the instance: an update may bring others.
    fn context(&self, aimed: bool) -> &Value {
        self.operation.context.as_ref().filter(|_| aimed).unwrap_or(&self.instance.context)
    }

    /// The tags of this subject's things.
    pub fn tags(&self, blueprint: &Blueprint) -> BTreeMap<String, String> {
        let mut tags: BTreeMap<String, String> = serde_json::from_value(self.instance.tags.clone()).unwrap_or_default();
        let mut add = |key: &str, value: &str| {
            if !value.is_empty() {
                tags.insert(key.to_owned(), tag_value(value));
            }
        };
        add(Context::OWNER_TAG, &self.uid().to_string());
        add("chandlery:instance", self.instance.id.as_str());
        add("chandlery:platform", self.instance.platform.as_str());
        add("chandlery:offering", blueprint.revision.name());
        add("chandlery:plan", &blueprint.plan_name);
        add("chandlery:organization", &self.instance.organization);
        add("chandlery:space", &self.instance.space);
        if let Some(namespace) = self.context(blueprint.aimed).get("namespace").and_then(Value::as_str) {
            add("chandlery:namespace", namespace);
        }
        if let Some(binding) = &self.binding {
            add("chandlery:binding", binding.id.as_str());
        }
        tags
    }
}

/// AWS allows letters, digits, spaces and `+ - = . _ : / @` in most services, 256 characters at most
/// (<https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>). Which letters beyond ASCII is each
/// service's own: IAM takes no combining marks, for one.
fn tag_value(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c);
    text.chars().map(|c| if allowed(c) { c } else { '_' }).take(256).collect()
}

/// A version that an upgrade passes through.
pub(super) struct Stop {
    pub version: String,
    /// Where the way leads.
    pub last: String,
}

/// The offering as it applies to one subject.
pub(super) struct Blueprint {
    /// It is what an update aims at, not what the instance is.
    aimed: bool,
    /// It is a version on the way of an upgrade, not its end.
    pub stop: Option<Stop>,
    /// The instance's parameters as they are stored.
    pub given: Given,
    pub scope: Scope,
    pub revision: Arc<Revision>,
    pub plan_name: String,
    pub names: Names,
    pub specs: Vec<Spec>,
}

impl Blueprint {
    /// Whether there is such a resource.
    pub fn has(&self, key: &str) -> bool {
        self.specs.iter().any(|spec| spec.key == key)
    }

    /// What a resource shall be.
    pub fn desired(&self, key: &str, outputs: &OutputMap) -> Result<Evaluated, Broken> {
        Ok(self.revision.desired(self.scope, key, &self.names, outputs)?)
    }

    /// The name a resource has in a later generation.
    pub fn renamed(&self, engine: &Engine, subject: &Subject, key: &str, generation: i32) -> Result<String, Broken> {
        let binding = subject.binding.as_ref().map(|binding| binding.uid);
        let names = self.names.clone().of_generation(engine.prefix(), subject.instance.uid, binding, generation);
        let specs = self.revision.resources(self.scope, &names)?;
        let spec = specs.into_iter().find(|spec| spec.key == key);
        Ok(spec.ok_or_else(|| Broken::new("a resource that the revision does not have"))?.name)
    }
}

fn open(vault: &Vault, place: Place, sealed: &Sealed) -> Result<Given, Broken> {
    Ok(vault.unseal_json(&place, sealed)?)
}

/// Takes the secrets out of a value for a resource's row: what may be read, and the rest sealed.
pub(super) fn seal(
    vault: &Vault,
    place: Place,
    value: Value,
    secrets: &[String],
) -> Result<(Value, Option<Sealed>), Broken> {
    let (public, secret) = split(value, secrets);
    let sealed = if secret.is_empty() { None } else { Some(vault.seal_json(&place, &secret)?) };
    Ok((public, sealed))
}

/// Puts the secrets of a resource's row back into a value.
pub(super) fn unseal(vault: &Vault, place: Place, public: &Value, sealed: Option<&Sealed>) -> Result<Value, Broken> {
    let secret: Map<String, Value> =
        sealed.map(|sealed| vault.unseal_json(&place, sealed)).transpose()?.unwrap_or_default();
    join(public.clone(), &secret).map_err(|missing| Broken::new(missing.to_string()))
}

/// The outputs of those resources that have some, by key.
pub(super) fn outputs(vault: &Vault, rows: &[Resource]) -> Result<OutputMap, Broken> {
    let mut outputs = OutputMap::new();
    for row in rows {
        if let Some(public) = &row.outputs
            && let Value::Object(map) =
                unseal(vault, place::output_secrets(row.uid), public, row.output_secrets.as_ref())?
        {
            outputs.insert(row.key.clone(), map);
        }
    }
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_makes_a_value_that_aws_takes() {
        assert_eq!(tag_value("team-a/Böse:1 @x"), "team-a/B_se:1 @x");
        assert_eq!(tag_value("नि"), "__", "a combining mark counts as a letter in Unicode, and not in IAM");
        assert_eq!(tag_value(&"x".repeat(300)).len(), 256);
    }
}
