//! Instances as a user has them: ordered, changed, deleted.

use std::time::Duration;

use chandlery::kubernetes::api::{
    ClusterServiceBroker, ConditionStatus, ConditionType, Conditions, DeprovisionStatus, ProvisionStatus,
    ServiceBinding, ServiceBroker, ServiceInstance,
};
use http::Method;
use kube::api::PostParams;
use serde_json::json;

use super::broker::{FakeBroker, service};
use super::shop::{Shop, says};
use super::world::{World, gone, until};

#[tokio::test(flavor = "multi_thread")]
async fn svcat_provisions_touches_changes_the_plan_and_deprovisions() {
    let Some(world) = World::shared().await else { return };
    let suffix = World::unique();
    let broker = FakeBroker::start(json!({"services": [service("db", &suffix, &["small", "large"])]})).await;
    let name = format!("broker-{suffix}");
    world.svcat(&["register", &name, "--url", &broker.url, "--scope=cluster", "--wait"]).expect();
    let class = format!("db-{suffix}");
    let instances = world.here::<ServiceInstance>();

    let order =
        ["provision", "mine", "--class", &class, "--plan", "small", "-p", "size=2", "--wait", "--interval", "100ms"];
    let said = world.svcat(&order).expect();
    assert!(said.contains("Ready") && said.contains("https://dashboard.example"), "{said}");
    let put = broker.heard(Method::PUT, "/v2/service_instances/");
    let instance = instances.get("mine").await.unwrap();
    assert_eq!(put.len(), 1);
    assert_eq!(put[0].path, format!("/v2/service_instances/{}?accepts_incomplete=true", instance.spec.external_id));
    let body = &put[0].body;
    assert_eq!((&body["service_id"], &body["plan_id"]), (&json!(class), &json!(format!("db-small-{suffix}"))));
    assert_eq!(body["parameters"], json!({"size": "2"}));
    let context = &body["context"];
    assert_eq!((&context["platform"], &context["namespace"]), (&json!("kubernetes"), &json!(world.namespace)));
    assert_eq!((&context["instance_name"], &context["clusterid"]), (&json!("mine"), &body["organization_guid"]));
    assert!(body["space_guid"].as_str().is_some_and(|uid| uid.len() == 36), "{body}");

    let status = instance.status.unwrap();
    assert_eq!(says(&status, ConditionType::Ready), Some((ConditionStatus::True, "ProvisionedSuccessfully")));
    assert_eq!(status.provision_status, ProvisionStatus::Provisioned);
    assert_eq!(status.deprovision_status, DeprovisionStatus::Required);
    assert_eq!(Some(status.observed_generation), instance.metadata.generation);
    assert_eq!((status.in_progress_properties, status.operation_start_time), (None, None));
    assert_eq!(status.user_specified_class_name, format!("ClusterServiceClass/{class}"));
    let said = world.kubectl(&["get", "serviceinstances"]).expect();
    assert!(said.contains(&class) && said.contains("small") && said.contains("Ready"), "{said}");
    let plan = format!("{class}/small");
    let said = world.svcat(&["describe", "plan", &plan, "--scope=cluster"]).expect();
    assert!(said.contains("mine"), "{said}");

    world.svcat(&["touch", "instance", "mine"]).expect();
    until(&instances, "mine", |_| !broker.heard(Method::PATCH, "").is_empty()).await;
    let touched = broker.heard(Method::PATCH, "")[0].body.clone();
    assert_eq!((touched.get("plan_id"), touched.get("parameters")), (None, None));
    let previous = json!({"service_id": class, "plan_id": format!("db-small-{suffix}")});
    assert_eq!(touched["previous_values"], previous);

    let patch = json!({"spec": {"clusterServicePlanName": format!("db-large-{suffix}")}}).to_string();
    world.kubectl(&["patch", "serviceinstance", "mine", "--type=merge", "-p", &patch]).expect();
    until(&instances, "mine", |instance| {
        let status = instance.status.as_ref().unwrap();
        status.user_specified_plan_name == "large" && status.holds(ConditionType::Ready)
    })
    .await;
    let changes = broker.heard(Method::PATCH, "");
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert_eq!(changes[1].body["plan_id"], json!(format!("db-large-{suffix}")));
    assert_eq!((changes[1].body.get("parameters"), &changes[1].body["previous_values"]), (None, &previous));

    let said = world.svcat(&["deprovision", "mine", "--wait", "--interval", "100ms"]).expect();
    assert!(said.contains("deleted"), "{said}");
    let deleted = broker.heard(Method::DELETE, "/v2/service_instances/");
    assert_eq!(deleted.len(), 1);
    assert!(deleted[0].path.contains(&format!("plan_id=db-large-{suffix}")), "{}", deleted[0].path);
    assert!(deleted[0].path.contains("accepts_incomplete=true"), "{}", deleted[0].path);
    world.svcat(&["deregister", &name, "--scope", "cluster"]).expect();
    gone(&world.everywhere::<ClusterServiceBroker>(), &name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_that_take_time_are_polled_to_their_end() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    shop.answers(Method::PUT, 1, 202, json!({"operation": "a b", "dashboard_url": "https://early.example"}));
    shop.polls(2, 200, json!({"state": "in progress", "description": "half way"}));
    shop.order("slow", json!({})).await;
    let going = shop.until("slow", |status| status.async_op_in_progress).await.status.unwrap();
    assert_eq!(says(&going, ConditionType::Ready), Some((ConditionStatus::False, "Provisioning")));
    assert_eq!(going.last_operation.as_deref(), Some("a b"));
    let ready = shop.ready("slow").await.status.unwrap();
    assert!(!ready.async_op_in_progress && ready.last_operation.is_none() && ready.retry.is_none());
    assert_eq!(ready.dashboard_url.as_deref(), Some("https://early.example"));
    let polls = shop.broker.heard(Method::GET, "last_operation");
    assert_eq!(polls.len(), 3);
    assert!(polls[0].path.contains("operation=a%20b") && polls[0].path.contains(&shop.plan("small")));

    shop.answers(Method::PATCH, 1, 202, json!({}));
    shop.change("slow", json!({"parameters": {"size": 3}, "servicePlanExternalName": "large"})).await;
    let updated = shop.ready("slow").await.status.unwrap();
    assert_eq!(says(&updated, ConditionType::Ready), Some((ConditionStatus::True, "InstanceUpdatedSuccessfully")));
    assert_eq!(updated.external_properties.unwrap().service_plan_external_name, "large");
    let change = shop.heard(Method::PATCH)[0].body.clone();
    assert_eq!((&change["plan_id"], &change["parameters"]), (&json!(shop.plan("large")), &json!({"size": 3})));
    assert_eq!(change["previous_values"]["plan_id"], json!(shop.plan("small")));

    shop.answers(Method::DELETE, 1, 202, json!({"operation": "bye"}));
    shop.polls(1, 200, json!({"state": "in progress"}));
    shop.polls(1, 410, json!({}));
    shop.delete("slow").await;
    shop.gone("slow").await;
    assert_eq!(shop.heard(Method::DELETE).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_inside_a_secret_is_an_update_and_its_content_is_nowhere() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    let from = json!([{"secretKeyRef": {"name": "more", "key": "json"}}]);
    shop.order("i", json!({"parameters": {"size": 1}, "parametersFrom": from})).await;
    let lacks = shop.reason("i", "ErrorWithParameters").await;
    assert!(lacks.conditions[0].message.contains("more"), "{lacks:?}");
    assert!(shop.heard(Method::PUT).is_empty());
    world.secret("more", &[("json", r#"{"password":"hunter2"}"#)]).await;
    let ready = shop.ready("i").await;
    assert_eq!(shop.heard(Method::PUT)[0].body["parameters"], json!({"size": 1, "password": "hunter2"}));
    let shown = ready.status.as_ref().unwrap().external_properties.as_ref().unwrap().parameters.as_ref().unwrap();
    assert_eq!(json!(shown), json!({"size": 1, "password": "<redacted>"}));
    assert!(!serde_json::to_string(&ready).unwrap().contains("hunter2"));

    shop.answers(Method::PATCH, 1, 400, json!({"description": "the password swordfish is too short"}));
    world.secret("more", &[("json", r#"{"password":"swordfish"}"#)]).await;
    let failed = shop.until("i", |status| status.holds(ConditionType::Failed)).await;
    assert!(!serde_json::to_string(&failed).unwrap().contains("swordfish"), "{failed:?}");
    world.secret("more", &[("json", r#"{"password":"correct horse"}"#)]).await;
    shop.until("i", |status| status.holds(ConditionType::Ready)).await;
    let patched = shop.heard(Method::PATCH);
    assert_eq!(patched.len(), 2);
    assert_eq!(patched[1].body["parameters"], json!({"size": 1, "password": "correct horse"}));

    shop.change("i", json!({"parameters": {"size": 1, "password": "mine"}})).await;
    let twice = shop.reason("i", "ErrorWithParameters").await;
    assert!(twice.conditions[0].message.contains("more than once"), "{twice:?}");
    let events = world.kubectl(&["get", "events", "-o", "json"]).expect();
    for secret in ["hunter2", "swordfish", "correct horse"] {
        assert!(!events.contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_taken_away_is_unset_or_said_to_stay() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::with(&world, |offering| {
        let schema = json!({"parameters": {"type": "object", "properties": {
            "free": {"type": ["string", "null"]}, "bound": {"type": "string"}, "size": {"type": "integer"},
        }}});
        offering["plans"][0]["schemas"]["service_instance"]["update"] = schema;
    })
    .await;
    shop.order("i", json!({"parameters": {"size": 1, "free": "a", "bound": "b"}})).await;
    shop.ready("i").await;
    let generation = shop.change("i", json!({"parameters": {"size": 1, "free": null, "bound": null}})).await;
    let ready = shop.ready("i").await;
    assert_eq!(shop.heard(Method::PATCH)[0].body["parameters"], json!({"size": 1, "free": null}));
    let message = &ready.status.unwrap().conditions[0].message;
    assert!(message.contains("bound was taken out") && message.contains("cannot be unset"), "{message}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let still = shop.instances().get("i").await.unwrap();
    assert_eq!((shop.heard(Method::PATCH).len(), still.metadata.generation), (1, Some(generation)));
    assert_eq!(still.metadata.resource_version, ready.metadata.resource_version, "it rests");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_plan_is_the_default_and_defaults_are_merged_once() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::with(&world, |offering| {
        offering["plans"].as_array_mut().unwrap().truncate(1);
    })
    .await;
    let patch = json!({"spec": {"defaultProvisionParameters": {"size": 1, "color": "red"}}}).to_string();
    world.kubectl(&["patch", "serviceclass", &shop.class, "--type=merge", "-p", &patch]).expect();
    let patch = json!({"spec": {"defaultProvisionParameters": {"color": "blue"}}}).to_string();
    world.kubectl(&["patch", "serviceplan", &shop.plan("small"), "--type=merge", "-p", &patch]).expect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    shop.order("i", json!({"servicePlanExternalName": null, "parameters": {"size": 2}})).await;
    let ready = shop.ready("i").await;
    assert_eq!(shop.heard(Method::PUT)[0].body["parameters"], json!({"size": 2, "color": "blue"}));
    assert_eq!(ready.spec.choice.service_plan_external_name.as_deref(), Some("small"));
    assert_eq!(json!(ready.spec.parameters), json!({"size": 2}), "the spec is the user's");
    let status = ready.status.unwrap();
    assert_eq!(json!(status.default_provision_parameters), json!({"size": 1, "color": "blue"}));
    assert_eq!(ready.metadata.labels.unwrap()["servicecatalog.k8s.io/spec.servicePlanRef.name"], shop.plan("small"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_offered_is_named() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    shop.order("class", json!({"serviceClassExternalName": "nothing"})).await;
    shop.order("plan", json!({"servicePlanExternalName": "huge"})).await;
    shop.order("which", json!({"servicePlanExternalName": null})).await;
    shop.reason("class", "ReferencesNonexistentServiceClass").await;
    shop.reason("plan", "ReferencesNonexistentServicePlan").await;
    let which = shop.reason("which", "ReferencesNonexistentServicePlan").await;
    let message = &which.conditions[0].message;
    assert!(message.contains("more than one plan") && message.contains("small"), "{message}");
    shop.change("plan", json!({"servicePlanExternalName": "large"})).await;
    shop.ready("plan").await;
    for name in ["class", "plan", "which"] {
        shop.delete(name).await;
        shop.gone(name).await;
    }
    assert_eq!((shop.heard(Method::PUT).len(), shop.heard(Method::DELETE).len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_cannot_be_left_is_kept() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::with(&world, |offering| offering["plan_updateable"] = json!(false)).await;
    shop.order("i", json!({})).await;
    shop.ready("i").await;
    shop.change("i", json!({"servicePlanExternalName": "large"})).await;
    let failed = shop.until("i", |status| status.holds(ConditionType::Failed)).await;
    assert_eq!(failed.spec.service_plan_ref.unwrap().name, shop.plan("small"));
    assert_eq!(failed.status.unwrap().conditions[0].reason, "PlanChangeNotSupported");
    shop.change("i", json!({"servicePlanExternalName": "small"})).await;
    shop.ready("i").await;
    assert!(shop.heard(Method::PATCH).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_instance_is_left_at_the_broker() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    shop.order("i", json!({})).await;
    shop.ready("i").await;
    world.svcat(&["deprovision", "i", "--abandon", "-y"]).expect();
    shop.gone("i").await;
    assert!(shop.heard(Method::DELETE).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_outlives_its_broker_and_names_what_it_waits_for() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    shop.order("i", json!({})).await;
    shop.ready("i").await;
    world.kubectl(&["annotate", "servicebroker", "b", "chandlery.dev/force-delete=true"]).expect();
    world.svcat(&["deregister", "b"]).expect();
    gone(&world.here::<chandlery::kubernetes::api::ServiceBroker>(), "b").await;
    shop.delete("i").await;
    let waits = shop.reason("i", "ReferencesNonexistentBroker").await;
    assert!(waits.conditions[0].message.contains("--abandon"), "{waits:?}");
    world.svcat(&["register", "b", "--url", &shop.broker.url]).expect();
    shop.gone("i").await;
    assert_eq!(shop.heard(Method::DELETE).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_users_name_reaches_the_broker_after_the_controllers_own_writes() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    shop.order("i", json!({"userInfo": {"username": "alice", "uid": "1", "groups": ["dev"]}})).await;
    let ready = shop.ready("i").await;
    assert_eq!(ready.spec.user_info.unwrap().username, "alice");
    let header = shop.heard(Method::PUT)[0].headers["x-broker-api-originating-identity"].clone();
    let identity = chandlery::osb::OriginatingIdentity::parse(header.to_str().unwrap()).unwrap();
    assert_eq!(identity.platform, "kubernetes");
    assert_eq!(json!(identity.value), json!({"username": "alice", "uid": "1", "groups": ["dev"]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn bindings_go_before_their_instance_and_are_named() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    shop.order("i", json!({})).await;
    shop.ready("i").await;
    let binding = json!({
        "apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": "ServiceBinding",
        "metadata": {"name": "held", "finalizers": ["example.com/holds"]}, "spec": {"instanceRef": {"name": "i"}},
    });
    let bindings = world.here::<ServiceBinding>();
    bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
    shop.delete("i").await;
    let waits = shop.reason("i", "ServiceBindingsDeletion").await;
    assert!(waits.conditions[0].message.contains("held"), "{waits:?}");
    assert!(shop.heard(Method::DELETE).iter().all(|heard| heard.path.contains("service_bindings")));
    let patch = r#"{"metadata": {"finalizers": null}}"#;
    world.kubectl(&["patch", "servicebinding", "held", "--type=merge", "-p", patch]).expect();
    shop.gone("i").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_stays_for_its_instances_also_when_their_class_has_gone() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    shop.order("i", json!({})).await;
    shop.ready("i").await;
    // As when a namespace is deleted: classes go at once.
    world.kubectl(&["delete", "serviceclasses,serviceplans", "--all", "--namespace", &world.namespace]).expect();
    world.kubectl(&["delete", "servicebroker", "b", "--namespace", &world.namespace, "--wait=false"]).expect();
    let brokers = world.here::<ServiceBroker>();
    let waits = |broker: &ServiceBroker| {
        broker.status.as_ref().is_some_and(|status| status.last_condition_state == "InstancesExist")
    };
    until(&brokers, "b", waits).await;
    shop.delete("i").await;
    gone(&brokers, "b").await;
    assert_eq!(shop.heard(Method::DELETE).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_goes_with_its_broker_and_its_instances() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    shop.order("i", json!({})).await;
    shop.ready("i").await;
    world.kubectl(&["delete", "namespace", &world.namespace, "--wait=false"]).expect();
    gone(&world.everywhere::<k8s_openapi::api::core::v1::Namespace>(), &world.namespace).await;
    assert_eq!(shop.heard(Method::DELETE).len(), 1);
}
