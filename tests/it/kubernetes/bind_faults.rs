//! Each way in which a bind fails, and what is there afterwards: one binding at the broker, one Secret, no orphan.

use std::time::{Duration, Instant};

use chandlery::kubernetes::api::{ConditionType, Conditions, ServiceBinding};
use http::Method;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::binder::{Binder, Fault};
use super::bindings::{QUICK, bound, data, holds, make, order, ready, with_reason};
use super::world::{World, gone, until};

/// A failure, whether it may leave an orphan, and whether it goes away by itself.
fn table() -> Vec<(&'static str, Fault, bool)> {
    let answer = |status, body: Value| Fault::Answer(status, body);
    vec![
        ("conflict", answer(409, json!({"description": "Other."})), false),
        ("gone", answer(410, json!({})), false),
        ("concurrency", answer(422, json!({"error": "ConcurrencyError", "description": "Busy."})), false),
        ("busy", Fault::Busy(429, 0), false),
        ("request-timeout", answer(408, json!({})), false),
        ("unauthorized", answer(401, json!({})), false),
        ("internal", answer(500, json!("<html>")), true),
        ("unavailable", Fault::Busy(503, 0), true),
        ("odd", answer(204, Value::Null), true),
        ("garbled", Fault::Garbled(201), true),
        ("lost", Fault::Late(Duration::from_millis(1200)), true),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_that_may_pass_is_tried_again_and_leaves_no_orphan() {
    let binder = Binder::start().await;
    let Some((world, _running)) = ready(&binder).await else { return };
    for (name, fault, mitigated) in table() {
        let before = (binder.asked(Method::PUT).len(), binder.asked(Method::DELETE).len());
        binder.fault(Method::PUT, "service_bindings", 2, fault);
        make(&world, name, json!({}), json!({})).await;
        let binding = bound(&world, name).await;
        let (puts, deletes) =
            (binder.asked(Method::PUT).len() - before.0, binder.asked(Method::DELETE).len() - before.1);
        assert_eq!((puts, deletes), (3, if mitigated { 2 } else { 0 }), "{name}");
        assert!(binder.there().contains(&binding.spec.external_id), "{name}");
        assert!(binding.status.unwrap().retry.is_none(), "{name}");
        assert!(data(&world.here::<Secret>().get(name).await.unwrap())["password"].starts_with("hunter"), "{name}");
    }
    assert_eq!(binder.there().len(), table().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_request_is_the_users_and_an_annotation_tries_again() {
    let binder = Binder::start().await;
    binder.fault(Method::PUT, "service_bindings", 1, Fault::Answer(400, json!({"description": "No such role."})));
    let Some((world, _running)) = ready(&binder).await else { return };
    make(&world, "b", json!({}), json!({})).await;
    let api = world.here::<ServiceBinding>();
    let failed = until(&api, "b", |binding| holds(binding, ConditionType::Failed)).await;
    let condition = failed.status.as_ref().unwrap().condition(ConditionType::Failed).unwrap().clone();
    assert_eq!(condition.reason, "ServiceBindingReturnedFailure");
    assert!(condition.message.contains("No such role."), "{}", condition.message);
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!((binder.asked(Method::PUT).len(), binder.asked(Method::DELETE).len()), (1, 0));
    world.kubectl(&["annotate", "servicebinding", "b", "chandlery.dev/retry=1"]).expect();
    let binding = bound(&world, "b").await;
    assert!(!holds(&binding, ConditionType::Failed));

    binder.fault(Method::PUT, "service_bindings", 9, Fault::Answer(400, json!({})));
    make(&world, "c", json!({}), json!({})).await;
    until(&api, "c", |binding| holds(binding, ConditionType::Failed)).await;
    api.delete("c", &DeleteParams::default()).await.unwrap();
    gone(&api, "c").await;
    assert!(binder.asked(Method::DELETE).is_empty(), "nothing is there to be deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_asks_for_time_gets_it() {
    let binder = Binder::start().await;
    binder.fault(Method::PUT, "service_bindings", 1, Fault::Busy(429, 2));
    let Some((world, _running)) = ready(&binder).await else { return };
    let begun = Instant::now();
    make(&world, "b", json!({}), json!({})).await;
    let waiting = with_reason(&world, "b", "BindCallFailed").await;
    assert_eq!(waiting.status.unwrap().retry.unwrap().attempts, 1);
    bound(&world, "b").await;
    assert!(begun.elapsed() > Duration::from_millis(1900), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asynchronous_failure_is_cleaned_up_and_final() {
    let binder = Binder::start().await;
    let failed = json!({"state": "failed", "description": "No room."});
    binder.retrievable(5).fault(Method::GET, "last_operation", 1, Fault::Answer(200, failed));
    let Some((world, _running)) = ready(&binder).await else { return };
    make(&world, "b", json!({}), json!({})).await;
    let api = world.here::<ServiceBinding>();
    let ended = until(&api, "b", |binding| {
        holds(binding, ConditionType::Failed)
            && !binding.status.as_ref().unwrap().orphan_mitigation_in_progress
            && binding.status.as_ref().unwrap().retry.is_none()
    })
    .await;
    assert!(ended.status.unwrap().conditions[1].message.contains("No room."));
    assert!(binder.there().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_dies_before_it_has_the_answer_loses_nothing() {
    let binder = Binder::start().await;
    binder.fault(Method::PUT, "service_bindings", 1, Fault::Late(Duration::from_millis(600)));
    let Some((world, running)) = ready(&binder).await else { return };
    make(&world, "b", json!({}), json!({})).await;
    let sent = || !binder.asked(Method::PUT).is_empty();
    while !sent() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.kill().await;
    let left = world.here::<ServiceBinding>().get("b").await.unwrap().status.unwrap();
    assert!(left.current_operation.is_some() && !left.holds(ConditionType::Ready));
    assert!(world.here::<Secret>().get_opt("b").await.unwrap().is_none());
    let _second = world.start(&QUICK).await;
    bound(&world, "b").await;
    assert_eq!(data(&world.here::<Secret>().get("b").await.unwrap())["password"], "hunter1");
    assert_eq!((binder.made(), binder.asked(Method::PUT).len()), (1, 2), "the same bind again, and nothing made twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_comes_while_the_bind_runs_stays_and_the_credentials_are_not_lost() {
    let binder = Binder::start().await;
    binder.fault(Method::PUT, "service_bindings", 1, Fault::Late(Duration::from_millis(400)));
    let Some((world, running)) = ready(&binder).await else { return };
    make(&world, "b", json!({}), json!({})).await;
    while binder.asked(Method::PUT).is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.secret("b", &[("theirs", "x")]).await;
    with_reason(&world, "b", "ErrorInjectingBindResult").await;
    running.kill().await;
    let _second = world.start(&QUICK).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(binder.asked(Method::PUT).len(), 1, "D7: it is not sent again and again");
    let theirs = world.here::<Secret>().get("b").await.unwrap();
    assert_eq!(data(&theirs).into_keys().collect::<Vec<_>>(), ["theirs"]);
    world.here::<Secret>().delete("b", &DeleteParams::default()).await.unwrap();
    bound(&world, "b").await;
    assert_eq!(data(&world.here::<Secret>().get("b").await.unwrap())["password"], "hunter1");
    assert_eq!((binder.made(), binder.asked(Method::PUT).len()), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_dies_while_it_replaces_credentials_makes_them_once() {
    let binder = Binder::start().await;
    let Some((world, running)) = ready(&binder).await else { return };
    make(&world, "b", json!({}), json!({})).await;
    bound(&world, "b").await;
    binder.fault(Method::PUT, "service_bindings", 1, Fault::Late(Duration::from_millis(600)));
    world.kubectl(&["annotate", "servicebinding", "b", "chandlery.dev/rotate-request=now"]).expect();
    while binder.asked(Method::PUT).len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.kill().await;
    let old = world.here::<Secret>().get("b").await.unwrap();
    assert_eq!(data(&old)["password"], "hunter1", "the former ones are there until the new ones are");
    let _second = world.start(&QUICK).await;
    until(&world.here::<Secret>(), "b", |secret| data(secret)["password"] == "hunter2").await;
    until(&world.here::<ServiceBinding>(), "b", |binding: &ServiceBinding| {
        binding.status.as_ref().and_then(|status| status.rotation.as_ref()).is_some_and(|of| of.requested == "now")
    })
    .await;
    assert_eq!((binder.made(), binder.there().len()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_goes_with_all_its_bindings() {
    let binder = Binder::start().await;
    let Some(world) = World::shared().await else { return };
    order(&world, &binder).await;
    make(&world, "b", json!({}), json!({})).await;
    bound(&world, "b").await;
    let namespaces = world.everywhere::<Namespace>();
    namespaces.delete(&world.namespace, &DeleteParams::default()).await.unwrap();
    gone(&namespaces, &world.namespace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_named_where_they_want_something_and_nowhere_else() {
    let binder = Binder::start().await;
    binder.fault(Method::PUT, "service_bindings", 1, Fault::Answer(500, json!({})));
    let Some((world, _running)) = ready(&binder).await else { return };
    make(&world, "b", json!({}), json!({"userInfo": {"username": "alice", "uid": "1", "groups": ["g"]}})).await;
    bound(&world, "b").await;
    let named = |method: Method| {
        let asked = binder.asked(method);
        asked.iter().map(|asked| asked.headers.contains_key("x-broker-api-originating-identity")).collect::<Vec<_>>()
    };
    assert_eq!((named(Method::PUT), named(Method::DELETE)), (vec![true, true], vec![false]));
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_changed_under_a_lost_bind_make_a_new_one() {
    let binder = Binder::start().await;
    binder.fault(Method::PUT, "service_bindings", 1, Fault::Late(Duration::from_millis(600)));
    let Some((world, running)) = ready(&binder).await else { return };
    world.secret("p", &[("k", r#"{"a":1}"#)]).await;
    make(&world, "b", json!({}), json!({"parametersFrom": [{"secretKeyRef": {"name": "p", "key": "k"}}]})).await;
    while binder.asked(Method::PUT).is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.kill().await;
    world.secret("p", &[("k", r#"{"a":2}"#)]).await;
    let _second = world.start(&QUICK).await;
    bound(&world, "b").await;
    assert_eq!(binder.asked(Method::DELETE).len(), 1);
    assert_eq!(binder.asked(Method::PUT).last().unwrap().body["parameters"], json!({"a": 2}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_service_catalog_left_is_taken_over() {
    let binder = Binder::start().await;
    let Some((world, running)) = ready(&binder).await else { return };
    running.stop().await;
    make(&world, "b", json!({}), json!({"externalID": "old", "secretName": "s"})).await;
    let api = world.here::<ServiceBinding>();
    let held = Patch::Merge(json!({"metadata": {"finalizers": ["kubernetes-incubator/service-catalog"]}}));
    let old = api.patch("b", &PatchParams::default(), &held).await.unwrap();
    let status = json!({"status": {
        "conditions": [{"type": "Ready", "status": "True", "reason": "InjectedBindResult", "message": "Injected bind result",
                        "lastTransitionTime": "2020-01-01T00:00:00Z"}],
        "unbindStatus": "Required", "externalProperties": {}, "lastConditionState": "Ready", "reconciledGeneration": 1,
    }});
    api.patch_status("b", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    world.secret("s", &[("password", "old")]).await;
    let owner = json!({"apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": "ServiceBinding", "name": "b",
                       "uid": old.metadata.uid, "controller": true, "blockOwnerDeletion": true});
    let owned = Patch::Merge(json!({"metadata": {"ownerReferences": [owner]}}));
    world.here::<Secret>().patch("s", &PatchParams::default(), &owned).await.unwrap();
    let _second = world.start(&QUICK).await;
    let adopted = until(&world.here::<Secret>(), "s", |secret: &Secret| {
        secret.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key("chandlery.dev/secret"))
    })
    .await;
    assert_eq!(data(&adopted)["password"], "old");
    assert!(binder.asked(Method::PUT).is_empty(), "nothing is bound again");
    api.delete("b", &DeleteParams::default()).await.unwrap();
    gone(&api, "b").await;
    assert_eq!(binder.asked(Method::DELETE).len(), 1);
}
