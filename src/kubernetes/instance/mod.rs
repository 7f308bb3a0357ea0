//! Instances: provision, update, deprovision.
//!
//! What this module guarantees:
//! - what is about to be sent is in the status before it is sent; a controller that ends at any point is followed by one
//!   that goes on from there, and nothing is provisioned twice;
//! - what a failed attempt may have left at the broker is deleted as the protocol says, and nothing else ever is: not an
//!   instance that was ready once, and not one whose id the user gave, which may have been there before;
//! - a user who deletes an instance gets rid of it: no failure is the last, each wait names its reason;
//! - a spec that is reached is left alone: no request, no write. What cannot be reached is said once;
//! - no value from a Secret is in a condition, an event or a log.
//!
//! | file | what |
//! |---|---|
//! | `step` | what to do next, from the object alone |
//! | `refs`, `unset`, `work` | what the user wants, and whether the broker must be asked for it |
//! | `begin`, `answer`, `ending`, `poll`, `failure` | what a request and its answer mean for the status |
//! | `request` | what is sent |
//! | `turn`, `ask`, `delete` | the effects: read, call, write |
//! | `watch` | what else wakes an instance |

mod answer;
mod ask;
mod begin;
mod delete;
mod ending;
mod failure;
mod poll;
mod refs;
mod request;
mod step;
mod turn;
mod unset;
mod watch;
mod work;

pub use turn::reconcile;
pub use watch::watching;

use kube::ResourceExt;

use super::api::ServiceInstance;
use super::names::label_key;

/// The annotation of an instance whose id at the broker we made: nothing of that id was there before.
const GENERATED: &str = "chandlery.dev/external-id-generated";

/// The longest value of a label.
const LABEL: usize = 63;

/// Reasons that tell of nothing wrong.
const PROGRESS: [&str; 12] = [
    "ProvisionRequestInFlight",
    "Provisioning",
    "UpdateInstanceRequestInFlight",
    "UpdatingInstance",
    "DeprovisionRequestInFlight",
    "Deprovisioning",
    "DeprovisionedSuccessfully",
    "OrphanMitigationSuccessful",
    "ServiceBindingsDeletion",
    "DeprovisionWaitsForOperation",
    "ProvisionedSuccessfully",
    "InstanceUpdatedSuccessfully",
];

/// Sets the labels by which `svcat describe plan` finds the instances of a plan: by the plain name of the plan, and in both
/// scopes by the key of the cluster's.
fn label(instance: &mut ServiceInstance) {
    let spec = &instance.spec;
    let (cluster, namespaced) = (spec.cluster_service_plan_ref.clone(), spec.service_plan_ref.clone());
    let keys: &[&str] = if cluster.is_some() {
        &["spec.clusterServicePlanRef.name"]
    } else {
        &["spec.clusterServicePlanRef.name", "spec.servicePlanRef.name"]
    };
    let plan = cluster.or(namespaced).map(|plan| plan.name).filter(|name| name.len() <= LABEL);
    for (key, plan) in keys.iter().zip(plan.iter().cycle()) {
        instance.labels_mut().insert(label_key(key), plan.clone());
    }
}
