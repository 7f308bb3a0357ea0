//! Objects as Service Catalog left them, statuses and all, are taken over in place: nothing is ordered again, and what a user
//! wants of them next works. (docs/MIGRATION.md)

use std::time::Duration;

use chandlery::kubernetes::api::{
    ConditionStatus, ConditionType, Conditions, ServiceBinding, ServiceBroker, ServiceClass, ServiceInstance,
    ServicePlan,
};
use http::Method;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::bindings::data;
use super::broker::FakeBroker;
use super::shop::says;
use super::world::{World, gone, until};

const FINALIZER: &str = "kubernetes-incubator/service-catalog";

/// SHA-224 of `db`, by which Service Catalog labelled its classes.
const DB: &str = "a9759675c5b45fea42d2d43a1d29e47595c80667e98d6dbbb21bc24a";

/// SHA-256 of `{"size":1}`, as Service Catalog wrote it down.
const SIZE_1: &str = "fe36923e15fedd49a241f76219620a46e7bd8bfb6f17ddeffe18b0299b8b1028";

/// Puts an object there with its status, as a copy of the cluster's storage would have it.
async fn left<K>(api: &Api<K>, kind: &str, metadata: Value, spec: Value, status: Value) -> K
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Serialize,
{
    let object =
        json!({"apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": kind, "metadata": metadata, "spec": spec});
    let made = api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    let name = made.name_any();
    if status.is_null() {
        return made;
    }
    api.patch_status(&name, &PatchParams::default(), &Patch::Merge(json!({"status": status}))).await.unwrap()
}

fn conditions(all: &[(&str, &str, &str)]) -> Value {
    let time = "2021-01-01T00:00:00Z";
    all.iter()
        .map(|(type_, status, reason)| {
            json!({"type": type_, "status": status, "reason": reason, "message": "As it was.", "lastTransitionTime": time})
        })
        .collect()
}

/// What Service Catalog wrote of an instance that is ready.
fn ready() -> Value {
    json!({
        "conditions": conditions(&[("Ready", "True", "ProvisionedSuccessfully")]), "lastConditionState": "Ready",
        "asyncOpInProgress": false, "orphanMitigationInProgress": false, "reconciledGeneration": 1, "observedGeneration": 1,
        "provisionStatus": "Provisioned", "deprovisionStatus": "Required", "dashboardURL": "https://dashboard.example/old",
        "userSpecifiedPlanName": "small", "userSpecifiedClassName": "ServiceClass/db",
        "externalProperties": {
            "clusterServicePlanExternalName": "", "clusterServicePlanExternalID": "",
            "servicePlanExternalName": "small", "servicePlanExternalID": "small-id",
            "parameters": {"size": 1}, "parameterChecksum": SIZE_1,
            "userInfo": {"username": "alice", "uid": "1", "groups": ["system:authenticated"]},
        },
    })
}

/// As [`ready`], with other fields.
fn but(fields: Value) -> Value {
    let mut status = ready();
    status.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    status
}

struct Old {
    world: World,
    broker: FakeBroker,
}

impl Old {
    async fn catalog(&self) {
        let managed = |owner: &ServiceBroker| {
            json!([{"apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": "ServiceBroker", "name": "old",
                    "uid": owner.metadata.uid, "controller": true, "blockOwnerDeletion": false}])
        };
        let retrieved = jiff::Timestamp::now().to_string();
        let broker = left(
            &self.world.here::<ServiceBroker>(),
            "ServiceBroker",
            json!({"name": "old", "finalizers": [FINALIZER]}),
            json!({"url": self.broker.url, "relistBehavior": "Duration", "relistRequests": 0}),
            json!({"conditions": conditions(&[("Ready", "True", "FetchedCatalog")]), "reconciledGeneration": 1,
                   "lastCatalogRetrievalTime": retrieved, "lastConditionState": "Ready"}),
        )
        .await;
        let labels =
            json!({"servicecatalog.k8s.io/spec.externalName": DB, "servicecatalog.k8s.io/spec.externalID": DB});
        left(
            &self.world.here::<ServiceClass>(),
            "ServiceClass",
            json!({"name": "db-id", "labels": labels, "ownerReferences": managed(&broker)}),
            json!({"externalName": "db", "externalID": "db-id", "description": "A database", "bindable": true,
                   "bindingRetrievable": false, "planUpdatable": true, "serviceBrokerName": "old"}),
            json!({"removedFromBrokerCatalog": false}),
        )
        .await;
        for plan in ["small", "large"] {
            left(
                &self.world.here::<ServicePlan>(),
                "ServicePlan",
                json!({"name": format!("{plan}-id"), "ownerReferences": managed(&broker)}),
                json!({"externalName": plan, "externalID": format!("{plan}-id"), "description": "A plan", "free": true,
                       "serviceBrokerName": "old", "serviceClassRef": {"name": "db-id"}}),
                json!({"removedFromBrokerCatalog": false}),
            )
            .await;
        }
    }

    async fn instance(&self, name: &str, status: Value) -> ServiceInstance {
        left(
            &self.world.here::<ServiceInstance>(),
            "ServiceInstance",
            json!({"name": name, "finalizers": [FINALIZER]}),
            json!({"serviceClassExternalName": "db", "servicePlanExternalName": "small",
                   "serviceClassRef": {"name": "db-id"}, "servicePlanRef": {"name": "small-id"},
                   "externalID": format!("id-of-{name}"), "parameters": {"size": 1}, "updateRequests": 0,
                   "userInfo": {"username": "alice", "uid": "1", "groups": ["system:authenticated"]}}),
            status,
        )
        .await
    }

    async fn binding(&self) {
        let binding: ServiceBinding = left(
            &self.world.here::<ServiceBinding>(),
            "ServiceBinding",
            json!({"name": "key", "finalizers": [FINALIZER]}),
            json!({"instanceRef": {"name": "db"}, "externalID": "id-of-key", "secretName": "key",
                   "userInfo": {"username": "alice", "uid": "1", "groups": []}}),
            json!({"conditions": conditions(&[("Ready", "True", "InjectedBindResult")]), "lastConditionState": "Ready",
                   "asyncOpInProgress": false, "orphanMitigationInProgress": false, "reconciledGeneration": 1,
                   "unbindStatus": "Required", "externalProperties": {}}),
        )
        .await;
        self.world.secret("key", &[("password", "from-long-ago")]).await;
        let owner = json!([{"apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": "ServiceBinding", "name": "key",
                            "uid": binding.metadata.uid, "controller": true, "blockOwnerDeletion": true}]);
        let owned = Patch::Merge(json!({"metadata": {"ownerReferences": owner}}));
        self.world.here::<Secret>().patch("key", &PatchParams::default(), &owned).await.unwrap();
    }

    fn ordered(&self) -> Vec<String> {
        [Method::PUT, Method::PATCH, Method::DELETE]
            .into_iter()
            .flat_map(|method| self.broker.heard(method, "/v2/"))
            .map(|heard| format!("{} {}", heard.method, heard.path))
            .collect()
    }
}

fn catalog() -> Value {
    let plan = |name: &str| json!({"id": format!("{name}-id"), "name": name, "description": "A plan", "free": true});
    json!({"services": [{"id": "db-id", "name": "db", "description": "A database", "bindable": true,
                         "plan_updateable": true, "plans": [plan("small"), plan("large")]}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_service_catalog_left_is_taken_over_and_nothing_is_ordered_again() {
    let Some(world) = World::own().await else { return };
    let old = Old { broker: FakeBroker::start(catalog()).await, world };
    let instances = old.world.here::<ServiceInstance>();
    old.catalog().await;
    let before = old.instance("db", ready()).await;
    old.binding().await;
    // It was being made when Service Catalog was stopped.
    let making = json!({
        "conditions": conditions(&[("Ready", "False", "Provisioning")]), "lastConditionState": "Provisioning",
        "asyncOpInProgress": true, "lastOperation": "op-1", "currentOperation": "Provision",
        "operationStartTime": jiff::Timestamp::now().to_string(), "provisionStatus": "NotProvisioned",
        "externalProperties": null, "inProgressProperties": ready()["externalProperties"],
    });
    old.instance("making", but(making)).await;
    // The broker had refused it for good.
    let refused =
        [("Ready", "False", "ProvisionCallFailed"), ("Failed", "True", "ClusterServiceBrokerReturnedFailure")];
    let refused = json!({
        "conditions": conditions(&refused), "lastConditionState": "Failed", "provisionStatus": "NotProvisioned",
        "deprovisionStatus": "NotRequired", "externalProperties": null,
    });
    old.instance("refused", but(refused)).await;
    // Service Catalog had given up deleting it, for ever (D5).
    let stuck = [("Ready", "Unknown", "DeprovisionCallFailed"), ("Failed", "True", "ErrorReconciliationRetryTimeout")];
    let stuck = json!({
        "conditions": conditions(&stuck), "lastConditionState": "Failed", "deprovisionStatus": "Failed",
    });
    old.instance("stuck", but(stuck)).await;
    instances.delete("stuck", &DeleteParams::default()).await.unwrap();

    let running = old.world.start(&["--allow-local-brokers", "--cluster-id", "the-old-id"]).await;
    gone(&instances, "stuck").await;
    let is_ready =
        |instance: &ServiceInstance| instance.status.as_ref().is_some_and(|status| status.holds(ConditionType::Ready));
    until(&instances, "making", is_ready).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(
        old.ordered(),
        ["DELETE /v2/service_instances/id-of-stuck?accepts_incomplete=true&service_id=db-id&plan_id=small-id"]
    );
    let polled = old.broker.heard(Method::GET, "/last_operation");
    assert!(polled.len() == 1 && polled[0].path.contains("operation=op-1"), "{polled:?}");
    let now = instances.get("db").await.unwrap();
    assert_eq!((&now.spec, now.metadata.generation), (&before.spec, before.metadata.generation));
    let status = now.status.unwrap();
    assert_eq!(says(&status, ConditionType::Ready), Some((ConditionStatus::True, "ProvisionedSuccessfully")));
    assert_eq!(status.external_properties, before.status.unwrap().external_properties);
    let refused = instances.get("refused").await.unwrap().status.unwrap();
    assert!(refused.holds(ConditionType::Failed), "{refused:?}");
    let secret = old.world.here::<Secret>().get("key").await.unwrap();
    assert_eq!(data(&secret)["password"], "from-long-ago");
    let shown = old.world.svcat(&["describe", "binding", "key", "--show-secrets"]).expect();
    assert!(shown.contains("from-long-ago") && shown.contains("Ready"), "{shown}");

    // And now what a user wants of them.
    let change = Patch::Merge(json!({"spec": {"parameters": {"size": 2}, "servicePlanExternalName": "large"}}));
    instances.patch("db", &PatchParams::default(), &change).await.unwrap();
    until(&instances, "db", |instance| {
        is_ready(instance)
            && Some(instance.status.as_ref().unwrap().observed_generation) == instance.metadata.generation
    })
    .await;
    let patched = old.broker.heard(Method::PATCH, "/v2/service_instances/id-of-db");
    let body = &patched[0].body;
    assert_eq!((patched.len(), &body["plan_id"], &body["parameters"]), (1, &json!("large-id"), &json!({"size": 2})));
    assert_eq!(body["previous_values"]["plan_id"], "small-id");
    assert_eq!(body["context"]["clusterid"], "the-old-id");
    old.world.svcat(&["unbind", "--name", "key"]).expect();
    gone(&old.world.here::<ServiceBinding>(), "key").await;
    gone(&old.world.here::<Secret>(), "key").await;
    for name in ["db", "making", "refused"] {
        old.world.svcat(&["deprovision", name, "-y"]).expect();
        gone(&instances, name).await;
    }
    old.world.svcat(&["deregister", "old"]).expect();
    gone(&old.world.here::<ServiceBroker>(), "old").await;
    let orders = old.ordered();
    let deleted: Vec<_> = orders.iter().filter(|order| order.starts_with("DELETE")).collect();
    assert_eq!(deleted.len(), 4, "stuck, the binding, db, making: {orders:#?}");
    assert!(!orders.iter().any(|order| order.starts_with("PUT")), "{orders:#?}");
    running.stop().await;
}
