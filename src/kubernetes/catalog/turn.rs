//! A turn over a class or a plan.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions};
use kube::core::object::HasStatus;
use kube::runtime::controller::Action;

use super::labels::{class_labels, plan_labels};
use super::usage::users;
use crate::kubernetes::api::{CatalogStatus, LocalRef, ServiceInstanceSpec};
use crate::kubernetes::context::Context;
use crate::kubernetes::scope::{Object, Scope};
use crate::kubernetes::turn::Turn;
use crate::kubernetes::write;

/// How often it is asked whether something that was removed is still used.
const STILL_USED: Duration = Duration::from_secs(60);

/// One turn over a class.
pub async fn reconcile_class<S: Scope>(class: Arc<S::Class>, context: Arc<Context>) -> Turn {
    let name = class.name_any();
    let uses = move |spec: &ServiceInstanceSpec| S::refs(spec).0.is_some_and(|class: &LocalRef| class.name == name);
    reconcile(&context, &*class, class_labels::<S>(&class), uses).await
}

/// One turn over a plan.
pub async fn reconcile_plan<S: Scope>(plan: Arc<S::Plan>, context: Arc<Context>) -> Turn {
    let name = plan.name_any();
    let uses = move |spec: &ServiceInstanceSpec| S::refs(spec).1.is_some_and(|plan: &LocalRef| plan.name == name);
    reconcile(&context, &*plan, plan_labels::<S>(&plan), uses).await
}

async fn reconcile<K>(
    context: &Context,
    object: &K,
    labels: BTreeMap<String, String>,
    uses: impl Fn(&ServiceInstanceSpec) -> bool,
) -> Turn
where
    K: Object + HasStatus<Status = CatalogStatus>,
{
    if object.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let api = K::api(context.client.clone(), object.namespace().as_deref());
    let mut wanted = object.clone();
    wanted.labels_mut().extend(labels);
    if wanted.labels() != object.labels() {
        write::object(&api, object, &wanted).await?;
        return Ok(Action::await_change());
    }
    let managed = object.owner_references().iter().any(|owner| owner.controller == Some(true));
    if !managed || !object.status().is_some_and(|status| status.removed_from_broker_catalog) {
        return Ok(Action::await_change());
    }
    if !users(context, object.namespace().as_deref(), |instance| uses(&instance.spec)).await?.0.is_empty() {
        return Ok(Action::requeue(STILL_USED));
    }
    // A relist may have put it back since it was read.
    let same = Preconditions { uid: object.uid(), resource_version: object.resource_version() };
    let params = DeleteParams { preconditions: Some(same), ..DeleteParams::default() };
    match api.delete(&object.name_any(), &params).await {
        Ok(_) => Ok(Action::await_change()),
        Err(error) if write::is_not_found(&error) => Ok(Action::await_change()),
        Err(error) if write::is_conflict(&error) => Ok(Action::requeue(Duration::from_secs(1))),
        Err(error) => Err(error.into()),
    }
}
