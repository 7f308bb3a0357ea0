//! Where a binding belongs: from its instance to the class, the plan and the broker, in either scope.

use std::time::Duration;

use kube::ResourceExt;

use super::state::reason;
use crate::kubernetes::api::{BindingPlace, ConditionType, Conditions, LocalRef, ServiceBinding, ServiceInstance};
use crate::kubernetes::clients::{self, Broker};
use crate::kubernetes::context::{Context, Seen};
use crate::kubernetes::scope::{ClassObject, Cluster, Namespaced, Object, PlanObject, Scope};

/// Where a binding is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// At the broker.
    pub place: BindingPlace,
    /// One can take over from another.
    pub rotatable: bool,
    /// For how long an operation is polled.
    pub polling: Option<Duration>,
}

/// Why it cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Of the condition.
    pub reason: &'static str,
    /// Of the condition.
    pub message: String,
    /// It will not go away by itself.
    pub lasting: bool,
}

impl Obstacle {
    /// One that goes away when somebody changes something.
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), lasting: false }
    }
}

/// The instance that the binding names.
pub fn instance(seen: &Seen, binding: &ServiceBinding) -> Option<std::sync::Arc<ServiceInstance>> {
    seen.instances.get(binding.namespace().as_deref(), &binding.spec.instance_ref.name)
}

/// Where a new binding is made. The instance may have become ready a moment ago, and the watch that woke the binding is not
/// the one that is read here: what stands in the way is looked at twice.
pub async fn now(cx: &Context, binding: &ServiceBinding) -> Result<Result<Target, Obstacle>, kube::Error> {
    match target(&cx.seen, binding) {
        Err(obstacle) if !obstacle.lasting => {
            let api = ServiceInstance::api(cx.client.clone(), binding.namespace().as_deref());
            let instance = match binding.spec.instance_ref.name.as_str() {
                "" => None,
                name => api.get_opt(name).await?,
            };
            Ok(judged(&cx.seen, binding, instance.as_ref()))
        }
        judged => Ok(judged),
    }
}

/// As [`now`], as far as the watches have seen.
pub fn target(seen: &Seen, binding: &ServiceBinding) -> Result<Target, Obstacle> {
    judged(seen, binding, instance(seen, binding).as_deref())
}

fn judged(seen: &Seen, binding: &ServiceBinding, instance: Option<&ServiceInstance>) -> Result<Target, Obstacle> {
    let name = &binding.spec.instance_ref.name;
    let instance = instance.ok_or_else(|| {
        Obstacle::new("ReferencesNonexistentInstance", format!("There is no ServiceInstance {name} in this namespace."))
    })?;
    let target = found(seen, instance)?;
    let not_ready =
        |text: &str| Err(Obstacle::new("ErrorInstanceNotReady", format!("The ServiceInstance {name} {text}.")));
    if instance.metadata.deletion_timestamp.is_some() {
        return not_ready("is being deleted and takes no new binding");
    }
    let none = Default::default();
    if !instance.status.as_ref().unwrap_or(&none).holds(ConditionType::Ready) {
        return not_ready("is not ready");
    }
    if target.place.instance_id.is_empty() {
        return not_ready("has no id yet");
    }
    Ok(target)
}

/// The class and plan of an instance, whatever its state.
fn found(seen: &Seen, instance: &ServiceInstance) -> Result<Target, Obstacle> {
    let cluster = Cluster::refs(&instance.spec).0.is_some_and(is_named);
    if cluster { at::<Cluster>(seen, instance) } else { at::<Namespaced>(seen, instance) }
}

fn is_named(reference: &LocalRef) -> bool {
    !reference.name.is_empty()
}

fn at<S: Scope>(seen: &Seen, instance: &ServiceInstance) -> Result<Target, Obstacle> {
    let (Some(class), Some(plan)) = S::refs(&instance.spec) else {
        let text = format!("The class and plan of the ServiceInstance {} are not found yet.", instance.name_any());
        return Err(Obstacle::new("ErrorInstanceRefsUnresolved", text));
    };
    let namespace = instance.namespace().filter(|_| !S::CLUSTER);
    let seen = S::seen(seen);
    let class_found = seen.classes.get(namespace.as_deref(), &class.name);
    let class = class_found.ok_or_else(|| missing::<S::Class>("ReferencesNonexistentServiceClass", &class.name))?;
    let plan_found = seen.plans.get(namespace.as_deref(), &plan.name);
    let plan = plan_found.ok_or_else(|| missing::<S::Plan>("ReferencesNonexistentServicePlan", &plan.name))?;
    let (offering, offered) = (class.common(), plan.common());
    if !offered.bindable.unwrap_or(offering.bindable) {
        let text = format!("Instances of {}/{} cannot be bound.", offering.external_name, offered.external_name);
        return Err(Obstacle { lasting: true, ..Obstacle::new("ErrorNonbindableServiceClass", text) });
    }
    Ok(Target {
        place: BindingPlace {
            cluster: S::CLUSTER,
            broker: class.broker().to_owned(),
            service_id: offering.external_id.clone(),
            plan_id: plan_id::<S>(instance).unwrap_or(&offered.external_id).to_owned(),
            instance_id: instance.spec.external_id.clone(),
            retrievable: offering.binding_retrievable,
        },
        rotatable: offered.binding_rotatable == Some(true),
        polling: offered.maximum_polling_duration.and_then(|time| u64::try_from(time).ok()).map(Duration::from_secs),
    })
}

fn missing<K: Object>(reason: &'static str, name: &str) -> Obstacle {
    Obstacle::new(reason, format!("There is no {} {name}.", K::kind(&())))
}

/// The plan that the broker has, which is not that of the spec while a change of plan is under way.
fn plan_id<S: Scope>(instance: &ServiceInstance) -> Option<&str> {
    let known = instance.status.as_ref()?.external_properties.as_ref()?;
    let id = if S::CLUSTER { &known.cluster_service_plan_external_id } else { &known.service_plan_external_id };
    Some(id.as_str()).filter(|id| !id.is_empty())
}

/// Where a binding is that may be at the broker: as it was when it was made, else (one that Service Catalog made) as its
/// instance is now.
pub fn present(seen: &Seen, binding: &ServiceBinding) -> Option<BindingPlace> {
    let known = binding.status.as_ref().and_then(|status| status.place.clone());
    let now = instance(seen, binding).and_then(|instance| match found(seen, &instance) {
        Ok(target) => Some(target.place),
        Err(_) => None,
    });
    match (known, now) {
        // The plan may have changed since.
        (Some(known), Some(now)) if known.instance_id == now.instance_id => Some(now),
        (Some(known), _) => Some(known),
        (None, now) => now.filter(|place| !place.instance_id.is_empty()),
    }
}

/// Why there is no broker to call.
pub enum NoBroker {
    /// The object is not there.
    Gone(Obstacle),
    /// It is there and cannot be called.
    Error(clients::Error),
}

/// The broker of a place.
pub async fn broker<'a>(cx: &'a Context, namespace: &str, place: &BindingPlace) -> Result<Broker<'a>, NoBroker> {
    if place.cluster {
        client::<Cluster>(cx, None, place).await
    } else {
        client::<Namespaced>(cx, Some(namespace), place).await
    }
}

async fn client<'a, S: Scope>(
    cx: &'a Context,
    namespace: Option<&str>,
    place: &BindingPlace,
) -> Result<Broker<'a>, NoBroker> {
    let seen = S::seen(&cx.seen).brokers.get(namespace, &place.broker);
    let broker = match seen {
        Some(broker) => Some((*broker).clone()),
        None => {
            let api = S::Broker::api(cx.client.clone(), namespace);
            api.get_opt(&place.broker).await.map_err(|error| NoBroker::Error(error.into()))?
        }
    };
    let gone = || missing::<S::Broker>("ReferencesNonexistentServiceBroker", &place.broker);
    let broker = broker.ok_or_else(|| NoBroker::Gone(gone()))?;
    cx.clients.of(&broker).await.map_err(NoBroker::Error)
}

/// As a condition of a binding that is to be made.
pub fn unreachable(error: &clients::Error) -> Option<Obstacle> {
    match error {
        clients::Error::Credentials(text) => {
            let text = format!("The broker's credentials cannot be used: {text}.");
            Some(Obstacle::new("ErrorGettingAuthCredentials", text))
        }
        clients::Error::Broker(error) => Some(Obstacle::new(reason::BIND_CALL_FAILED, format!("{error}."))),
        clients::Error::Api(_) | clients::Error::NotLeader => None,
    }
}
