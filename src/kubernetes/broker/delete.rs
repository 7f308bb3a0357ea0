//! The end of a broker: it waits for its instances, then takes its plans and classes with it.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use kube::core::object::HasStatus;
use kube::runtime::controller::Action;

use super::FORCE_DELETE;
use crate::kubernetes::api::{ConditionStatus, ConditionType, Conditions, ServiceInstance};
use crate::kubernetes::catalog::users;
use crate::kubernetes::context::Context;
use crate::kubernetes::names::selector;
use crate::kubernetes::scope::{Object, PlanObject, Scope};
use crate::kubernetes::turn::{Error, Turn};
use crate::kubernetes::{finalizer, write};

/// How often it is asked whether instances are left.
const STILL_USED: Duration = Duration::from_secs(5);

/// One turn over a broker that is to go.
pub async fn turn<S: Scope>(context: &Context, broker: &S::Broker) -> Turn {
    if !finalizer::is_put(broker) {
        return Ok(Action::await_change());
    }
    let (namespace, name) = (broker.namespace(), broker.name_any());
    let api = S::Broker::api(context.client.clone(), namespace.as_deref());
    let owned = ListParams::default().labels(&selector(S::BROKER_FIELD, &name));
    let classes = S::Class::api(context.client.clone(), namespace.as_deref());
    let plans = S::Plan::api(context.client.clone(), namespace.as_deref());
    let mut names: BTreeSet<String> = classes.list_metadata(&owned).await?.iter().map(ResourceExt::name_any).collect();
    names.extend(plans.list(&owned).await?.iter().map(|plan| plan.class().to_owned()));

    let forced = broker.annotations().get(FORCE_DELETE).is_some_and(|value| value == "true");
    // A namespace that is deleted may have lost its classes already, and an instance knows its broker without them.
    let noted = |instance: &ServiceInstance| {
        let ledger = instance.status.as_ref().and_then(|status| status.ledger.as_ref());
        let here = instance.spec.choice.read().is_some_and(|chosen| chosen.cluster == S::CLUSTER);
        here && ledger.is_some_and(|ledger| ledger.broker_name == name)
    };
    let fits = |instance: &ServiceInstance| {
        let class = S::refs(&instance.spec).0;
        class.is_some_and(|class| names.contains(&class.name)) || noted(instance)
    };
    let users = users(context, namespace.as_deref(), fits).await?;
    let mut wanted = broker.clone();
    let status = wanted.status_mut().get_or_insert_default();
    if !users.0.is_empty() && !forced {
        let message = format!("Waiting for {} instances to be deprovisioned: {}", users.0.len(), users.sentence());
        status.set(ConditionType::Ready, ConditionStatus::False, "InstancesExist", message);
        status.unset(ConditionType::Failed);
        write::status(&api, broker, &wanted).await?;
        return Ok(Action::requeue(STILL_USED));
    }
    if !users.0.is_empty() {
        let note = format!("Deleted by force; {} can only be abandoned: {}", users.0.len(), users.sentence());
        context.events.warning(broker, "DeleteBroker", "InstancesStranded", note);
    }
    delete_owned(&plans, &owned, broker).await?;
    delete_owned(&classes, &owned, broker).await?;
    if S::CLUSTER {
        context.metrics.forget_broker(&name);
    }
    let uid = broker.uid().unwrap_or_default();
    context.clients.forget(&uid);
    context.tags.forget(&uid);
    context.events.normal(broker, "DeleteBroker", "DeletedSuccessfully", "The broker was deleted successfully.");
    finalizer::take(&api, broker).await?;
    Ok(Action::await_change())
}

/// Those that the broker owns; what users made stays, though nobody serves it.
async fn delete_owned<K: Object>(
    api: &kube::Api<K>,
    of_broker: &ListParams,
    broker: &impl ResourceExt,
) -> Result<(), Error> {
    let uid = broker.uid();
    for object in api.list_metadata(of_broker).await? {
        if !object.owner_references().iter().any(|owner| Some(&owner.uid) == uid.as_ref()) {
            continue;
        }
        match api.delete(&object.name_any(), &DeleteParams::background()).await {
            Err(error) if !write::is_not_found(&error) => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}
