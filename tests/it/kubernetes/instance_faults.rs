//! What a broker can do to an instance, and what becomes of it.

use std::time::{Duration, Instant};

use chandlery::kubernetes::api::{ConditionStatus, ConditionType, Conditions, DeprovisionStatus};
use http::Method;
use serde_json::{Value, json};

use super::broker::Fault;
use super::shop::{Shop, says};
use super::world::World;

fn no(description: &str) -> Value {
    json!({ "description": description })
}

fn fault(method: Method, times: usize) -> Fault {
    Fault { method, path: "/v2/service_instances/".into(), times, body: json!({}), ..Fault::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provision_that_is_refused_for_good_waits_for_the_user() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    shop.answers(Method::PUT, 1, 400, no("size is too large"));
    shop.order("i", json!({"parameters": {"size": 9}})).await;
    let status = shop.until("i", |status| status.holds(ConditionType::Failed)).await.status.unwrap();
    assert_eq!(says(&status, ConditionType::Ready), Some((ConditionStatus::False, "ProvisionCallFailed")));
    let failed = status.condition(ConditionType::Failed).unwrap();
    assert_eq!(failed.reason, "ClusterServiceBrokerReturnedFailure");
    assert!(failed.message.contains("size is too large"), "{failed:?}");
    assert_eq!(status.deprovision_status, DeprovisionStatus::NotRequired);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((shop.heard(Method::PUT).len(), shop.heard(Method::DELETE).len()), (1, 0));
    shop.change("i", json!({"parameters": {"size": 1}})).await;
    let status = shop.ready("i").await.status.unwrap();
    assert_eq!(status.conditions.len(), 1, "{status:?}");
    shop.answers(Method::PUT, 1, 400, no("no"));
    shop.order("j", json!({})).await;
    shop.until("j", |status| status.holds(ConditionType::Failed)).await;
    shop.delete("j").await;
    shop.gone("j").await;
    assert_eq!(shop.heard(Method::DELETE).len(), 0, "the broker has nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provision_that_is_refused_for_now_is_repeated_and_nothing_is_deleted() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    for status in [409, 422, 401, 408] {
        shop.answers(Method::PUT, 1, status, no("not now"));
    }
    shop.broker.fault(Fault { status: 429, retry_after: Some(2), ..fault(Method::PUT, 1) });
    shop.order("i", json!({})).await;
    let begun = Instant::now();
    shop.ready("i").await;
    assert!(begun.elapsed() > Duration::from_secs(2), "Retry-After was not kept");
    let put = shop.heard(Method::PUT);
    assert_eq!((put.len(), shop.heard(Method::DELETE).len()), (6, 0));
    assert!(put.iter().all(|one| one.path == put[0].path && one.body == put[0].body));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_left_is_deleted_before_it_is_tried_again() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    shop.answers(Method::PUT, 1, 500, no("oops"));
    shop.broker.fault(Fault { status: 201, lost: true, ..fault(Method::PUT, 1) });
    shop.answers(Method::PUT, 1, 204, json!({}));
    shop.answers(Method::DELETE, 1, 500, no("oops again"));
    shop.answers(Method::DELETE, 1, 202, json!({"operation": "cleaning"}));
    shop.polls(1, 200, json!({"state": "in progress"}));
    shop.order("i", json!({"userInfo": {"username": "alice"}})).await;
    let status = shop.ready("i").await.status.unwrap();
    assert_eq!(status.conditions.len(), 1, "{status:?}");
    let (put, deleted) = (shop.heard(Method::PUT), shop.heard(Method::DELETE));
    assert_eq!((put.len(), deleted.len()), (4, 4));
    assert!(deleted[0].path.contains(&shop.plan("small")));
    let identity = |heard: &super::broker::Heard| heard.headers.contains_key("x-broker-api-originating-identity");
    assert!(identity(&put[0]) && !identity(&deleted[0]), "mitigation is on nobody's behalf");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_was_there_before_is_not_deleted_for_a_failure() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    shop.answers(Method::PUT, 2, 500, no("oops"));
    shop.order("i", json!({"externalID": "precious"})).await;
    shop.ready("i").await;
    assert_eq!((shop.heard(Method::PUT).len(), shop.heard(Method::DELETE).len()), (3, 0));
    assert!(shop.heard(Method::PUT)[0].path.starts_with("/v2/service_instances/precious?"));
    // It is somebody else's: it does not go with the object of who asked for it.
    shop.answers(Method::PUT, 1000, 409, no("it is not yours"));
    shop.order("thief", json!({"externalID": "other"})).await;
    shop.reason("thief", "ProvisionCallFailed").await;
    shop.delete("thief").await;
    shop.gone("thief").await;
    assert_eq!(shop.heard(Method::DELETE).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_fails_or_gets_lost_is_cleaned_up() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    // Failed: the user must change something.
    shop.answers(Method::PUT, 1, 202, json!({}));
    shop.polls(1, 200, json!({"state": "failed", "description": "no room"}));
    shop.order("failed", json!({})).await;
    let status = shop.reason("failed", "OrphanMitigationSuccessful").await;
    assert_eq!(says(&status, ConditionType::Failed), Some((ConditionStatus::True, "ProvisionCallFailed")));
    assert!(status.condition(ConditionType::Failed).unwrap().message.contains("no room"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((shop.heard(Method::PUT).len(), shop.heard(Method::DELETE).len()), (1, 1));
    world.svcat(&["touch", "instance", "failed"]).expect();
    shop.ready("failed").await;
    // Unknown to the broker: it is ordered again.
    shop.answers(Method::PUT, 1, 202, json!({}));
    shop.polls(1, 500, no("oops"));
    shop.polls(1, 404, json!({}));
    shop.order("lost", json!({})).await;
    shop.ready("lost").await;
    assert_eq!((shop.heard(Method::PUT).len(), shop.heard(Method::DELETE).len()), (4, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_update_leaves_what_the_broker_had() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    shop.order("i", json!({"parameters": {"size": 1}})).await;
    let had = shop.ready("i").await.status.unwrap().external_properties;
    shop.answers(Method::PATCH, 1, 400, no("size is too large"));
    shop.change("i", json!({"parameters": {"size": 9}})).await;
    let status = shop.until("i", |status| status.holds(ConditionType::Failed)).await.status.unwrap();
    assert_eq!(says(&status, ConditionType::Ready), Some((ConditionStatus::False, "UpdateInstanceCallFailed")));
    assert_eq!(status.external_properties, had);
    // Taken back: the broker has what is wanted.
    shop.change("i", json!({"parameters": {"size": 1}})).await;
    shop.ready("i").await;
    assert_eq!(shop.heard(Method::PATCH).len(), 1);
    // For now.
    for (status, body) in [(422, json!({"error": "ConcurrencyError"})), (503, no("later")), (409, no("busy"))] {
        shop.answers(Method::PATCH, 1, status, body);
    }
    shop.change("i", json!({"parameters": {"size": 2}})).await;
    shop.ready("i").await;
    let patched = shop.heard(Method::PATCH);
    assert_eq!((patched.len(), shop.heard(Method::DELETE).len()), (5, 0));
    assert_eq!(patched[4].body["plan_id"], json!(shop.plan("small")), "after a 503 all is named");
    // Never.
    shop.answers(Method::PATCH, 1, 422, json!({"description": "no way", "update_repeatable": false}));
    shop.change("i", json!({"servicePlanExternalName": "large"})).await;
    shop.until("i", |status| status.holds(ConditionType::Failed)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(shop.heard(Method::PATCH).len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deprovision_is_tried_until_it_succeeds() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    shop.order("i", json!({"userInfo": {"username": "alice"}})).await;
    shop.ready("i").await;
    for status in [400, 500, 429] {
        shop.answers(Method::DELETE, 1, status, no("not now"));
    }
    shop.answers(Method::DELETE, 1, 422, json!({"error": "ConcurrencyError"}));
    shop.answers(Method::DELETE, 1, 202, json!({"operation": "one"}));
    shop.polls(1, 200, json!({"state": "failed", "description": "not empty"}));
    shop.answers(Method::DELETE, 1, 410, json!({}));
    shop.delete("i").await;
    shop.gone("i").await;
    let deleted = shop.heard(Method::DELETE);
    assert_eq!(deleted.len(), 6);
    assert!(deleted[0].headers.contains_key("x-broker-api-originating-identity"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_still_made_can_be_deleted() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::open(&world).await;
    shop.answers(Method::PUT, 1, 202, json!({}));
    shop.polls(1000, 200, json!({"state": "in progress"}));
    shop.order("i", json!({})).await;
    shop.until("i", |status| status.async_op_in_progress).await;
    shop.answers(Method::DELETE, 1, 422, json!({"error": "ConcurrencyError"}));
    shop.delete("i").await;
    shop.gone("i").await;
    assert_eq!(shop.heard(Method::DELETE).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_was() {
    let Some(world) = World::own().await else { return };
    let more = ["--allow-local-brokers", "--broker-timeout", "1s"];
    let running = world.start(&more).await;
    let shop = Shop::open(&world).await;
    // Killed while the request is out.
    shop.broker.fault(Fault { status: 201, delay: Duration::from_millis(900), ..fault(Method::PUT, 1) });
    shop.order("i", json!({})).await;
    shop.reason("i", "ProvisionRequestInFlight").await;
    while shop.heard(Method::PUT).is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    running.kill().await;
    let running = world.start(&more).await;
    shop.ready("i").await;
    let put = shop.heard(Method::PUT);
    assert_eq!((put.len(), shop.heard(Method::DELETE).len()), (2, 0));
    assert_eq!((&put[0].path, &put[0].body), (&put[1].path, &put[1].body));
    // Killed while the broker works on an update.
    shop.answers(Method::PATCH, 1, 202, json!({"operation": "long"}));
    shop.polls(2, 200, json!({"state": "in progress"}));
    shop.change("i", json!({"parameters": {"size": 2}})).await;
    shop.until("i", |status| status.async_op_in_progress).await;
    running.kill().await;
    let running = world.start(&more).await;
    shop.ready("i").await;
    assert_eq!(shop.heard(Method::PATCH).len(), 1);
    // Slow: what may be left goes first.
    shop.broker.fault(Fault { status: 201, delay: Duration::from_secs(3), ..fault(Method::PUT, 1) });
    shop.order("slow", json!({})).await;
    shop.ready("slow").await;
    assert_eq!((shop.heard(Method::PUT).len(), shop.heard(Method::DELETE).len()), (4, 1));
    // Killed during the deprovision.
    shop.answers(Method::DELETE, 1, 202, json!({}));
    shop.polls(2, 200, json!({"state": "in progress"}));
    shop.delete("i").await;
    shop.until("i", |status| status.async_op_in_progress).await;
    running.kill().await;
    let running = world.start(&more).await;
    shop.gone("i").await;
    assert_eq!(shop.heard(Method::DELETE).len(), 2);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_how_long_an_operation_may_take() {
    let Some(world) = World::shared().await else { return };
    let shop = Shop::with(&world, |offering| offering["plans"][0]["maximum_polling_duration"] = json!(1)).await;
    shop.answers(Method::PUT, 1, 202, json!({}));
    shop.polls(1000, 200, json!({"state": "in progress"}));
    shop.order("i", json!({})).await;
    let status = shop.reason("i", "OrphanMitigationSuccessful").await;
    let failed = says(&status, ConditionType::Failed);
    assert_eq!(failed, Some((ConditionStatus::True, "ErrorReconciliationRetryTimeout")));
    assert_eq!((shop.heard(Method::PUT).len(), shop.heard(Method::DELETE).len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_does_not_forget_the_pause_and_the_user_goes_before_it() {
    let Some(world) = World::own().await else { return };
    let more = ["--allow-local-brokers", "--retry-first", "1h", "--retry-most", "1h"];
    let running = world.start(&more).await;
    let shop = Shop::open(&world).await;
    shop.answers(Method::PUT, 1, 409, no("taken"));
    shop.order("i", json!({})).await;
    shop.until("i", |status| status.retry.is_some()).await;
    running.kill().await;
    let running = world.start(&more).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(shop.heard(Method::PUT).len(), 1);
    world.svcat(&["touch", "instance", "i"]).expect();
    shop.ready("i").await;
    assert_eq!(shop.heard(Method::PUT).len(), 2);
    running.stop().await;
}
