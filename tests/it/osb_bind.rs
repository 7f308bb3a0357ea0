//! `PUT`, `GET` and `DELETE` of a binding, asynchronous and in one request.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::app::{Options, TestApp};
use crate::support::parcels::{self, ASYNC, at, binding, refusal, slow, small, with};
use crate::support::wire::Transcript;

async fn with_instance(pool: PgPool, options: Options) -> TestApp {
    let app = TestApp::with(pool, options).await;
    app.put(&at("i?accepts_incomplete=true"), &small(&app).provision(json!({}))).await.expect(202);
    assert_eq!(app.settled(&at("i")).await["state"], "succeeded");
    app
}

#[sqlx::test]
async fn a_binding_in_one_request_on_the_wire(pool: PgPool) {
    let app = with_instance(pool, parcels::options()).await;
    let (ids, mut wire) = (small(&app), Transcript::new(&app));
    let path = binding("i", "b");
    let put = |parameters: Value| app.send(Method::PUT, &path, &ids.bind(parameters));
    let delete = |query: &str| app.request(Method::DELETE, &format!("{path}?{query}"));
    let first = wire.say("Made", put(json!({ "role": "producer" }))).await.expect(201);
    let again = wire.say("Sent again: the same credentials", put(json!({ "role": "producer" }))).await.expect(200);
    assert_eq!(first, again);
    let other = app.send(Method::PUT, &format!("{path}?{ASYNC}"), &ids.bind(json!({ "role": "producer" })));
    assert_eq!(wire.say("Sent again by a platform that can wait", other).await.expect(200), first);
    wire.say("Sent again with other parameters", put(json!({}))).await.expect(409);
    let fetched = wire.say("Fetched", app.request(Method::GET, &path)).await.expect(200);
    assert_eq!(fetched["credentials"], first["credentials"]);
    wire.say("Polled", app.request(Method::GET, &format!("{path}/last_operation"))).await.expect(200);
    wire.say("Unbound without a service", delete("plan_id=p")).await.expect(400);
    wire.say("Unbound", delete(&ids.query())).await.expect(200);
    wire.say("Unbound again", delete(&ids.query())).await.expect(410);
    wire.say("Unbound again, without anything", delete("")).await.expect(410);
    wire.say("Fetched", app.request(Method::GET, &path)).await.expect(404);
    wire.say("Polled", app.request(Method::GET, &format!("{path}/last_operation"))).await.expect(200);
    wire.check("bind");

    let anew = put(json!({})).send().await.expect(201);
    assert_ne!(anew["credentials"]["access_key_id"], first["credentials"]["access_key_id"]);
    assert_eq!(app.aws.inventory().await["users"].as_array().unwrap().len(), 1);
}

#[sqlx::test]
async fn a_binding_that_is_polled_for_on_the_wire(pool: PgPool) {
    let mut app = with_instance(pool, parcels::options()).await;
    app.replica.take().unwrap().stop().await;
    let (ids, mut wire) = (small(&app), Transcript::new(&app));
    let path = binding("i", "b");
    let put = |parameters: Value| app.send(Method::PUT, &format!("{path}?{ASYNC}"), &ids.bind(parameters));
    let poll = |name: &str| app.request(Method::GET, &format!("{path}/last_operation?operation={name}"));
    let first = wire.say("Accepted", put(json!({}))).await.expect(202);
    assert_eq!(wire.say("Sent again while it runs", put(json!({}))).await.expect(202), first);
    wire.say("Sent again with other parameters", put(json!({ "role": "producer" }))).await.expect(409);
    wire.say("Fetched too early", app.request(Method::GET, &path)).await.expect(404);
    let bind = first["operation"].as_str().unwrap().to_owned();
    wire.name(&bind, "BIND");
    wire.say("Polled", poll(&bind)).await.expect(200);
    let mut engine = app.engine(std::sync::Arc::new(chandlery::engine::Silent), crate::support::app::engine_settings());
    assert_eq!(app.settled(&path).await["state"], "succeeded");
    wire.say("Polled at the end", poll(&bind)).await.expect(200);
    let fetched = wire.say("Fetched", app.request(Method::GET, &path)).await.expect(200);
    assert_eq!(put(json!({})).send().await.expect(200)["credentials"], fetched["credentials"]);
    engine.stop().await;

    let all = format!("{path}?{ASYNC}&{}", ids.query());
    let first = wire.say("Unbind accepted", app.request(Method::DELETE, &all)).await.expect(202);
    assert_eq!(wire.say("Sent again while it runs", app.request(Method::DELETE, &all)).await.expect(202), first);
    wire.say("Fetched meanwhile", app.request(Method::GET, &path)).await.expect(404);
    wire.say("Bound meanwhile", put(json!({}))).await.expect(422);
    engine = app.engine(std::sync::Arc::new(chandlery::engine::Silent), crate::support::app::engine_settings());
    assert_eq!(app.settled(&path).await["state"], "succeeded");
    let unbind = first["operation"].as_str().unwrap().to_owned();
    wire.name(&unbind, "UNBIND");
    wire.say("Polled by its name", poll(&unbind)).await.expect(410);
    wire.say("Sent again", app.request(Method::DELETE, &all)).await.expect(410);
    wire.check("bind_async");
    engine.stop().await;
}

#[sqlx::test]
async fn every_differing_attribute_is_a_conflict(pool: PgPool) {
    let app = with_instance(pool, parcels::options()).await;
    let ids = small(&app);
    let body =
        with(ids.bind(json!({ "role": "producer" })), json!({ "bind_resource": { "app_guid": "a", "route": "r" } }));
    let first = app.put(&binding("i", "b"), &body).await.expect(201);
    for change in [
        json!({ "plan_id": app.ids("parcels", "large").plan }),
        json!({ "parameters": {} }),
        json!({ "parameters": { "role": "consumer" } }),
        json!({ "bind_resource": { "app_guid": "other", "route": "r" } }),
        json!({ "bind_resource": { "app_guid": "a" } }),
        json!({ "bind_resource": null }),
        json!({ "predecessor_binding_id": "x" }),
    ] {
        let reply = app.put(&binding("i", "b"), &with(body.clone(), change.clone())).await;
        assert_eq!(reply.status, 409, "{change}: {}", reply.text);
    }
    for change in [
        json!({ "context": { "platform": "x" }, "novel": 1 }),
        json!({ "app_guid": "a", "bind_resource": { "route": "r", "novel": [1] } }),
    ] {
        assert_eq!(
            app.put(&binding("i", "b"), &with(body.clone(), change.clone())).await.expect(200),
            first,
            "{change}"
        );
    }
}

#[sqlx::test]
async fn many_at_once_make_one_binding_and_get_the_same_credentials(pool: PgPool) {
    let app = with_instance(pool, parcels::options()).await;
    let (ids, path) = (small(&app), binding("i", "b"));
    let body = ids.bind(json!({}));
    let replies = join_all((0..10).map(|_| app.put(&path, &body))).await;
    let first = replies[0].json();
    for reply in replies {
        assert!(matches!(reply.status, 200 | 201), "{}", reply.text);
        assert_eq!(reply.json(), first);
    }
    let path = format!("{}?{ASYNC}", binding("i", "c"));
    let replies = join_all((0..10).map(|_| app.put(&path, &body))).await;
    // Whoever comes after it has ended gets the binding instead.
    let named: BTreeSet<String> =
        replies.iter().filter_map(|reply| reply.json()["operation"].as_str().map(str::to_owned)).collect();
    assert_eq!(named.len(), 1, "{named:?}");
    app.settled(&binding("i", "c")).await;
    assert_eq!(app.aws.inventory().await["users"].as_array().unwrap().len(), 2);
    // Bindings with names of their own do not hinder each other.
    let paths: Vec<String> = (0..6).map(|n| binding("i", &format!("own-{n}"))).collect();
    for reply in join_all(paths.iter().map(|path| app.put(path, &body))).await {
        reply.expect(201);
    }
}

#[sqlx::test]
async fn checks_come_in_the_order_of_the_specification(pool: PgPool) {
    let app = with_instance(pool, parcels::options()).await;
    let (ids, large) = (small(&app), app.ids("parcels", "large"));
    let mut wire = Transcript::new(&app);
    app.put(&binding("i", "taken"), &ids.bind(json!({ "role": "producer" }))).await.expect(201);
    let wrong = json!({ "role": "hunter2" });
    for (heading, path, body, status) in [
        ("Without a service", binding("no", "b"), json!({ "plan_id": ids.plan }), 400),
        ("Without a plan", binding("no", "b"), json!({ "service_id": ids.service }), 400),
        (
            "An unknown plan of an unknown instance",
            binding("no", "b"),
            with(ids.bind(wrong.clone()), json!({ "plan_id": "x" })),
            400,
        ),
        ("An unknown instance", binding("no", "b"), large.bind(wrong.clone()), 404),
        ("An id in use", binding("i", "taken"), large.bind(wrong.clone()), 409),
        ("Another plan than the instance's", binding("i", "b"), large.bind(wrong.clone()), 400),
        ("A parameter", binding("i", "b"), ids.bind(wrong), 400),
        (
            "A role that is not allowed",
            binding("i", "b"),
            ids.bind(json!({ "role_arn": "arn:aws:iam::000000000000:role/hunter2" })),
            400,
        ),
        (
            "An app that is no text",
            binding("i", "b"),
            with(ids.bind(json!({})), json!({ "bind_resource": { "app_guid": 5 } })),
            400,
        ),
        ("A predecessor", binding("i", "b"), with(ids.bind(json!({})), json!({ "predecessor_binding_id": "no" })), 400),
    ] {
        let reply = wire.say(heading, app.send(Method::PUT, &path, &body)).await;
        assert!(
            reply.status == status && !reply.text.contains("hunter2"),
            "{heading}: {} {}",
            reply.status,
            reply.text
        );
    }
    wire.check("bind_checks");
    app.aws.faults(json!([slow("sqs", "CreateQueue", 3.0)])).await;
    app.put(&at("young?accepts_incomplete=true"), &ids.provision(json!({}))).await.expect(202);
    assert_eq!(app.put(&binding("young", "b"), &ids.bind(json!({}))).await.expect(422)["error"], "ConcurrencyError");
}

#[sqlx::test]
async fn a_bind_that_takes_too_long_goes_on_and_is_joined(pool: PgPool) {
    let app = with_instance(pool, Options { sync_wait: Duration::from_millis(300), ..parcels::options() }).await;
    let (ids, mut wire, path) = (small(&app), Transcript::new(&app), binding("i", "b"));
    let put = || app.send(Method::PUT, &path, &ids.bind(json!({})));
    app.aws.faults(json!([slow("iam", "CreateUser", 1.0)])).await;
    let reply = wire.say("A bind that takes too long", put()).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("5")));
    app.aws.faults(json!([])).await;
    let joined = loop {
        match put().send().await {
            reply if reply.status == 503 => {}
            reply => break reply,
        }
    };
    assert!(matches!(joined.status, 200 | 201), "{}", joined.text);
    let credentials = joined.json()["credentials"].clone();
    assert_eq!(app.get(&path).await.expect(200)["credentials"], credentials);

    app.aws.faults(json!([slow("iam", "DeleteUser", 1.0)])).await;
    let delete = || app.request(Method::DELETE, &format!("{path}?{}", ids.query()));
    wire.say("An unbind that takes too long", delete()).await.expect(503);
    app.aws.faults(json!([])).await;
    let ended = loop {
        match delete().send().await.status {
            503 => {}
            status => break status,
        }
    };
    assert!(matches!(ended, 200 | 410), "{ended}");
    wire.check("bind_too_long");
    assert_eq!(app.aws.inventory().await["users"], json!([]));
}

#[sqlx::test]
async fn a_delete_supersedes_a_bind_that_runs(pool: PgPool) {
    let app = with_instance(pool, parcels::options()).await;
    let (ids, path) = (small(&app), binding("i", "b"));
    app.aws.faults(json!([slow("iam", "CreateUser", 1.5)])).await;
    let body = ids.bind(json!({}));
    let (bound, unbound) = tokio::join!(app.put(&path, &body), async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        app.delete(&format!("{path}?{}", ids.query())).await
    });
    assert_eq!((bound.status, bound.json()["error"].as_str()), (422, Some("ConcurrencyError")), "{}", bound.text);
    assert_eq!(unbound.expect(200), json!({}));
    app.get(&path).await.expect(404);
    app.assert_settled().await;
    assert_eq!(app.aws.inventory().await["users"], json!([]));
}

#[sqlx::test]
async fn a_failed_bind_leaves_nothing_and_can_be_tried_again(pool: PgPool) {
    let app = with_instance(pool, parcels::options()).await;
    let (ids, path) = (small(&app), binding("i", "b"));
    app.aws.faults(json!([refusal("iam", "PutUserPolicy")])).await;
    let refused = app.put(&path, &ids.bind(json!({}))).await.expect(400);
    let sentence = refused["description"].as_str().unwrap();
    assert!(sentence.contains("Not like this.") && sentence.ends_with("is removed again."), "{sentence}");
    assert_eq!(app.aws.inventory().await["users"], json!([]));
    app.get(&path).await.expect(404);
    let poll = app.get(&format!("{path}/last_operation")).await.expect(200);
    assert!(poll["state"] == "failed" && poll.get("instance_usable").is_none(), "{poll}");
    app.aws.faults(json!([])).await;
    app.put(&path, &ids.bind(json!({ "role": "producer" }))).await.expect(201);
    app.unbind("i", "b", &ids).await.expect(200);
}

#[sqlx::test]
async fn a_rotated_binding_inherits_what_it_does_not_say_and_both_hold(pool: PgPool) {
    let app = with_instance(pool, parcels::options()).await;
    let (ids, mut wire) = (small(&app), Transcript::new(&app));
    let body =
        with(ids.bind(json!({ "role": "producer" })), json!({ "app_guid": "a", "context": { "platform": "x" } }));
    let old = app.put(&binding("i", "old"), &body).await.expect(201);
    let rotate = |id: &str, body: Value| app.send(Method::PUT, &binding("i", id), &body);
    let short = json!({ "predecessor_binding_id": "old" });
    let new = wire.say("Rotated", rotate("new", short.clone())).await.expect(201);
    assert_eq!(wire.say("Sent again", rotate("new", short.clone())).await.expect(200), new);
    assert_ne!(new["credentials"]["access_key_id"], old["credentials"]["access_key_id"]);
    assert_eq!(app.get(&binding("i", "new")).await.expect(200)["parameters"], json!({ "role": "producer" }));
    assert_eq!(app.get(&binding("i", "old")).await.expect(200)["credentials"], old["credentials"]);
    let long = with(ids.bind(json!({ "role": "producer" })), short.clone());
    rotate("new", with(long.clone(), json!({ "app_guid": "a" }))).send().await.expect(200);
    for change in [
        json!({ "app_guid": "b" }),
        json!({ "parameters": { "role": "consumer" } }),
        json!({ "predecessor_binding_id": null }),
    ] {
        rotate("new", with(long.clone(), change)).send().await.expect(409);
    }
    wire.say("Of nothing", rotate("x", json!({ "predecessor_binding_id": "nothing" }))).await.expect(400);
    wire.say("Of no name", rotate("x", json!({ "predecessor_binding_id": "" }))).await.expect(400);
    app.unbind("i", "old", &ids).await.expect(200);
    wire.say("Of one that is gone", rotate("x", short.clone())).await.expect(400);
    app.get(&binding("i", "new")).await.expect(200);
    let large = app.ids("parcels", "large");
    let fixed = app.provision(&large, json!({})).await;
    app.put(&binding(&fixed, "old"), &large.bind(json!({}))).await.expect(201);
    wire.name(&fixed, "INSTANCE");
    wire.say("Of a plan without", app.send(Method::PUT, &binding(&fixed, "new"), &short)).await.expect(400);
    wire.check("rotation");
}
