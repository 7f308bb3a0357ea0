//! Whether an instance can become what an update asks for: decided before anything changes.

use super::Broker;
use super::order::Ordered;
use super::provision::facts;
use super::update::{Aim, refusal};
use crate::catalog::{Names, OutputMap, Scope};
use crate::osb::Error;
use crate::store::instance::Instance;
use crate::store::{self, PgConnection, ResourceState, place};

impl Broker {
    /// Refuses, before anything changes, what AWS cannot change in place.
    pub(super) async fn check_possible(
        &self,
        db: &mut PgConnection,
        instance: &Instance,
        (current, now): (&Ordered, &Names),
        aim: &Aim,
    ) -> Result<(), Error> {
        let (from, to) = (current.plan()?, aim.ordered.plan()?);
        let refusals = aim.ordered.revision.immutable_changes(from, to, &now.params, &aim.params);
        if !refusals.is_empty() {
            let sentences: Vec<&str> = refusals.iter().map(|refusal| refusal.message.as_str()).collect();
            return Err(refusal(&sentences.join(" ")));
        }
        for binding in store::binding::of_instance(self.singles(), instance.uid).await? {
            let given = self.open(&place::binding_parameters(binding.uid), &binding.parameters)?;
            let broken = |plan, params| aim.ordered.revision.bind_refusals(plan, &given, params);
            // What it breaks already is no reason to refuse this change.
            let before = broken(from, &now.params);
            if let Some(new) = broken(to, &aim.params).into_iter().find(|refusal| !before.contains(refusal)) {
                return Err(refusal(&format!(
                    "The binding {} would no longer be possible: {} Unbind it first.",
                    binding.id, new.message
                )));
            }
        }
        let names = Names::of_instance(self.prefix(), &facts(instance), to, aim.params.clone());
        let outputs = self.public_outputs(instance.uid).await?;
        self.check_provided(db, instance, (current, now), (&aim.ordered, &names), &outputs).await?;
        self.check_frozen(instance, &aim.ordered, &names, &outputs).await
    }

    pub(super) async fn check_frozen(
        &self,
        instance: &Instance,
        ordered: &Ordered,
        names: &Names,
        outputs: &OutputMap,
    ) -> Result<(), Error> {
        let specs = ordered.revision.resources(Scope::Instance, names);
        let specs =
            specs.map_err(|error| Error::bad_request(format!("These parameters do not work together: {error}.")))?;
        let stays = |key: &str| specs.iter().any(|spec| spec.key == key);
        // What goes is no more, for what stays.
        let outputs =
            &outputs.iter().filter(|(key, _)| stays(key)).map(|(key, map)| (key.clone(), map.clone())).collect();
        for row in store::resource::of_owner(self.singles(), instance.uid).await? {
            let (Some(desired), ResourceState::Ready) = (&row.desired, row.state) else { continue };
            if !stays(&row.key) {
                if row.retain {
                    return Err(refusal(&format!(
                        "This change would delete the {}, which the instance is to leave in AWS: change that first.",
                        row.key.replace('_', " ")
                    )));
                }
                continue;
            }
            // What depends on an output that does not exist yet is judged when its turn comes.
            let Ok(wanted) = ordered.revision.desired(Scope::Instance, &row.key, names, outputs) else {
                continue;
            };
            let frozen = ordered.revision.frozen_changes(&row.key, desired, &wanted);
            if !frozen.is_empty() {
                return Err(refusal(&format!(
                    "This change would need another {}: {} cannot change after creation.",
                    row.key.replace('_', " "),
                    frozen.join(", ")
                )));
            }
        }
        Ok(())
    }
}
