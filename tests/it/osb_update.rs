//! `PATCH /v2/service_instances/:instance_id`.

use std::sync::Arc;

use chandlery::catalog::Catalog;
use chandlery::engine::Silent;
use http::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::app::{Ids, TestApp, engine_settings};
use crate::support::parcels::{self, ASYNC, at, patch, refusal, small};
use crate::support::wire::Transcript;

async fn change(app: &TestApp, id: &str, ids: &Ids, changes: Value) -> Value {
    app.patch(&at(&format!("{id}?{ASYNC}")), &patch(ids, changes)).await.expect(202);
    app.settled(&at(id)).await
}

#[sqlx::test]
async fn the_life_of_an_update_on_the_wire(pool: PgPool) {
    let mut app = parcels::start(pool).await;
    let ids = small(&app);
    let order = ids.provision(json!({ "retention": 600, "hidden": 10 }));
    app.put(&at("i?accepts_incomplete=true"), &order).await.expect(202);
    app.settled(&at("i")).await;
    app.replica.take().unwrap().stop().await;

    let mut wire = Transcript::new(&app);
    let send = |query: &str, body: Value| app.send(Method::PATCH, &at(&format!("i{query}")), &patch(&ids, body));
    let both = json!({ "parameters": { "retention": 700, "hidden": null } });
    wire.say("The platform cannot wait", send("", both.clone())).await.expect(422);
    let first = wire.say("Accepted", send("?accepts_incomplete=true", both.clone())).await.expect(202);
    let again = wire.say("Sent again while it runs", send("?accepts_incomplete=true", both.clone())).await.expect(202);
    assert_eq!(first, again);
    wire.say("Sent again by a platform that cannot wait", send("", both.clone())).await.expect(422);
    let other = json!({ "parameters": { "retention": 701 } });
    wire.say("Another change meanwhile", send("?accepts_incomplete=true", other)).await.expect(422);
    let put = app.send(Method::PUT, &at("i?accepts_incomplete=true"), &order);
    wire.say("The order again meanwhile", put).await.expect(422);
    let bind = app.send(Method::PUT, &parcels::binding("i", "b"), &ids.bind(json!({})));
    wire.say("A bind meanwhile", bind).await.expect(422);
    let fetched = wire.say("Fetched meanwhile: as it was", app.request(Method::GET, &at("i"))).await.expect(200);
    assert_eq!(fetched["parameters"], json!({ "retention": 600, "hidden": 10 }));

    let engine = app.engine(Arc::new(Silent), engine_settings());
    assert_eq!(app.settled(&at("i")).await["state"], "succeeded");
    wire.name(first["operation"].as_str().unwrap(), "OPERATION");
    let poll = format!("i/last_operation?plan_id=any&operation={}", first["operation"].as_str().unwrap());
    wire.say("Polled at the end", app.request(Method::GET, &at(&poll))).await.expect(200);
    let done = wire.say("Sent again: nothing to do", send("", both)).await.expect(200);
    assert_eq!(done, json!({}));
    let fetched = wire.say("Fetched", app.request(Method::GET, &at("i"))).await.expect(200);
    assert_eq!(fetched["parameters"], json!({ "retention": 700 }));
    wire.check("update");
    // The order is compared with what the instance is now.
    app.put(&at("i?accepts_incomplete=true"), &order).await.expect(409);
    app.put(&at("i?accepts_incomplete=true"), &ids.provision(json!({ "retention": 700 }))).await.expect(200);
    engine.stop().await;
}

#[sqlx::test]
async fn what_changes_nothing_is_answered_at_once_and_without_waiting(pool: PgPool) {
    let app = parcels::start(pool).await;
    let ids = small(&app);
    let id = app.provision(&ids, json!({ "retention": 600 })).await;
    for changes in [
        json!({}),
        json!({ "parameters": null, "maintenance_info": {} }),
        json!({ "plan_id": ids.plan, "previous_values": { "plan_id": "", "novel": 1 }, "novel": [] }),
        json!({ "parameters": { "retention": 600, "target": "main" } }),
        json!({ "parameters": { "key": null } }),
        json!({ "maintenance_info": { "version": "1.0.0" } }),
    ] {
        let reply = app.patch(&at(&id), &patch(&ids, changes.clone())).await;
        assert_eq!(reply.expect(200), json!({}), "{changes}");
    }
}

#[sqlx::test]
async fn a_new_context_shows_in_the_first_answer(pool: PgPool) {
    let mut app = parcels::start(pool).await;
    let ids = small(&app);
    let id = app.provision(&ids, json!({ "retention": 600 })).await;
    let context = |namespace: &str| json!({ "platform": "kubernetes", "namespace": namespace });
    let label = |answer: &Value| answer["metadata"]["labels"]["namespace"].clone();
    let moved = app.patch(&at(&id), &patch(&ids, json!({ "context": context("team-b") }))).await.expect(200);
    assert_eq!((label(&moved), label(&app.get(&at(&id)).await.expect(200))), (json!("team-b"), json!("team-b")));
    app.replica.take().unwrap().stop().await;

    let path = at(&format!("{id}?{ASYNC}"));
    let to =
        |namespace: &str| patch(&ids, json!({ "parameters": { "retention": 700 }, "context": context(namespace) }));
    let accepted = app.patch(&path, &to("team-c")).await.expect(202);
    assert_eq!(label(&accepted), "team-c");
    assert_eq!(app.patch(&path, &to("team-c")).await.expect(202), accepted);
    let without = patch(&ids, json!({ "parameters": { "retention": 700 } }));
    assert_eq!(app.patch(&path, &without).await.expect(202), accepted);
    assert_eq!(app.patch(&path, &to("team-d")).await.expect(422)["error"], "ConcurrencyError");
    let engine = app.engine(Arc::new(Silent), engine_settings());
    assert_eq!(app.settled(&at(&id)).await["state"], "succeeded");
    assert_eq!(label(&app.get(&at(&id)).await.expect(200)), "team-c");
    engine.stop().await;
}

#[sqlx::test]
async fn an_impossible_update_is_refused_before_anything_changes(pool: PgPool) {
    let app = parcels::start(pool).await;
    let ids = small(&app);
    let id = app.provision(&ids, json!({ "wait": 3 })).await;
    app.aws.calls().await;
    let mut wire = Transcript::new(&app);
    wire.name(&id, "INSTANCE");
    let sealed = app.ids("parcels", "sealed").plan;
    let send = |id: &str, body: Value| app.send(Method::PATCH, &at(&format!("{id}?accepts_incomplete=true")), &body);
    for (heading, body, status) in [
        ("Without a service", json!({}), 400),
        ("With an empty plan", patch(&ids, json!({ "plan_id": "" })), 400),
        ("Of another service", json!({ "service_id": "another" }), 400),
        ("To an unknown plan", patch(&ids, json!({ "plan_id": "unknown" })), 400),
        ("A parameter that the plan fixes", patch(&ids, json!({ "parameters": { "delay": 1 } })), 400),
        ("Taking that one back", patch(&ids, json!({ "parameters": { "delay": null } })), 400),
        ("Taking back what there is not", patch(&ids, json!({ "parameters": { "dealy": null } })), 400),
        ("A parameter before the plan", patch(&ids, json!({ "plan_id": sealed, "parameters": { "hidden": -1 } })), 400),
        (
            "To a plan out of reach",
            patch(&ids, json!({ "plan_id": sealed, "maintenance_info": { "version": "7.0.0" } })),
            422,
        ),
        ("Another maintenance version", patch(&ids, json!({ "maintenance_info": { "version": "7.0.0" } })), 422),
        ("What cannot change", patch(&ids, json!({ "parameters": { "wait": 4 } })), 422),
        ("What cannot change, taken back", patch(&ids, json!({ "parameters": { "wait": null } })), 422),
    ] {
        wire.say(heading, send(&id, body)).await.expect(status);
    }
    wire.say("Of an unknown instance", send("unknown", patch(&ids, json!({})))).await.expect(404);
    wire.check("update_refused");
    assert_eq!(app.get(&at(&id)).await.expect(200)["parameters"], json!({ "wait": 3 }));
    assert_eq!(app.aws.calls().await, Vec::<String>::new());
}

#[sqlx::test]
async fn a_plan_change_takes_along_what_is_still_the_users(pool: PgPool) {
    let app = parcels::start(pool).await;
    let (small, large, sealed) = (small(&app), app.ids("parcels", "large"), app.ids("parcels", "sealed"));
    let id = app.provision(&small, json!({ "retention": 600, "largest": 2048 })).await;
    let end = change(&app, &id, &small, json!({ "plan_id": large.plan })).await;
    assert_eq!(end["state"], "succeeded", "{end}");
    let fetched = app.get(&at(&id)).await.expect(200);
    // The plan fixes the size, and has a default of its own for another.
    assert_eq!((&fetched["plan_id"], &fetched["parameters"]), (&json!(large.plan), &json!({ "retention": 600 })));
    app.put(&at(&format!("{id}?{ASYNC}")), &large.provision(json!({ "retention": 600 }))).await.expect(200);

    change(&app, &id, &large, json!({ "plan_id": sealed.plan })).await;
    let fetched = app.get(&at(&id)).await.expect(200);
    assert_eq!((&fetched["plan_id"], fetched.get("maintenance_info")), (&json!(sealed.plan), None));
    let back = patch(&sealed, json!({ "plan_id": small.plan }));
    let refused = app.patch(&at(&format!("{id}?{ASYNC}")), &back).await.expect(422);
    assert_eq!((&refused["error"], &refused["update_repeatable"]), (&json!("PlanChangeNotSupported"), &json!(false)));
    app.deprovision(&id, &small).await;
    app.assert_nothing_left().await;
}

#[sqlx::test]
async fn bindings_follow_an_update_and_keep_their_credentials(pool: PgPool) {
    let app = parcels::start(pool).await;
    let ids = small(&app);
    let id = app.provision(&ids, json!({})).await;
    let (binding, before) = app.bind(&id, &ids, json!({ "role": "producer" })).await;
    let large = app.ids("parcels", "large");
    let end = change(&app, &id, &ids, json!({ "plan_id": large.plan, "parameters": { "retention": 700 } })).await;
    assert_eq!(end["state"], "succeeded", "{end}");
    let path = parcels::binding(&id, &binding);
    assert_eq!(app.get(&path).await.expect(200)["credentials"], before["credentials"]);
    // A platform sends the binding again with the plan that the instance has by now, or with the one it had.
    for ids in [&ids, &large] {
        let again = app.put(&path, &ids.bind(json!({ "role": "producer" }))).await.expect(200);
        assert_eq!(again, before);
    }
    app.unbind(&id, &binding, &large).await.expect(200);
}

#[sqlx::test]
async fn a_failed_update_leaves_the_instance_as_it_was(pool: PgPool) {
    let app = parcels::start(pool).await;
    let ids = small(&app);
    let id = app.provision(&ids, json!({ "retention": 600 })).await;
    let mut once = refusal("sqs", "SetQueueAttributes");
    once["times"] = json!(1);
    app.aws.faults(json!([once])).await;
    let end = change(&app, &id, &ids, json!({ "parameters": { "retention": 700 } })).await;
    assert_eq!(
        end,
        json!({
            "state": "failed", "instance_usable": true, "update_repeatable": false,
            "description": "Queue: AWS refused it: Not like this. The instance is as it was before.",
        })
    );
    let old = app.speaking("2.15", Method::GET, &at(&format!("{id}/last_operation"))).send().await.expect(200);
    assert!(old.get("instance_usable").is_none() && old.get("update_repeatable").is_none(), "{old}");
    assert_eq!(app.get(&at(&id)).await.expect(200)["parameters"], json!({ "retention": 600 }));
    app.bind(&id, &ids, json!({})).await;
    let end = change(&app, &id, &ids, json!({ "parameters": { "retention": 700 } })).await;
    assert_eq!(end["state"], "succeeded");
}

#[sqlx::test]
async fn a_maintenance_version_changes_only_when_it_is_asked_for(pool: PgPool) {
    let app = parcels::start(pool).await;
    let (ids, large) = (small(&app), app.ids("parcels", "large"));
    let id = app.provision(&ids, json!({})).await;
    let newer = parcels::edited(&[
        ("version: 1.0.0, description: No interruption", "version: 1.1.0, description: A minute of interruption"),
        ("name: parcels\n", "name: parcels\ndeletion_with_bindings: unbind\n"),
    ]);
    app.broker.publish(Catalog::load(&newer, &app.registry).unwrap()).await.unwrap();
    let version = async || app.get(&at(&id)).await.expect(200)["maintenance_info"]["version"].clone();
    change(&app, &id, &ids, json!({ "parameters": { "retention": 700 } })).await;
    assert_eq!(version().await, "1.0.0");
    let old = patch(&ids, json!({ "maintenance_info": { "version": "1.0.0" } }));
    assert_eq!(app.patch(&at(&format!("{id}?{ASYNC}")), &old).await.expect(422)["error"], "MaintenanceInfoConflict");
    let new = patch(&ids, json!({ "maintenance_info": { "version": "1.1.0" } }));
    assert_eq!(app.patch(&at(&id), &new).await.expect(422)["error"], "AsyncRequired");
    let end = change(&app, &id, &ids, json!({ "maintenance_info": { "version": "1.1.0" } })).await;
    assert_eq!((end["state"].as_str(), version().await), (Some("succeeded"), json!("1.1.0")));
    // A plan has its own version.
    change(&app, &id, &ids, json!({ "plan_id": large.plan, "maintenance_info": { "version": "1.0.0" } })).await;
    assert_eq!(version().await, "1.0.0");
}

#[sqlx::test]
async fn instances_outlive_their_offering(pool: PgPool) {
    let app = parcels::start(pool).await;
    let ids = small(&app);
    let id = app.provision(&ids, json!({})).await;
    let (binding, answer) = app.bind(&id, &ids, json!({})).await;
    app.broker.publish(Catalog::new(Vec::new())).await.unwrap();
    assert_eq!(app.get("/v2/catalog").await.expect(200), json!({ "services": [] }));
    app.put(&at(&format!("new?{ASYNC}")), &ids.provision(json!({}))).await.expect(400);
    app.put(&at(&format!("{id}?{ASYNC}")), &ids.provision(json!({}))).await.expect(200);
    app.put(&at(&format!("{id}?{ASYNC}")), &ids.provision(json!({ "hidden": 1 }))).await.expect(409);
    let end = change(&app, &id, &ids, json!({ "plan_id": ids.plan, "parameters": { "retention": 700 } })).await;
    assert_eq!(end["state"], "succeeded");
    app.get(&at(&id)).await.expect(200);
    assert_eq!(app.put(&parcels::binding(&id, &binding), &ids.bind(json!({}))).await.expect(200), answer);
    app.bind(&id, &ids, json!({ "role": "producer" })).await;
    app.unbind(&id, &binding, &ids).await.expect(200);
    assert_eq!(app.deprovision(&id, &ids).await["state"], "succeeded");
    app.assert_nothing_left().await;
}
