//! What happens around instances in the long run: logins that change, versions of plans, what is said and what is not.

use std::time::{Duration, Instant};

use chandlery::kubernetes::api::{
    ConditionStatus, ConditionType, Conditions, ServiceBroker, ServiceInstance, ServicePlan,
};
use http::Method;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::broker::{FakeBroker, Fault, service};
use super::shop::{Shop, says};
use super::world::{World, until};

/// `Basic` of `u` and that password.
fn basic(password: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("u:{password}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_changes_is_used_at_once() {
    let Some(world) = World::own().await else { return };
    let suffix = World::unique();
    let broker = FakeBroker::start(json!({"services": [service("db", &suffix, &["small"])]})).await;
    broker.wants(&basic("good"));
    let running = world.start(&["--allow-local-brokers", "--retry-first", "1h", "--retry-most", "1h"]).await;
    world.secret("login", &[("username", "u"), ("password", "bad")]).await;
    world.svcat(&["register", "b", "--url", &broker.url, "--basic-secret", "login"]).expect();
    let brokers = world.here::<ServiceBroker>();
    let holds = |broker: &ServiceBroker, type_| broker.status.as_ref().is_some_and(|status| status.holds(type_));
    until(&brokers, "b", |broker| holds(broker, ConditionType::Failed)).await;
    // The pause is an hour, and nobody waits for it.
    world.secret("login", &[("username", "u"), ("password", "good")]).await;
    until(&brokers, "b", |broker| holds(broker, ConditionType::Ready)).await;
    broker.wants(&basic("better"));
    world.secret("login", &[("username", "u"), ("password", "better")]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let order =
        ["provision", "i", "--class", &format!("db-{suffix}"), "--plan", "small", "--wait", "--interval", "100ms"];
    world.svcat(&order).expect();
    let put = broker.heard(Method::PUT, "/v2/service_instances/");
    let said: Vec<_> = put.iter().map(|heard| heard.headers["authorization"].to_str().unwrap().to_owned()).collect();
    assert_eq!(said, [basic("better")]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_has_a_version_and_a_touched_instance_moves_to_it() {
    let Some(world) = World::shared().await else { return };
    let version = |version: &'static str| {
        move |offering: &mut Value| {
            offering["plans"][0]["maintenance_info"] = json!({"version": version, "description": "Newer."});
        }
    };
    let shop = Shop::with(&world, version("1.0.0")).await;
    shop.order("i", json!({"parameters": {"size": 1}})).await;
    shop.ready("i").await;
    let sent = |heard: &super::broker::Heard| heard.body["maintenance_info"].clone();
    assert_eq!(sent(&shop.heard(Method::PUT)[0]), json!({"version": "1.0.0"}));
    shop.offers(version("2.0.0"));
    world.svcat(&["sync", "broker", "b"]).expect();
    let of_plan = |plan: &ServicePlan| plan.spec.common.maintenance_version.as_deref() == Some("2.0.0");
    until(&world.here::<ServicePlan>(), &shop.plan("small"), of_plan).await;
    // A change of the user's is none of the platform's.
    shop.change("i", json!({"parameters": {"size": 2}})).await;
    shop.ready("i").await;
    world.svcat(&["touch", "instance", "i"]).expect();
    shop.ready("i").await;
    world.svcat(&["touch", "instance", "i"]).expect();
    shop.ready("i").await;
    let patched = shop.heard(Method::PATCH);
    let versions: Vec<_> = patched.iter().map(sent).collect();
    assert_eq!(versions, [Value::Null, json!({"version": "2.0.0"}), Value::Null]);
    let previous = |place: usize| patched[place].body["previous_values"]["maintenance_info"]["version"].clone();
    assert_eq!([previous(1), previous(2)], [json!("1.0.0"), json!("2.0.0")]);
    // The broker's catalog has changed, and nobody has read it again yet.
    shop.offers(version("3.0.0"));
    let conflict = json!({"error": "MaintenanceInfoConflict", "description": "That is an old version."});
    shop.answers(Method::PUT, 1, 422, conflict);
    shop.order("j", json!({})).await;
    shop.ready("j").await;
    let put = shop.heard(Method::PUT);
    assert_eq!([sent(&put[1]), sent(put.last().unwrap())], [json!({"version": "2.0.0"}), json!({"version": "3.0.0"})]);
    assert_eq!(shop.heard(Method::DELETE).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_all_go_are_said_to_be_gone() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    shop.order("i", json!({"parameters": {"size": 1}})).await;
    shop.ready("i").await;
    shop.change("i", json!({"parameters": null})).await;
    let status = shop.ready("i").await.status.unwrap();
    let patched = shop.heard(Method::PATCH);
    assert_eq!((patched.len(), &patched[0].body["parameters"]), (1, &json!({})));
    let ready = status.condition(ConditionType::Ready).unwrap();
    assert!(ready.message.contains("size was taken out of the parameters"), "{}", ready.message);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(shop.heard(Method::PATCH).len(), 1, "it is settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_words_of_a_broker_show_what_came_from_a_secret() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    world.secret("p", &[("k", r#"{"password": "hunter2hunter2"}"#)]).await;
    let quotes = json!({"description": "hunter2hunter2 is weak"});
    let failed = json!({"state": "failed", "description": "hunter2hunter2 is weak"});
    shop.answers(Method::PUT, 1, 202, json!({}));
    shop.polls(1, 200, json!({"state": "in progress", "description": "Setting hunter2hunter2."}));
    shop.polls(1, 200, failed);
    shop.answers(Method::DELETE, 1, 500, quotes.clone());
    shop.order("i", json!({"parametersFrom": [{"secretKeyRef": {"name": "p", "key": "k"}}]})).await;
    let begun = Instant::now();
    let mut said = Vec::new();
    loop {
        let status = shop.instances().get("i").await.unwrap().status.unwrap_or_default();
        assert!(!serde_json::to_string(&status).unwrap().contains("hunter2"), "{status:#?}");
        said.extend(status.conditions.iter().map(|condition| condition.message.clone()));
        if says(&status, ConditionType::Ready) == Some((ConditionStatus::False, "OrphanMitigationSuccessful")) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{status:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(said.iter().any(|said| said.contains("<redacted> is weak")), "{said:#?}");
    // The Secret has another value when the broker quotes the first.
    world.svcat(&["touch", "instance", "i"]).expect();
    shop.ready("i").await;
    shop.answers(Method::DELETE, 1, 500, quotes);
    world.kubectl(&["delete", "secret", "p"]).expect();
    shop.delete("i").await;
    let status = shop.reason("i", "DeprovisionCallFailed").await;
    let ready = status.condition(ConditionType::Ready).unwrap();
    assert!(ready.message.contains("500") && !ready.message.contains("hunter2"), "{}", ready.message);
    shop.gone("i").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_deprovision_fails_stands_until_it_succeeds() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    shop.order("i", json!({})).await;
    shop.ready("i").await;
    shop.answers(Method::DELETE, 4, 500, json!({"description": "Not now."}));
    shop.delete("i").await;
    let mut seen: Vec<String> = Vec::new();
    while let Some(instance) = shop.instances().get_opt("i").await.unwrap() {
        let status = instance.status.unwrap();
        let now = says(&status, ConditionType::Ready).map(|(status, reason)| format!("{status:?} {reason}")).unwrap();
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let failures = seen.iter().filter(|seen| *seen == "Unknown DeprovisionCallFailed").count();
    assert_eq!(failures, 1, "{seen:?}");
    assert_eq!(shop.heard(Method::DELETE).len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_of_namespaces_leaves_the_instances_of_the_cluster_alone() {
    let Some(world) = World::own().await else { return };
    let running = world.start(&["--allow-local-brokers"]).await;
    let instance = json!({
        "apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": "ServiceInstance", "metadata": {"name": "i"},
        "spec": {"clusterServiceClassExternalName": "somewhere", "clusterServicePlanExternalName": "small"},
    });
    let instances = world.here::<ServiceInstance>();
    instances.create(&PostParams::default(), &serde_json::from_value(instance).unwrap()).await.unwrap();
    // Its own are served, so it had its turn.
    let shop = Shop::open(&world).await;
    shop.order("mine", json!({})).await;
    shop.ready("mine").await;
    let left = instances.get("i").await.unwrap();
    assert!(left.status.is_none() && left.metadata.finalizers.is_none(), "{left:#?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bind_that_quotes_a_secret_is_said_without_it() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    world.secret("p", &[("k", r#"{"password": "hunter2hunter2"}"#)]).await;
    shop.order("i", json!({})).await;
    shop.ready("i").await;
    let quotes = json!({"description": "hunter2hunter2 is weak"});
    let path = "/service_bindings/".to_owned();
    shop.broker.fault(Fault { method: Method::PUT, path, times: 1, status: 400, body: quotes, ..Fault::default() });
    world.svcat(&["bind", "i", "--name", "k", "--secret", "p[k]"]).expect();
    let binding = until(&world.here::<chandlery::kubernetes::api::ServiceBinding>(), "k", |binding| {
        binding.status.as_ref().is_some_and(|status| status.holds(ConditionType::Failed))
    })
    .await;
    let status = serde_json::to_string(&binding.status).unwrap();
    assert!(status.contains("<redacted> is weak") && !status.contains("hunter2"), "{status}");
}
