//! What else wakes a binding: its Secret, and its instance.

use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::Controller;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};

use super::content::WATCHED;
use crate::kubernetes::api::{ConditionType, Conditions, ServiceBinding, ServiceInstance};

/// Adds the watches. Of Secrets only those with our label are watched, and of nothing the content.
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
    let bindings = controller.store();
    controller.owns(secrets, ours).watches(instances, watcher::Config::default(), move |instance| {
        let (namespace, name) = (instance.namespace(), instance.name_any());
        // One that is ready needs nothing of its instance.
        let waits = |binding: &ServiceBinding| {
            binding.namespace() == namespace
                && binding.spec.instance_ref.name == name
                && !binding.status.as_ref().is_some_and(|status| status.holds(ConditionType::Ready))
        };
        let waiting = bindings.state_filter(waits);
        waiting.iter().map(|binding| ObjectRef::from_obj(&**binding)).collect::<Vec<_>>()
    })
}
