//! What becomes of classes and plans when catalogs change.

use chandlery::kubernetes::api::{
    ConditionType, Conditions, ServiceBroker, ServiceClass, ServiceInstance, ServicePlan,
};
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::broker::{FakeBroker, service};
use super::world::{World, gone, labelled, until};

async fn register(world: &World, broker: &FakeBroker) -> ServiceBroker {
    world.svcat(&["register", "b", "--url", &broker.url]).expect();
    until(&world.here::<ServiceBroker>(), "b", |broker| {
        broker.status.as_ref().is_some_and(|status| status.holds(ConditionType::Ready))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_service_is_named_and_the_others_are_there() {
    let Some(world) = World::shared().await else { return };
    let suffix = World::unique();
    let (mut mute, mut odd) = (service("mute", &suffix, &["small"]), service("odd", &suffix, &["small"]));
    (mute["description"], odd["plans"]) = (json!(""), json!("none"));
    let broker = FakeBroker::start(json!({"services": [mute, odd, service("good", &suffix, &["small"])]})).await;
    let ready = register(&world, &broker).await.status.unwrap();
    let message = &ready.conditions[0].message;
    assert!(message.contains("mute-") && message.contains("description is empty"), "{message}");
    assert!(message.contains("odd-") && message.contains("plans is not as it should be"), "{message}");
    let class = world.here::<ServiceClass>().get(&format!("good-{suffix}")).await.unwrap();
    assert_eq!(class.labels().len(), 3);
    let plans = world.here::<ServicePlan>();
    let label = &class.labels()["servicecatalog.k8s.io/spec.externalName"];
    let plan = &plans.list(&Default::default()).await.unwrap().items[0];
    assert_eq!((label.len(), plan.labels().len()), (56, 4));
    let found =
        labelled(&world.here::<ServiceClass>(), &format!("servicecatalog.k8s.io/spec.externalName={label}")).await;
    assert_eq!(found.len(), 1);
    let schema = plan.spec.common.instance_create_parameter_schema.clone().unwrap();
    assert_eq!(schema["properties"]["size"], json!({"type": "integer", "default": null}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_changes_is_read_again_and_what_users_made_survives() {
    let Some(world) = World::shared().await else { return };
    let suffix = World::unique();
    let (old, kept) = (service("old", &suffix, &["small"]), service("kept", &suffix, &["small", "large"]));
    let broker = FakeBroker::start(json!({"services": [old, kept]})).await;
    broker.offers(json!({"services": [old, kept]}), Some("\"1\""));
    register(&world, &broker).await;
    let classes = world.here::<ServiceClass>();
    world.svcat(&["create", "class", "mine", "--from", &format!("kept-{suffix}"), "--scope", "namespace"]).expect();
    let mine = until(&classes, "mine", |class| class.labels().len() == 3).await;
    assert!(mine.owner_references().is_empty());
    let defaults = Patch::Merge(json!({"spec": {"defaultProvisionParameters": {"size": 1}}}));
    classes.patch(&format!("kept-{suffix}"), &PatchParams::default(), &defaults).await.unwrap();
    let used: ServiceInstance = serde_json::from_value(json!({
        "apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": "ServiceInstance", "metadata": {"name": "i"},
        "spec": {"serviceClassName": "x", "serviceClassRef": {"name": format!("kept-{suffix}")},
                 "servicePlanRef": {"name": format!("kept-large-{suffix}")}},
    }))
    .unwrap();
    world.here().create(&PostParams::default(), &used).await.unwrap();

    let mut changed: Value = service("kept", &suffix, &["small"]);
    changed["description"] = json!("Another");
    broker.offers(json!({"services": [changed]}), Some("\"2\""));
    // Nobody asks for it: the entity tag has changed.
    gone(&classes, &format!("old-{suffix}")).await;
    let kept = until(&classes, &format!("kept-{suffix}"), |class| class.spec.common.description == "Another").await;
    assert_eq!(kept.spec.common.default_provision_parameters.unwrap()["size"], 1);
    let plans = world.here::<ServicePlan>();
    let large = until(&plans, &format!("kept-large-{suffix}"), |plan| {
        plan.status.as_ref().is_some_and(|status| status.removed_from_broker_catalog)
    })
    .await;
    assert!(classes.get_opt("mine").await.unwrap().is_some());

    broker.offers(json!({"services": [service("kept", &suffix, &["small", "large"])]}), Some("\"3\""));
    until(&plans, &large.name_any(), |plan| {
        !plan.status.as_ref().is_some_and(|status| status.removed_from_broker_catalog)
    })
    .await;
    world.here::<ServiceInstance>().delete("i", &DeleteParams::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_brokers_with_the_same_offering_do_not_take_each_others_classes() {
    let Some(world) = World::shared().await else { return };
    let suffix = World::unique();
    let catalog = json!({"services": [service("db", &suffix, &["small"]), service("b", &suffix, &["small"])]});
    let first = FakeBroker::start(json!({"services": [service("db", &suffix, &["small"])]})).await;
    register(&world, &first).await;
    let second = FakeBroker::start(catalog).await;
    world.svcat(&["register", "second", "--url", &second.url]).expect();
    let status = until(&world.here::<ServiceBroker>(), "second", |broker| {
        broker.status.as_ref().is_some_and(|status| status.holds(ConditionType::Ready))
    })
    .await
    .status
    .unwrap();
    assert!(status.conditions[0].message.contains("is there already and not this broker's"), "{status:?}");
    let class = world.here::<ServiceClass>().get(&format!("db-{suffix}")).await.unwrap();
    assert_eq!(class.spec.service_broker_name, "b");
}
