//! From the names that a user chose to a class, a plan and a broker, in either scope.

use std::sync::Arc;
use std::time::Duration;

use kube::core::object::HasStatus;
use kube::{Resource, ResourceExt};

use crate::kubernetes::api::{CatalogStatus, Chosen, Named, Object, ServiceInstance};
use crate::kubernetes::context::CatalogSeen;
use crate::kubernetes::scope::{ClassObject, PlanObject, Scope};

/// What an instance is of: all that is needed of class and plan, whatever their scope.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// They are the cluster's.
    pub cluster: bool,
    /// The name of the class object.
    pub class: String,
    /// The class's name in the catalog.
    pub class_name: String,
    /// The class's id in the catalog.
    pub service_id: String,
    /// Whether an instance can change its plan.
    pub plan_updatable: bool,
    /// The name of the plan object.
    pub plan: String,
    /// The plan's name in the catalog.
    pub plan_name: String,
    /// The plan's id in the catalog.
    pub plan_id: String,
    /// The parameters that plan and class give.
    pub defaults: Object,
    /// What the parameters of an update may be.
    pub update_schema: Option<Object>,
    /// For how long an operation may be polled.
    pub polling: Option<Duration>,
    /// The version of what instances of the plan run on.
    pub maintenance: Option<String>,
    /// The name of the broker.
    pub broker: String,
    /// Why nothing new of it can be had.
    pub closed: Option<Trouble>,
}

/// Why there is no class, plan or broker, or why it does not serve: a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// One word.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}

impl Trouble {
    fn new(reason: &'static str, message: String) -> Self {
        Self { reason, message }
    }
}

/// Finds all three among what the watches have seen.
pub fn find<S: Scope>(seen: &CatalogSeen<S>, instance: &ServiceInstance) -> Result<Found, Trouble> {
    let namespace = if S::CLUSTER { None } else { instance.metadata.namespace.as_deref() };
    let Some(chosen) = instance.spec.choice.read() else {
        return Err(Trouble::new("ReferencesNonexistentServiceClass", "The spec names no class.".into()));
    };
    let here = |meta: &kube::core::ObjectMeta| meta.namespace.as_deref() == namespace;
    let (class_ref, plan_ref) = S::refs(&instance.spec);
    let classes = seen.classes.find(|class| here(class.meta()));
    let class = class_of::<S>(&classes, &chosen, class_ref.map(|class| class.name.as_str()))?;
    let name = class.name_any();
    let plans = seen.plans.find(|plan| here(plan.meta()) && plan.class() == name);
    let had = instance.status.as_ref().and_then(|status| status.external_properties.as_ref());
    let had = had.map(|had| had.plan_id()).filter(|id| !id.is_empty());
    let plan = plan_of::<S>(&plans, &chosen, plan_ref.map(|plan| plan.name.as_str()), had)?;
    let Some(broker) = seen.brokers.get(namespace, class.broker()) else {
        let message = format!("The broker {:?} of the class {} does not exist.", class.broker(), chosen.class.text());
        return Err(Trouble::new("ReferencesNonexistentBroker", message));
    };
    // Whether a plan can be left, the plan says that is left.
    let has = plans.iter().find(|plan| had == Some(plan.common().external_id.as_str())).unwrap_or(&plan);
    let updatable = has.common().plan_updatable.unwrap_or(class.common().plan_updatable);
    Ok(Found { plan_updatable: updatable, ..put_together::<S>(&class, &plan, &broker) })
}

fn put_together<S: Scope>(class: &S::Class, plan: &S::Plan, broker: &S::Broker) -> Found {
    let (of_class, of_plan) = (class.common(), plan.common());
    let mut defaults = of_class.default_provision_parameters.clone().unwrap_or_default();
    defaults.extend(of_plan.default_provision_parameters.clone().unwrap_or_default());
    let polling = of_plan.maximum_polling_duration.and_then(|seconds| u64::try_from(seconds).ok());
    Found {
        cluster: S::CLUSTER,
        class: class.name_any(),
        class_name: of_class.external_name.clone(),
        service_id: of_class.external_id.clone(),
        plan_updatable: of_class.plan_updatable,
        plan: plan.name_any(),
        plan_name: of_plan.external_name.clone(),
        plan_id: of_plan.external_id.clone(),
        defaults,
        update_schema: of_plan.instance_update_parameter_schema.clone(),
        polling: polling.map(Duration::from_secs),
        maintenance: of_plan.maintenance_version.clone().filter(|version| !version.is_empty()),
        broker: class.broker().to_owned(),
        closed: closed::<S>(class, plan, broker),
    }
}

fn closed<S: Scope>(class: &S::Class, plan: &S::Plan, broker: &S::Broker) -> Option<Trouble> {
    let (class_name, plan_name) = (&class.common().external_name, &plan.common().external_name);
    if broker.meta().deletion_timestamp.is_some() {
        let message = format!("The broker {} of the class {class_name} is being deleted.", broker.name_any());
        return Some(Trouble::new("ReferencesDeletedServiceClass", message));
    }
    if leaves(class) {
        let message = format!("The class {class_name} is no longer offered by its broker.");
        return Some(Trouble::new("ReferencesDeletedServiceClass", message));
    }
    let message = || format!("The plan {plan_name} of the class {class_name} is no longer offered by its broker.");
    leaves(plan).then(|| Trouble::new("ReferencesDeletedServicePlan", message()))
}

/// It is on its way out.
fn leaves<K: Resource + HasStatus<Status = CatalogStatus>>(object: &K) -> bool {
    object.meta().deletion_timestamp.is_some()
        || object.status().is_some_and(|status| status.removed_from_broker_catalog)
}

/// An object answers to a name of one of the three sorts.
fn answers(name: Named<'_>, object: &str, external_name: &str, external_id: &str) -> bool {
    match name {
        Named::Name(name) => name == object,
        Named::ExternalName(name) => name == external_name,
        Named::ExternalId(id) => id == external_id,
    }
}

/// The class. What was found before stays found: another class of the same name does not take its place.
fn class_of<S: Scope>(
    classes: &[Arc<S::Class>],
    chosen: &Chosen<'_>,
    had: Option<&str>,
) -> Result<Arc<S::Class>, Trouble> {
    const REASON: &str = "ReferencesNonexistentServiceClass";
    let text = chosen.class.text();
    let fits = |class: &&Arc<S::Class>| {
        answers(chosen.class, &class.name_any(), &class.common().external_name, &class.common().external_id)
    };
    let fitting: Vec<_> = classes.iter().filter(fits).collect();
    if let Some(class) = fitting.iter().find(|class| had == Some(class.name_any().as_str())) {
        return Ok(Arc::clone(class));
    }
    let offered: Vec<_> = fitting.iter().filter(|class| !leaves(&****class)).collect();
    match (fitting.as_slice(), offered.as_slice()) {
        ([], _) => Err(Trouble::new(REASON, format!("There is no class {text}."))),
        ([one], _) => Ok(Arc::clone(one)),
        (_, [one]) => Ok(Arc::clone(one)),
        (many, _) => {
            let names: Vec<_> = many.iter().map(|class| class.name_any()).collect();
            let message = format!("There are several classes {text}: {}. Name one of those objects.", names.join(", "));
            Err(Trouble::new(REASON, message))
        }
    }
}

/// The plan among those of the class. Where the user names none, it is the one that the instance has, else the only one.
fn plan_of<S: Scope>(
    plans: &[Arc<S::Plan>],
    chosen: &Chosen<'_>,
    had: Option<&str>,
    had_id: Option<&str>,
) -> Result<Arc<S::Plan>, Trouble> {
    const REASON: &str = "ReferencesNonexistentServicePlan";
    let class = chosen.class.text();
    let is_had = |plan: &Arc<S::Plan>| {
        had == Some(plan.name_any().as_str()) || had_id == Some(plan.common().external_id.as_str())
    };
    let Some(name) = chosen.plan else {
        if let Some(plan) = plans.iter().find(|plan| is_had(plan)) {
            return Ok(Arc::clone(plan));
        }
        let offered: Vec<_> = plans.iter().filter(|plan| !leaves(&***plan)).collect();
        return match offered.as_slice() {
            [only] => Ok(Arc::clone(only)),
            [] => Err(Trouble::new(REASON, format!("The class {class} has no plan."))),
            many => {
                let names: Vec<_> = many.iter().map(|plan| plan.common().external_name.as_str()).collect();
                let message =
                    format!("The class {class} has more than one plan, so one must be named: {}.", names.join(", "));
                Err(Trouble::new(REASON, message))
            }
        };
    };
    let fits = |plan: &&Arc<S::Plan>| {
        answers(name, &plan.name_any(), &plan.common().external_name, &plan.common().external_id)
    };
    let fitting: Vec<_> = plans.iter().filter(fits).collect();
    let best = fitting.iter().find(|plan| !leaves(&****plan)).or_else(|| fitting.first());
    best.map(|plan| Arc::clone(plan))
        .ok_or_else(|| Trouble::new(REASON, format!("The class {class} has no plan {}.", name.text())))
}
