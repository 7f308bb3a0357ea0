//! Instances as a user has them: ordered, changed, deleted.

use chandlery::kubernetes::api::{
    ClusterServiceBroker, ConditionStatus, ConditionType, Conditions, DeprovisionStatus, ProvisionStatus, ServiceInstance,
};
use http::Method;
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

    let order = ["provision", "mine", "--class", &class, "--plan", "small", "-p", "size=2", "--wait", "--interval", "100ms"];
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
