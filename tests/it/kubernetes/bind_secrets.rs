//! The Secret of a binding: whose it is, what it holds, that it stays so, and that its credentials are replaced in time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chandlery::kubernetes::api::{ServiceBinding, ServicePlan};
use http::Method;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::binder::{Binder, Fault};
use super::bindings::{bound, data, make, ready, with_reason};
use super::world::{World, gone, until};

async fn password(world: &World, name: &str, wanted: &str) -> Secret {
    until(&world.here::<Secret>(), name, |secret| data(secret).get("password").is_some_and(|is| is == wanted)).await
}

async fn edit(world: &World, name: &str, change: serde_json::Value) {
    world.here::<Secret>().patch(name, &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_somebody_else_is_left_alone_and_no_bind_is_sent() {
    let binder = Binder::start().await;
    let Some((world, _running)) = ready(&binder).await else { return };
    world.secret("taken", &[("theirs", "x")]).await;
    make(&world, "b", json!({}), json!({"secretName": "taken"})).await;
    let waiting = with_reason(&world, "b", "ErrorInjectingBindResult").await;
    assert!(waiting.status.unwrap().conditions[0].message.contains("taken"));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(binder.asked(Method::PUT).is_empty(), "D7: no bind for a Secret that cannot be written");
    assert_eq!(
        data(&world.here::<Secret>().get("taken").await.unwrap()),
        BTreeMap::from([("theirs".into(), "x".into())])
    );
    world.here::<Secret>().delete("taken", &DeleteParams::default()).await.unwrap();
    bound(&world, "b").await;
    assert_eq!(binder.asked(Method::PUT).len(), 1);
    // Two bindings never fight over one Secret.
    make(&world, "c", json!({}), json!({"secretName": "taken"})).await;
    with_reason(&world, "c", "ErrorInjectingBindResult").await;
    world.here::<ServiceBinding>().delete("c", &DeleteParams::default()).await.unwrap();
    gone(&world.here::<ServiceBinding>(), "c").await;
    assert!(world.here::<Secret>().get_opt("taken").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_deleted_or_edited_comes_back_with_the_same_credentials() {
    for retrievable in [false, true] {
        let binder = Binder::start().await;
        if retrievable {
            binder.retrievable(0);
        }
        let Some((world, _running)) = ready(&binder).await else { return };
        make(&world, "b", json!({}), json!({})).await;
        bound(&world, "b").await;
        world.here::<Secret>().delete("b", &DeleteParams::default()).await.unwrap();
        password(&world, "b", "hunter1").await;
        edit(&world, "b", json!({"stringData": {"password": "edited", "theirs": "x"}, "data": {"user": null}})).await;
        let repaired = password(&world, "b", "hunter1").await;
        assert_eq!(data(&repaired)["user"], "u");
        assert_eq!(data(&repaired)["theirs"], "x", "what somebody else adds is theirs");
        edit(&world, "b", json!({"metadata": {"labels": null, "ownerReferences": null}})).await;
        until(&world.here::<Secret>(), "b", |secret| {
            !secret.owner_references().is_empty() && !secret.labels().is_empty()
        })
        .await;
        assert_eq!(binder.made(), 1, "nothing new is made");
        let sent = binder.asked(if retrievable { Method::GET } else { Method::PUT }).len();
        assert!((2..=4).contains(&sent), "D8, and a repair ends: {sent}");
        bound(&world, "b").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_the_broker_has_lost_are_made_anew() {
    let binder = Binder::start().await;
    binder.retrievable(0);
    let Some((world, _running)) = ready(&binder).await else { return };
    make(&world, "b", json!({"chandlery.dev/rotation-overlap": "1s"}), json!({})).await;
    let binding = bound(&world, "b").await;
    binder.lose(&binding.spec.external_id);
    world.here::<Secret>().delete("b", &DeleteParams::default()).await.unwrap();
    password(&world, "b", "hunter2").await;
    bound(&world, "b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transforms_and_annotations_shape_the_secret() {
    let binder = Binder::start().await;
    binder.credentials(json!({"type": "postgresql", "provider": "aws", "tls": {"ca": "PEM"}}));
    let Some((world, _running)) = ready(&binder).await else { return };
    world.secret("more", &[("extra", "x")]).await;
    let transforms = json!([
        {"renameKey": {"from": "user", "to": "username"}},
        {"addKey": {"key": "url", "jsonPathExpression": "postgres://{.username}:{.password}@h:{.port}", "value": null}},
        {"addKey": {"key": "note", "stringValue": "text"}},
        {"addKeysFrom": {"secretRef": {"namespace": world.namespace, "name": "more"}}},
        {"removeKey": {"key": "tls"}},
    ]);
    let annotations = json!({"chandlery.dev/secret-labels": r#"{"app":"shop"}"#, "chandlery.dev/secret-annotations": r#"{"a/b":"c"}"#});
    make(&world, "b", annotations, json!({"secretTransforms": transforms})).await;
    bound(&world, "b").await;
    let secret = world.here::<Secret>().get("b").await.unwrap();
    let expected = json!({"username": "u", "password": "hunter1", "port": "5432", "url": "postgres://u:hunter1@h:5432",
                          "note": "text", "extra": "x", "type": "postgresql", "provider": "aws"});
    assert_eq!(json!(data(&secret)), expected);
    assert_eq!(secret.type_.as_deref(), Some("servicebinding.io/postgresql"));
    assert_eq!((secret.labels()["app"].as_str(), secret.annotations()["a/b"].as_str()), ("shop", "c"));

    make(&world, "one", json!({"chandlery.dev/secret-json-key": "credentials"}), json!({})).await;
    bound(&world, "one").await;
    let one = data(&world.here::<Secret>().get("one").await.unwrap());
    let whole: serde_json::Value = serde_json::from_str(&one["credentials"]).unwrap();
    assert_eq!((one.len(), &whole["tls"]["ca"], &whole["port"]), (1, &json!("PEM"), &json!(5432)));
    world.kubectl(&["annotate", "servicebinding", "one", "chandlery.dev/secret-json-key-"]).expect();
    let plain = password(&world, "one", "hunter2").await;
    assert!(!data(&plain).contains_key("credentials"), "what we wrote before is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_secret_is_unbound_and_said_without_its_value() {
    let binder = Binder::start().await;
    binder.credentials(json!({"no key": "sesame"}));
    let Some((world, _running)) = ready(&binder).await else { return };
    make(&world, "b", json!({}), json!({})).await;
    let failed = until(&world.here::<ServiceBinding>(), "b", |binding: &ServiceBinding| {
        binding
            .status
            .as_ref()
            .is_some_and(|status| status.conditions.len() == 2 && !status.orphan_mitigation_in_progress)
    })
    .await;
    let text = serde_json::to_string(&failed.status).unwrap();
    assert!(text.contains("no key") && !text.contains("sesame"), "{text}");
    assert!(binder.there().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_replaced_on_request_and_in_time_with_an_overlap() {
    let binder = Binder::start().await;
    binder.plan(json!({"binding_rotatable": true}));
    let Some((world, _running)) = ready(&binder).await else { return };
    let plans = world.here::<ServicePlan>();
    until(&plans, "plan", |plan| plan.spec.common.binding_rotatable == Some(true)).await;
    make(&world, "b", json!({"chandlery.dev/rotation-overlap": "2s"}), json!({})).await;
    let first = bound(&world, "b").await.spec.external_id;
    let uid = world.here::<Secret>().get("b").await.unwrap().uid();
    binder.fault(Method::PUT, "service_bindings", 2, Fault::Answer(503, json!({"description": "Later."})));
    world.kubectl(&["annotate", "servicebinding", "b", "chandlery.dev/rotate-request=1"]).expect();
    let replaced = password(&world, "b", "hunter2").await;
    assert_eq!(replaced.uid(), uid, "one Secret, changed in place");
    let body = binder.asked(Method::PUT).last().unwrap().body.clone();
    assert_eq!(body["predecessor_binding_id"], json!(first));
    assert_eq!(binder.there().len(), 2, "both are good for a while");
    let deadline = Instant::now() + Duration::from_secs(20);
    while binder.there().len() > 1 {
        assert!(Instant::now() < deadline, "the former one is deleted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!binder.there().contains(&first));
    let status = bound(&world, "b").await.status.unwrap();
    assert_eq!(status.rotation.unwrap().requested, "1");

    let at = |seconds: i64| {
        (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds)).strftime("%FT%T.0Z").to_string()
    };
    binder.metadata(json!({"renew_before": at(3), "expires_at": at(60)}));
    make(&world, "timed", json!({"chandlery.dev/rotation-overlap": "1h"}), json!({})).await;
    bound(&world, "timed").await;
    binder.metadata(json!({}));
    until(&world.here::<Secret>(), "timed", |secret| data(secret).get("password").is_some_and(|is| is != "hunter3"))
        .await;
    world.here::<ServiceBinding>().delete("timed", &DeleteParams::default()).await.unwrap();
    world.here::<ServiceBinding>().delete("b", &DeleteParams::default()).await.unwrap();
    gone(&world.here::<ServiceBinding>(), "timed").await;
    gone(&world.here::<ServiceBinding>(), "b").await;
    assert!(binder.there().is_empty(), "a delete takes all of them: {:?}", binder.there());
}
