//! Brokers: registered, refused, restricted, deleted.

use std::time::Duration;

use chandlery::kubernetes::api::{
    BrokerStatus, ClusterServiceBroker, ClusterServiceClass, ConditionType, Conditions, ServiceBroker, ServiceClass,
    ServiceInstance,
};
use http::Method;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use super::broker::{FakeBroker, Fault, service};
use super::world::{World, gone, until};

fn ready(status: Option<&BrokerStatus>) -> bool {
    status.is_some_and(|status| status.holds(ConditionType::Ready))
}

#[tokio::test(flavor = "multi_thread")]
async fn svcat_registers_a_broker_and_sees_its_marketplace() {
    let Some(world) = World::shared().await else { return };
    let suffix = World::unique();
    let broker = FakeBroker::start(json!({"services": [service("db", &suffix, &["small", "large"])]})).await;
    let name = format!("broker-{suffix}");
    let said = world.svcat(&["register", &name, "--url", &broker.url, "--scope=cluster", "--wait"]).expect();
    assert!(said.contains("Ready"), "{said}");
    let said = world.svcat(&["get", "classes", "--scope=cluster"]).expect();
    assert!(said.contains(&format!("db-{suffix}")), "{said}");
    let plan = format!("db-{suffix}/large");
    let said = world.svcat(&["describe", "plan", &plan, "--scope=cluster"]).expect();
    assert!(said.contains("The large plan") && said.contains("$schema") && said.contains("default: null"), "{said}");
    let said = world.svcat(&["marketplace"]).expect();
    assert!(said.contains(&format!("db-{suffix}")) && said.contains("small"), "{said}");
    let said = world.kubectl(&["get", "clusterservicebrokers", &name]).expect();
    assert!(said.contains("Ready") && said.contains(&broker.url), "{said}");

    world.svcat(&["deregister", &name, "--scope", "cluster"]).expect();
    gone(&world.everywhere::<ClusterServiceBroker>(), &name).await;
    gone(&world.everywhere::<ClusterServiceClass>(), &format!("db-{suffix}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_refuses_ends_svcats_waiting_and_a_better_secret_mends_it() {
    let Some(world) = World::shared().await else { return };
    let suffix = World::unique();
    let broker = FakeBroker::start(json!({"services": [service("db", &suffix, &["small"])]})).await;
    broker.wants("Basic dTpodW50ZXIy");
    world.secret("login", &[("username", "u"), ("password", "wrong")]).await;
    // `--wait` panics in svcat itself in this scope.
    world.svcat(&["register", "b", "--url", &broker.url, "--basic-secret", "login"]).expect();
    let api = world.here::<ServiceBroker>();
    let failed =
        until(&api, "b", |broker| broker.status.as_ref().is_some_and(|status| status.holds(ConditionType::Failed)))
            .await;
    let status = failed.status.unwrap();
    assert!(status.conditions[1].message.contains("who are you"), "{status:?}");
    assert_eq!(status.last_condition_state, "Failed");
    world.secret("login", &[("username", "u"), ("password", "hunter2")]).await;
    let mended = until(&api, "b", |broker| ready(broker.status.as_ref())).await.status.unwrap();
    assert_eq!((mended.conditions.len(), mended.retry), (1, None));
    until(&world.here::<ServiceClass>(), &format!("db-{suffix}"), |_| true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restriction_that_svcat_splits_works() {
    let Some(world) = World::shared().await else { return };
    let suffix = World::unique();
    let services = ["a", "b", "c"].map(|name| service(name, &suffix, &["small", "large"]));
    let broker = FakeBroker::start(json!({ "services": services })).await;
    let classes = format!("spec.externalName in (a-{suffix}, b-{suffix})");
    let arguments = ["register", "b", "--url", &broker.url, "--class-restrictions", &classes];
    world.svcat(&[arguments.as_slice(), &["--plan-restrictions", "spec.free=true"]].concat()).expect();
    until(&world.here::<ServiceBroker>(), "b", |broker| ready(broker.status.as_ref())).await;
    let said = world.svcat(&["get", "plans", "--scope", "namespace"]).expect();
    assert!(said.contains(&format!("a-{suffix}")) && said.contains(&format!("b-{suffix}")), "{said}");
    assert!(!said.contains(&format!("c-{suffix}")) && !said.contains("large"), "{said}");
    let wrong = Patch::Merge(json!({"spec": {"catalogRestrictions": {"serviceClass": ["spec.price=1"]}}}));
    let api = world.here::<ServiceBroker>();
    api.patch("b", &PatchParams::default(), &wrong).await.unwrap();
    let failed = until(&api, "b", |broker| !ready(broker.status.as_ref())).await.status.unwrap();
    assert!(failed.conditions[0].message.contains(r#"no property "spec.price""#), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_broker_waits_for_its_instances_unless_it_is_forced() {
    let Some(world) = World::own().await else { return };
    let suffix = World::unique();
    let broker = FakeBroker::start(json!({"services": [service("db", &suffix, &["small"])]})).await;
    world.svcat(&["register", "b", "--url", &broker.url]).expect();
    let running = world.start(&["--allow-local-brokers"]).await;
    let api = world.here::<ServiceBroker>();
    until(&api, "b", |broker| ready(broker.status.as_ref())).await;
    let class = format!("db-{suffix}");
    let instance: ServiceInstance = serde_json::from_value(json!({
        "apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": "ServiceInstance", "metadata": {"name": "i"},
        "spec": {"serviceClassName": class, "serviceClassRef": {"name": class}},
    }))
    .unwrap();
    world.here().create(&PostParams::default(), &instance).await.unwrap();
    world.svcat(&["deregister", "b"]).expect();
    let waits = until(&api, "b", |broker| {
        broker.status.as_ref().is_some_and(|status| status.last_condition_state == "InstancesExist")
    })
    .await;
    let message = &waits.status.unwrap().conditions[0].message;
    assert!(message.contains(&format!("{}/i", world.namespace)), "{message}");
    assert!(world.here::<ServiceClass>().get_opt(&class).await.unwrap().is_some());
    let force = Patch::Merge(json!({"metadata": {"annotations": {"chandlery.dev/force-delete": "true"}}}));
    api.patch("b", &PatchParams::default(), &force).await.unwrap();
    gone(&api, "b").await;
    gone(&world.here::<ServiceClass>(), &class).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_of_a_namespace_cannot_be_at_a_local_address() {
    let Some(world) = World::own().await else { return };
    let broker = FakeBroker::start(json!({"services": []})).await;
    let by_name = broker.url.replace("127.0.0.1", "localhost");
    world.svcat(&["register", "literal", "--url", &broker.url]).expect();
    world.svcat(&["register", "named", "--url", &by_name]).expect();
    let running = world.start(&[]).await;
    for name in ["literal", "named"] {
        let failed = until(&world.here::<ServiceBroker>(), name, |broker| {
            broker.status.as_ref().is_some_and(|status| status.holds(ConditionType::Failed))
        })
        .await;
        assert!(failed.status.unwrap().conditions[0].message.contains("loopback"));
    }
    assert!(broker.heard(Method::GET, "").is_empty());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_does_not_forget_the_pause_after_a_failure() {
    let Some(world) = World::own().await else { return };
    let broker = FakeBroker::start(json!({"services": []})).await;
    broker.fault(Fault {
        method: Method::GET,
        path: "catalog".into(),
        times: 100,
        status: 503,
        body: json!({"description": "later"}),
        ..Fault::default()
    });
    world.svcat(&["register", "b", "--url", &broker.url]).expect();
    let more = ["--allow-local-brokers", "--retry-first", "1h", "--retry-most", "1h"];
    let running = world.start(&more).await;
    let api = world.here::<ServiceBroker>();
    until(&api, "b", |broker| broker.status.as_ref().is_some_and(|status| status.retry.is_some())).await;
    running.kill().await;
    let running = world.start(&more).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(broker.heard(Method::GET, "catalog").len(), 1);
    // The user's word goes before the pause.
    world.svcat(&["sync", "broker", "b"]).expect();
    until(&api, "b", |broker| broker.status.as_ref().is_some_and(|status| status.reconciled_generation == 2)).await;
    assert_eq!(broker.heard(Method::GET, "catalog").len(), 2);
    running.stop().await;
    let broker = api.delete("b", &DeleteParams::default()).await.unwrap().unwrap_left();
    assert!(broker.finalizers().len() == 1);
}
