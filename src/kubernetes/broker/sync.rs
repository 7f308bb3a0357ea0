//! Makes the classes and plans of a broker what its catalog offers.
//!
//! Written is only what differs. What a user may add to a class (`defaultProvisionParameters`, labels, annotations) stays.
//! Classes go before their plans, so that no plan is seen without its class.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ListParams, PostParams};
use kube::core::object::HasStatus;
use kube::{Resource, ResourceExt};

use super::catalog::{Offered, Problem};
use crate::kubernetes::api::{CatalogStatus, ClassSpec, PlanSpec};
use crate::kubernetes::catalog::{class_labels, plan_labels};
use crate::kubernetes::context::Context;
use crate::kubernetes::names::{escaped, selector};
use crate::kubernetes::scope::{ClassObject, Object, PlanObject, Scope};
use crate::kubernetes::turn::Error;
use crate::kubernetes::write;

/// The objects of one kind that a broker has, and what is done with them.
struct Shelf<'a, K> {
    context: &'a Context,
    namespace: Option<String>,
    owner: OwnerReference,
    /// Those that the broker owns, by the id in its catalog.
    owned: BTreeMap<String, K>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Synced {
    /// How many classes the catalog gave.
    pub classes: usize,
    /// How many plans.
    pub plans: usize,
    /// What could not be written.
    pub problems: Vec<Problem>,
}

/// Makes them so.
pub async fn sync<S: Scope>(context: &Context, broker: &S::Broker, offered: Vec<Offered>) -> Result<Synced, Error> {
    let mut synced = Synced::default();
    let name = broker.name_any();
    let classes = Shelf::<S::Class>::of::<S>(context, broker, |class| class.common().external_id.clone()).await?;
    let plans = Shelf::<S::Plan>::of::<S>(context, broker, |plan| plan.common().external_id.clone()).await?;
    let (mut class_ids, mut plan_ids, mut placed) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for Offered { class, plans } in offered {
        let (id, external_name) = (class.external_id.clone(), class.external_name.clone());
        class_ids.insert(id.clone());
        let update = |known: &mut S::Class, class: ClassSpec| {
            let keep = known.common_mut().default_provision_parameters.take();
            *known.common_mut() = ClassSpec { default_provision_parameters: keep, ..class };
        };
        let build = |object: &str, class: ClassSpec| S::Class::build(object, &name, class);
        match classes.put(&id, class, build, update, class_labels::<S>).await? {
            Ok(object) => placed.push((object, external_name, plans)),
            Err(why) => synced.problems.push(Problem { what: format!("service {external_name}"), why }),
        }
    }
    classes.mark_missing(&class_ids).await?;
    synced.classes = placed.len();
    for (class, class_name, offered) in placed {
        for plan in offered {
            let (id, external_name) = (plan.external_id.clone(), plan.external_name.clone());
            plan_ids.insert(id.clone());
            let update = |known: &mut S::Plan, plan: PlanSpec| {
                let keep = known.common_mut().default_provision_parameters.take();
                *known.common_mut() = PlanSpec { default_provision_parameters: keep, ..plan };
            };
            let build = |object: &str, plan: PlanSpec| S::Plan::build(object, &name, &class, plan);
            match plans.put(&id, plan, build, update, plan_labels::<S>).await? {
                Ok(_) => synced.plans += 1,
                Err(why) => synced.problems.push(Problem { what: format!("plan {class_name}/{external_name}"), why }),
            }
        }
    }
    plans.mark_missing(&plan_ids).await?;
    Ok(synced)
}

impl<'a, K> Shelf<'a, K>
where
    K: Object + HasStatus<Status = CatalogStatus> + Debug,
{
    /// Found by the broker's label, as Service Catalog had it; read from the API server, for a watch may lag behind what
    /// the last turn wrote.
    async fn of<S: Scope>(context: &'a Context, broker: &S::Broker, id: fn(&K) -> String) -> Result<Self, Error> {
        let owner = broker.controller_owner_ref(&()).map(|owner| OwnerReference {
            // The API server may want a right of its own for whoever blocks a deletion, and our finalizer does it anyway.
            block_owner_deletion: Some(false),
            ..owner
        });
        let owner = owner.unwrap_or_default();
        let namespace = broker.namespace();
        let api = K::api(context.client.clone(), namespace.as_deref());
        let all = api.list(&ListParams::default().labels(&selector(S::BROKER_FIELD, &broker.name_any()))).await?;
        let owned = all.items.into_iter().filter(|object| is_owned(object, &owner.uid));
        let owned = owned.map(|object| (id(&object), object)).collect();
        Ok(Self { context, namespace, owner, owned })
    }

    /// Creates or changes the object of an id: its name, or why there is none.
    async fn put<T>(
        &self,
        id: &str,
        spec: T,
        build: impl FnOnce(&str, T) -> K,
        update: impl FnOnce(&mut K, T),
        labels: fn(&K) -> BTreeMap<String, String>,
    ) -> Result<Result<String, String>, Error> {
        let api = K::api(self.context.client.clone(), self.namespace.as_deref());
        let Some(known) = self.owned.get(id) else {
            let mut object = build(&escaped(id), spec);
            *object.labels_mut() = labels(&object);
            object.meta_mut().namespace.clone_from(&self.namespace);
            object.owner_references_mut().push(self.owner.clone());
            return match api
                .create(&PostParams { field_manager: Some(write::MANAGER.into()), ..Default::default() }, &object)
                .await
            {
                Ok(_) => Ok(Ok(escaped(id))),
                Err(kube::Error::Api(status)) if status.code == 409 => {
                    Ok(Err(format!("{} {} is there already and not this broker's", K::kind(&()), escaped(id))))
                }
                Err(kube::Error::Api(status)) if status.code == 422 => Ok(Err(status.message.clone())),
                Err(error) => Err(error.into()),
            };
        };
        let mut wanted = known.clone();
        update(&mut wanted, spec);
        let labels = labels(&wanted);
        wanted.labels_mut().extend(labels);
        let changed = match write::object(&api, known, &wanted).await {
            Ok(changed) => changed,
            Err(write::Error::Api(kube::Error::Api(status))) if status.code == 422 => {
                return Ok(Err(status.message.clone()));
            }
            Err(error) => return Err(error.into()),
        };
        self.mark(&changed, false).await?;
        Ok(Ok(known.name_any()))
    }

    /// What is owned and not offered is marked; what is unused of it goes soon.
    async fn mark_missing(&self, offered: &BTreeSet<String>) -> Result<(), Error> {
        for (_, object) in self.owned.iter().filter(|(id, _)| !offered.contains(*id)) {
            match self.mark(object, true).await {
                Err(Error::Api(error)) if write::is_not_found(&error) => {}
                other => other?,
            }
        }
        Ok(())
    }

    async fn mark(&self, object: &K, removed: bool) -> Result<(), Error> {
        if object.status().is_some_and(|status| status.removed_from_broker_catalog) == removed {
            return Ok(());
        }
        let api = K::api(self.context.client.clone(), self.namespace.as_deref());
        let mut wanted = object.clone();
        wanted.status_mut().get_or_insert_default().removed_from_broker_catalog = removed;
        write::status(&api, object, &wanted).await?;
        Ok(())
    }
}

fn is_owned(object: &impl Resource, uid: &str) -> bool {
    object.owner_references().iter().any(|owner| owner.uid == uid && owner.controller == Some(true))
}
