//! `DELETE /v2/service_instances/:instance_id`, tombstones, and orphan mitigation.

use std::sync::Arc;

use chandlery::engine::Silent;
use http::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::app::{Options, TestApp, engine_settings};
use crate::support::parcels::{self, ASYNC, at, patch, refusal, small};
use crate::support::wire::Transcript;

#[sqlx::test]
async fn the_life_of_a_delete_on_the_wire(pool: PgPool) {
    let mut app = parcels::start(pool).await;
    let ids = small(&app);
    app.put(&at("i?accepts_incomplete=true"), &ids.provision(json!({}))).await.expect(202);
    app.settled(&at("i")).await;
    app.bind("i", &ids, json!({})).await;
    app.replica.take().unwrap().stop().await;

    let mut wire = Transcript::new(&app);
    let delete = |query: &str| app.request(Method::DELETE, &at(&format!("i?{query}")));
    let get = |path: &str| app.request(Method::GET, &at(path));
    let all = format!("{ASYNC}&{}", ids.query());
    wire.say("Without a service", delete(&format!("{ASYNC}&plan_id=p"))).await.expect(400);
    wire.say("Without a plan", delete(&format!("service_id=s&{ASYNC}&plan_id="))).await.expect(400);
    wire.say("The platform cannot wait", delete(&ids.query())).await.expect(422);
    let first = wire.say("Accepted, with a binding", delete(&all)).await.expect(202);
    let again =
        wire.say("Sent again while it runs, naming anything", delete(&format!("{ASYNC}&service_id=s&plan_id=p"))).await;
    assert_eq!(first, again.expect(202));
    wire.say("Fetched meanwhile", get("i")).await.expect(404);
    let put = app.send(Method::PUT, &at("i?accepts_incomplete=true"), &ids.provision(json!({})));
    wire.say("Ordered meanwhile", put).await.expect(422);
    let change = app.send(Method::PATCH, &at("i?accepts_incomplete=true"), &patch(&ids, json!({})));
    wire.say("Changed meanwhile", change).await.expect(422);
    let bind = app.send(Method::PUT, &parcels::binding("i", "new"), &ids.bind(json!({})));
    wire.say("Bound meanwhile", bind).await.expect(422);
    wire.say("Polled", get("i/last_operation")).await.expect(200);

    let engine = app.engine(Arc::new(Silent), engine_settings());
    assert_eq!(app.settled(&at("i")).await["state"], "succeeded");
    app.assert_nothing_left().await;
    let operation = first["operation"].as_str().unwrap();
    wire.name(operation, "OPERATION");
    wire.say("Polled by its name", get(&format!("i/last_operation?operation={operation}"))).await.expect(410);
    wire.say("Polled without a name", get("i/last_operation")).await.expect(200);
    wire.say("Polled by a name of nothing", get("i/last_operation?operation=task_10")).await.expect(200);
    wire.say("Deleted again", delete(&all)).await.expect(410);
    wire.say("Deleted again by a platform that cannot wait", delete(&ids.query())).await.expect(422);
    wire.say("Fetched", get("i")).await.expect(404);
    wire.check("deprovision");

    // The id is free, and whoever still asks about the delete hears of the delete.
    app.put(&at("i?accepts_incomplete=true"), &ids.provision(json!({ "hidden": 1 }))).await.expect(202);
    assert_eq!(app.get(&at(&format!("i/last_operation?operation={operation}"))).await.status, 410);
    assert_eq!(app.settled(&at("i")).await["state"], "succeeded");
    assert_eq!(app.get(&at(&parcels::binding("i", "x").replace(&at(""), ""))).await.status, 404);
    engine.stop().await;
}

#[sqlx::test]
async fn what_was_never_seen_is_gone_and_leaves_no_trace(pool: PgPool) {
    let app = parcels::idle(pool).await;
    let (ids, mut wire) = (small(&app), Transcript::new(&app));
    let all = format!("{ASYNC}&{}", ids.query());
    let delete = |path: &str| app.request(Method::DELETE, path);
    let get = |path: &str| app.request(Method::GET, path);
    wire.say("An instance", delete(&at(&format!("never?{all}")))).await.expect(410);
    wire.say("A binding of no instance", delete(&format!("{}?{all}", parcels::binding("never", "b"))))
        .await
        .expect(410);
    wire.say("Its operation", get(&at("never/last_operation?operation=x"))).await.expect(404);
    wire.say("The binding's operation", get(&format!("{}/last_operation", parcels::binding("never", "b"))))
        .await
        .expect(404);
    wire.say("The binding", get(&parcels::binding("never", "b"))).await.expect(404);
    app.put(&at("i?accepts_incomplete=true"), &ids.provision(json!({}))).await.expect(202);
    wire.say("A binding of an instance", delete(&format!("{}?{all}", parcels::binding("i", "b")))).await.expect(410);
    wire.check("never_seen");
}

#[sqlx::test]
async fn a_delete_stops_and_undoes_what_runs(pool: PgPool) {
    let mut app = parcels::start(pool).await;
    let ids = small(&app);
    let all = format!("{ASYNC}&{}", ids.query());
    let ready = app.provision(&ids, json!({})).await;
    app.replica.take().unwrap().stop().await;
    let named = |reply: Value| reply["operation"].as_str().unwrap().to_owned();
    let provision = named(app.put(&at(&format!("half?{ASYNC}")), &ids.provision(json!({}))).await.expect(202));
    let update = patch(&ids, json!({ "parameters": { "hidden": 1 } }));
    let update = named(app.patch(&at(&format!("{ready}?{ASYNC}")), &update).await.expect(202));
    let mut stopped = Vec::new();
    for (id, before) in [("half", provision), (ready.as_str(), update)] {
        let delete = named(app.delete(&at(&format!("{id}?{all}"))).await.expect(202));
        // Until it has ended, whoever asks about the one before hears of the delete.
        let poll = app.get(&at(&format!("{id}/last_operation?operation={before}"))).await.expect(200);
        let rows: Vec<String> = sqlx::query_scalar("SELECT concat_ws(' ', owner, id, kind, state, created_at, finished_at, description) FROM operation ORDER BY created_at").fetch_all(&app.pool).await.unwrap();
        assert_eq!(poll["description"], "Accepted; deleting begins in a moment.", "{rows:#?} {before} {delete}");
        stopped.push((id, before, delete));
    }
    let engine = app.engine(Arc::new(Silent), engine_settings());
    for (id, before, delete) in stopped {
        let end = app.settled(&at(id)).await;
        assert_eq!(end["state"], "succeeded", "{end}");
        assert_eq!(app.get(&at(&format!("{id}/last_operation?operation={delete}"))).await.status, 410);
        let poll = app.get(&at(&format!("{id}/last_operation?operation={before}"))).await.expect(200);
        assert_eq!(poll, json!({ "state": "failed", "description": "It was stopped by a delete, which has ended." }));
    }
    app.assert_settled().await;
    app.assert_nothing_left().await;
    engine.stop().await;
}

#[sqlx::test]
async fn a_refused_delete_leaves_the_instance_usable_and_can_be_tried_again(pool: PgPool) {
    let app = parcels::start(pool).await;
    let (ids, mut wire) = (small(&app), Transcript::new(&app));
    let id = app.provision(&ids, json!({})).await;
    wire.name(&id, "INSTANCE");
    let url = app.get(&at(&id)).await.expect(200)["metadata"]["attributes"]["queue"].as_str().unwrap().to_owned();
    let sqs = app.aws.sessions().await.of(&app.aws.target()).await.unwrap().sqs();
    sqs.send_message().queue_url(&url).message_body("parcel").delay_seconds(0).send().await.unwrap();
    let end = app.deprovision(&id, &ids).await;
    assert_eq!((&end["state"], &end["instance_usable"]), (&json!("failed"), &json!(true)), "{end}");
    wire.say("Polled", app.request(Method::GET, &at(&format!("{id}/last_operation")))).await.expect(200);
    wire.say("Polled in 2.15", app.speaking("2.15", Method::GET, &at(&format!("{id}/last_operation"))))
        .await
        .expect(200);
    wire.say("Fetched", app.request(Method::GET, &at(&id))).await.expect(200);
    wire.check("deprovision_refused");
    app.bind(&id, &ids, json!({})).await;
    sqs.purge_queue().queue_url(&url).send().await.unwrap();
    assert_eq!(app.deprovision(&id, &ids).await["state"], "succeeded");
    app.assert_nothing_left().await;
}

#[sqlx::test]
async fn an_offering_may_refuse_to_delete_what_is_bound(pool: PgPool) {
    let catalog = parcels::edited(&[("name: parcels\n", "name: parcels\ndeletion_with_bindings: refuse\n")]);
    let app = TestApp::with(pool, Options { catalog, ..Options::default() }).await;
    let (ids, mut wire) = (small(&app), Transcript::new(&app));
    let id = app.provision(&ids, json!({})).await;
    app.put(&parcels::binding(&id, "b-1"), &ids.bind(json!({}))).await.expect(201);
    wire.name(&id, "INSTANCE");
    let delete = app.request(Method::DELETE, &at(&format!("{id}?{ASYNC}&{}", ids.query())));
    wire.say("Still bound", delete).await.expect(422);
    wire.check("deprovision_bound");
    app.unbind(&id, "b-1", &ids).await.expect(200);
    assert_eq!(app.deprovision(&id, &ids).await["state"], "succeeded");
}

#[sqlx::test]
async fn a_failed_instance_can_be_deleted(pool: PgPool) {
    let app = parcels::start(pool).await;
    let ids = small(&app);
    app.aws.faults(json!([refusal("sqs", "CreateQueue")])).await;
    let id = app.order(&ids, json!({})).await;
    assert_eq!(app.settled(&at(&id)).await["state"], "failed");
    assert_eq!(app.deprovision(&id, &ids).await["state"], "succeeded");
    app.delete(&at(&format!("{id}?{ASYNC}&{}", ids.query()))).await.expect(410);
}
