//! The main job with the offerings of the repository, end to end.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::app::{Ids, Options, TestApp};
use crate::support::aws::Aws;

async fn update(app: &TestApp, id: &str, ids: &Ids, parameters: Value) -> Value {
    let path = format!("/v2/service_instances/{id}");
    let body = json!({ "service_id": ids.service, "parameters": parameters });
    app.patch(&format!("{path}?accepts_incomplete=true"), &body).await.expect(202);
    app.settled(&path).await
}

/// What changes one thing of the queue service, in order.
async fn changes(aws: &Aws) -> Vec<String> {
    let calls = aws.calls().await.into_iter();
    calls.filter(|call| ["SetQueueAttributes", "DeleteQueue"].iter().any(|name| call.ends_with(name))).collect()
}

#[sqlx::test]
async fn a_bucket_is_ordered_bound_used_unbound_and_deleted(pool: PgPool) {
    let app = TestApp::start(pool).await;
    let ids = app.ids("s3-bucket", "standard");
    let instance = app.provision(&ids, json!({})).await;
    let (binding, answer) = app.bind(&instance, &ids, json!({})).await;
    assert_eq!(answer["credentials"]["type"], "s3");
    app.unbind(&instance, &binding, &ids).await.expect(200);
    let end = app.deprovision(&instance, &ids).await;
    assert_eq!(end["state"], "succeeded", "{end}");
    app.assert_settled().await;
    app.assert_nothing_left().await;
}

#[sqlx::test]
async fn what_an_update_removes_goes_last_and_only_if_it_may(pool: PgPool) {
    let app = TestApp::start(pool).await;
    let ids = app.ids("sqs-queue", "standard");
    let sqs = app.aws.sessions().await.of(&app.aws.target()).await.unwrap().sqs();
    let off = json!({ "dead_letter_queue": false });

    let free = app.provision(&ids, json!({})).await;
    app.aws.calls().await;
    assert_eq!(update(&app, &free, &ids, off.clone()).await["state"], "succeeded");
    assert_eq!(changes(&app.aws).await, ["sqs:SetQueueAttributes", "sqs:DeleteQueue"]);
    app.deprovision(&free, &ids).await;

    // Where a queue is to be kept, its dead letters are: with messages in it, or for good.
    let full = app.provision(&ids, json!({ "deletion": "refuse" })).await;
    let urls = sqs.list_queues().send().await.unwrap().queue_urls.unwrap();
    let dead_letters = urls.iter().find(|url| url.ends_with("-dlq")).expect("its dead-letter queue");
    sqs.send_message().queue_url(dead_letters).message_body("x").send().await.unwrap();
    app.aws.calls().await;
    let end = update(&app, &full, &ids, off.clone()).await;
    assert_eq!((&end["state"], &end["instance_usable"]), (&json!("failed"), &json!(true)), "{end}");
    assert_eq!(changes(&app.aws).await, Vec::<String>::new());
    sqs.purge_queue().queue_url(dead_letters).send().await.unwrap();
    app.deprovision(&full, &ids).await;

    let kept = app.provision(&ids, json!({ "deletion": "retain" })).await;
    let body = json!({ "service_id": ids.service, "parameters": off });
    let path = format!("/v2/service_instances/{kept}?accepts_incomplete=true");
    let refused = app.patch(&path, &body).await.expect(422);
    assert!(refused["description"].as_str().unwrap().contains("dead letters"), "{refused}");
}

#[sqlx::test]
async fn an_update_that_would_break_a_binding_is_refused_and_names_it(pool: PgPool) {
    let app = TestApp::start(pool).await;
    let ids = app.ids("sqs-queue", "standard");
    let instance = app.provision(&ids, json!({})).await;
    let (binding, _) = app.bind(&instance, &ids, json!({ "dead_letters": true })).await;
    let path = format!("/v2/service_instances/{instance}?accepts_incomplete=true");
    let body = json!({ "service_id": ids.service, "parameters": { "dead_letter_queue": false } });
    let refused = app.patch(&path, &body).await.expect(422);
    assert!(refused["description"].as_str().unwrap().contains(&binding), "{refused}");
    app.unbind(&instance, &binding, &ids).await.expect(200);
    assert_eq!(update(&app, &instance, &ids, body["parameters"].clone()).await["state"], "succeeded");
}

#[sqlx::test]
async fn what_the_administrator_forces_on_bindings_nobody_beats(pool: PgPool) {
    let rule = "  - match: {}\n    forced: { role: read-only }\n";
    let options = Options::default();
    let options = Options { policy: format!("{}{rule}", options.policy), ..options };
    let app = TestApp::with(pool, options).await;
    let ids = app.ids("s3-bucket", "standard");
    let instance = app.provision(&ids, json!({})).await;
    let path = format!("/v2/service_instances/{instance}/service_bindings/b");
    let refused = app.put(&path, &ids.bind(json!({ "role": "read-write" }))).await.expect(400);
    assert!(refused["description"].as_str().unwrap().starts_with("role is set by the administrator"), "{refused}");
    let (_, answer) = app.bind(&instance, &ids, json!({})).await;
    let word = |name: &str| answer["credentials"][name].as_str().unwrap().to_owned();
    let sessions = app.aws.sessions_as(&word("access_key_id"), &word("secret_access_key"), None).await;
    let s3 = sessions.of(&app.aws.target()).await.unwrap().s3();
    s3.list_objects_v2().bucket(word("bucket")).send().await.unwrap();
    let written = s3.put_object().bucket(word("bucket")).key("x").send().await;
    assert!(written.is_err(), "the binding can write");
}
