//! What else wakes an instance: the Secrets that its parameters come from.

use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::Controller;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};

use crate::kubernetes::api::ServiceInstance;
use crate::kubernetes::names::NO_PARAMETERS;

/// Adds the watch. A user's Secret has no label of ours, so all are watched; but only their names are kept, and only for as
/// long as it takes to look whether an instance refers to one.
pub fn watching(
    controller: Controller<ServiceInstance>,
    client: &Client,
    namespace: Option<&str>,
) -> Controller<ServiceInstance> {
    let secrets: Api<PartialObjectMeta<Secret>> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let instances = controller.store();
    controller.watches(secrets, watcher::Config::default().fields(NO_PARAMETERS), move |secret| {
        let (namespace, name) = (secret.namespace(), secret.name_any());
        let refers = |instance: &ServiceInstance| {
            let mut sources = instance.spec.parameters_from.iter().filter_map(|from| from.secret_key_ref.as_ref());
            instance.metadata.namespace == namespace && sources.any(|source| source.name == name)
        };
        let concerned = instances.state_filter(refers);
        concerned.iter().map(|instance| ObjectRef::from_obj(&**instance)).collect::<Vec<_>>()
    })
}
