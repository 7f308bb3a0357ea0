//! What else wakes a binding: its Secret, its instance, and the Secrets that its parameters come from.

use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::Controller;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};

use super::content::WATCHED;
use crate::kubernetes::api::{ConditionType, Conditions, ServiceBinding, ServiceInstance};
use crate::kubernetes::names::NO_PARAMETERS;

/// Adds the watches, of no Secret's content. Of bindings' own Secrets only those with our label are watched.
pub fn watching(
    controller: Controller<ServiceBinding>,
    client: &Client,
    namespace: Option<&str>,
) -> Controller<ServiceBinding> {
    let secrets: Api<Secret> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let ours = watcher::Config::default().labels(&format!("{}={}", WATCHED.0, WATCHED.1));
    let instances: Api<PartialObjectMeta<ServiceInstance>> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let sources: Api<PartialObjectMeta<Secret>> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let (bindings, also) = (controller.store(), controller.store());
    let controller = controller.owns(secrets, ours);
    let controller = controller.watches(instances, watcher::Config::default(), move |instance| {
        let (namespace, name) = (instance.namespace(), instance.name_any());
        waiting(&bindings, |binding| binding.namespace() == namespace && binding.spec.instance_ref.name == name)
    });
    controller.watches(sources, watcher::Config::default().fields(NO_PARAMETERS), move |secret| {
        let (namespace, name) = (secret.namespace(), secret.name_any());
        waiting(&also, |binding| {
            let mut sources = binding.spec.parameters_from.iter().filter_map(|from| from.secret_key_ref.as_ref());
            binding.namespace() == namespace && sources.any(|source| source.name == name)
        })
    })
}

/// Those among them that are not ready: one that is needs nothing more.
fn waiting(
    bindings: &Store<ServiceBinding>,
    concerned: impl Fn(&ServiceBinding) -> bool,
) -> Vec<ObjectRef<ServiceBinding>> {
    let is_ready =
        |binding: &ServiceBinding| binding.status.as_ref().is_some_and(|status| status.holds(ConditionType::Ready));
    let waiting = bindings.state_filter(|binding| concerned(binding) && !is_ready(binding));
    waiting.iter().map(|binding| ObjectRef::from_obj(&**binding)).collect()
}
