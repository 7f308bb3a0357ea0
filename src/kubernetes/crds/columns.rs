//! What `kubectl get` shows of each kind, as Service Catalog had it.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition;

/// The columns of a kind after its name.
pub fn columns(kind: &str) -> Vec<CustomResourceColumnDefinition> {
    const STATUS: (&str, &str) = ("Status", ".status.lastConditionState");
    const EXTERNAL_NAME: (&str, &str) = ("External-Name", ".spec.externalName");
    const CLUSTER_BROKER: (&str, &str) = ("Broker", ".spec.clusterServiceBrokerName");
    const BROKER: (&str, &str) = ("Broker", ".spec.serviceBrokerName");
    let columns: &[(&str, &str)] = match kind {
        "ClusterServiceBroker" | "ServiceBroker" => &[("URL", ".spec.url"), STATUS],
        "ClusterServiceClass" => &[EXTERNAL_NAME, CLUSTER_BROKER],
        "ServiceClass" => &[EXTERNAL_NAME, BROKER],
        "ClusterServicePlan" => &[EXTERNAL_NAME, CLUSTER_BROKER, ("Class", ".spec.clusterServiceClassRef.name")],
        "ServicePlan" => &[EXTERNAL_NAME, BROKER, ("Class", ".spec.serviceClassRef.name")],
        "ServiceInstance" => {
            &[("Class", ".status.userSpecifiedClassName"), ("Plan", ".status.userSpecifiedPlanName"), STATUS]
        }
        "ServiceBinding" => {
            &[("Service-Instance", ".spec.instanceRef.name"), ("Secret-Name", ".spec.secretName"), STATUS]
        }
        _ => &[],
    };
    let column = |name: &str, type_: &str, path: &str| CustomResourceColumnDefinition {
        name: name.to_owned(),
        type_: type_.to_owned(),
        json_path: path.to_owned(),
        ..CustomResourceColumnDefinition::default()
    };
    let mut all: Vec<_> = columns.iter().map(|(name, path)| column(name, "string", path)).collect();
    all.push(column("Age", "date", ".metadata.creationTimestamp"));
    all
}
