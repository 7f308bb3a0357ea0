//! `PUT /v2/service_instances/:instance_id`.

use chandlery::osb::{Uid, encode_component};
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::app::{Options, POLICY, TestApp};
use crate::support::parcels::{self, ASYNC, at, refusal, small, with};
use crate::support::wire::Transcript;

#[sqlx::test]
async fn the_life_of_an_order_on_the_wire(pool: PgPool) {
    let app = parcels::idle(pool).await;
    let (ids, mut wire) = (small(&app), Transcript::new(&app));
    let put = |parameters: Value| app.send(Method::PUT, &at("i-1?accepts_incomplete=true"), &ids.provision(parameters));
    let get = |path: &str| app.request(Method::GET, &at(path));
    let first = wire.say("Accepted", put(json!({ "retention": 600 }))).await.expect(202);
    let again = wire.say("Sent again while it runs", put(json!({ "retention": 600.0 }))).await.expect(202);
    assert_eq!(first, again);
    let operation = first["operation"].as_str().unwrap();
    wire.name(operation, "OPERATION");
    let sync = app.send(Method::PUT, &at("i-1"), &ids.provision(json!({ "retention": 600 })));
    wire.say("Sent again by a platform that cannot wait", sync).await.expect(422);
    wire.say("Sent again with other parameters", put(json!({ "retention": 601 }))).await.expect(409);
    wire.say("Polled", get(&format!("i-1/last_operation?operation={operation}"))).await.expect(200);
    wire.say("Fetched too early", get("i-1")).await.expect(404);

    let engine = app.engine(std::sync::Arc::new(chandlery::engine::Silent), crate::support::app::engine_settings());
    app.settled(&at("i-1")).await;
    let end = wire.say("Polled at the end", get(&format!("i-1/last_operation?operation={operation}"))).await;
    assert_eq!(end.expect(200)["state"], "succeeded");
    wire.say("Sent again", put(json!({ "retention": 600 }))).await.expect(200);
    wire.say("Sent again with other parameters", put(json!({}))).await.expect(409);
    wire.say("Fetched", get("i-1")).await.expect(200);
    wire.check("provision");
    engine.stop().await;
}

#[sqlx::test]
async fn every_differing_attribute_is_a_conflict_and_the_context_is_none(pool: PgPool) {
    let app = parcels::idle(pool).await;
    let ids = small(&app);
    let body = ids.provision(json!({ "retention": 600, "hidden": 1 }));
    let path = at("i?accepts_incomplete=true");
    let first = app.put(&path, &body).await.expect(202);
    for change in [
        json!({ "plan_id": app.ids("parcels", "large").plan }),
        json!({ "organization_guid": "another" }),
        json!({ "space_guid": "another" }),
        json!({ "parameters": { "retention": 600 } }),
        json!({ "parameters": { "retention": 600, "hidden": 2 } }),
        json!({ "parameters": { "retention": 600, "hidden": 1, "target": "main" } }),
        json!({ "parameters": { "retention": 600, "hidden": 1, "target": 5 } }),
        json!({ "parameters": { "retention": 600, "hidden": 1, "unknown": 5 } }),
        json!({ "parameters": null }),
    ] {
        let reply = app.put(&path, &with(body.clone(), change.clone())).await;
        assert_eq!(reply.status, 409, "{change}: {}", reply.text);
    }
    for change in [
        json!({ "context": null }),
        json!({ "context": { "platform": "nomad", "x": [1] } }),
        json!({ "maintenance_info": { "version": "9.9.9" } }),
        json!({ "novel": true, "parameters": { "hidden": 1, "retention": 600 } }),
    ] {
        let reply = app.put(&path, &with(body.clone(), change.clone())).await;
        assert_eq!(reply.expect(202)["operation"], first["operation"], "{change}");
    }
}

#[sqlx::test]
async fn many_at_once_make_one_instance_and_name_one_operation(pool: PgPool) {
    let limited = POLICY
        .replace("  - match: { platform: test }\n", "  - match: { platform: test }\n    limits: { instances: 1 }\n");
    let first = parcels::idle(pool.clone()).await;
    for policy in [POLICY.to_owned(), limited] {
        let app = first.join(Options { engine: false, policy, ..parcels::options() }).await;
        let (ids, id) = (small(&app), Uid::random().to_string());
        let (body, path) = (ids.provision(json!({})), at(&format!("{id}?{ASYNC}")));
        let replies = join_all((0..12).map(|_| app.put(&path, &body))).await;
        let first = replies[0].json()["operation"].clone();
        for reply in replies {
            assert_eq!(reply.expect(202)["operation"], first);
        }
        let rows: i64 =
            sqlx::query_scalar("SELECT count(*) FROM instance WHERE id = $1").bind(&id).fetch_one(&pool).await.unwrap();
        assert_eq!(rows, 1);
        sqlx::query("UPDATE instance SET state = 'deleted', deleted_at = now()").execute(&pool).await.unwrap();
    }
}

#[sqlx::test]
async fn checks_come_in_the_order_of_the_specification(pool: PgPool) {
    let app = parcels::idle(pool).await;
    let (ids, mut wire) = (small(&app), Transcript::new(&app));
    // Everything is wrong at first; each step mends the mistake that was told.
    let mut body = json!({ "parameters": { "delay": 1 }, "maintenance_info": { "version": "0.9.0" } });
    let steps = [
        ("service_id is missing", "service_id", json!("no-such-service"), 400),
        ("plan_id is missing", "plan_id", json!(app.ids("parcels", "large").plan.to_uppercase()), 400),
        ("organization_guid is missing", "organization_guid", json!("org"), 400),
        ("space_guid is missing", "space_guid", json!("space"), 400),
        ("The service is unknown", "service_id", json!(ids.service), 400),
        ("The plan is unknown", "plan_id", json!(ids.plan), 400),
        ("A parameter is fixed by the plan", "parameters", json!({}), 400),
        ("The maintenance version is another", "maintenance_info", json!({ "version": "1.0.0", "public": {} }), 422),
        ("The platform cannot wait", "", Value::Null, 422),
    ];
    for (heading, name, mended, status) in steps {
        let path = at("wrong?accepts_incomplete=false");
        wire.say(heading, app.send(Method::PUT, &path, &body)).await.expect(status);
        if !name.is_empty() {
            body[name] = mended;
        }
    }
    wire.check("provision_checks");
    assert_eq!(app.get(&at("wrong")).await.status, 404);
    for none in [json!(null), json!({}), json!({ "version": "" }), json!({ "version": "1.0.0" })] {
        let body = with(ids.provision(json!({})), json!({ "maintenance_info": none }));
        app.put(&at(&format!("{}?{ASYNC}", Uid::random())), &body).await.expect(202);
    }
}

#[sqlx::test]
async fn a_refused_parameter_is_named_and_its_value_is_not_shown(pool: PgPool) {
    let rules = "    forced: { wait: 7 }\n    user_may_choose_target: [second]\n";
    let policy = POLICY
        .replace(
            "default_target: main\n",
            "  - { name: second, account: \"ACCOUNT\", region: us-east-1 }\ndefault_target: main\n",
        )
        .replace("  - match: { platform: test }\n", &format!("  - match: {{ platform: test }}\n{rules}"));
    let app = TestApp::with(pool, Options { policy, ..parcels::options() }).await;
    let (ids, mut wire) = (small(&app), Transcript::new(&app));
    for (heading, parameters) in [
        ("Fixed by the plan", json!({ "delay": 4711 })),
        ("Forced by the administrator", json!({ "wait": 4711 })),
        ("Out of range", json!({ "retention": 47_110_000 })),
        ("Of the wrong type", json!({ "retention": "hunter2" })),
        ("None of those", json!({ "sort": "hunter2" })),
        ("Not declared", json!({ "retentoin": "hunter2" })),
        ("Against a rule", json!({ "retention": 60, "hidden": 4711 })),
        ("A reference to nothing", json!({ "key": "hunter2" })),
        ("A target that is not theirs", json!({ "target": "hunter2" })),
        ("A target that is no name", json!({ "target": ["hunter2"] })),
        ("A NUL", json!({ "key": "hunter2\0" })),
        ("Several at once", json!({ "retention": 1, "hidden": -1, "sort": null })),
    ] {
        let reply = wire
            .say(heading, app.send(Method::PUT, &at("i?accepts_incomplete=true"), &ids.provision(parameters.clone())))
            .await;
        let (name, text) = (parameters.as_object().unwrap().keys().next_back().unwrap(), reply.text.clone());
        assert_eq!(reply.status, 400, "{text}");
        assert!(text.contains(name.as_str()) && !text.contains("hunter2") && !text.contains("4711"), "{text}");
    }
    wire.check("provision_parameters");

    let id = app.provision(&ids, json!({ "target": "second", "wait": 7 })).await;
    let fetched = app.get(&at(&id)).await.expect(200);
    assert_eq!(fetched["parameters"], json!({ "target": "second", "wait": 7 }));
    assert!(fetched["metadata"]["attributes"]["region"] == "us-east-1", "{fetched}");
    let elsewhere = parcels::patch(&ids, json!({ "parameters": { "target": "main" } }));
    let refused = app.patch(&at(&format!("{id}?{ASYNC}")), &elsewhere).await.expect(422);
    assert!(refused["description"].as_str().unwrap().starts_with("target cannot change"), "{refused}");
}

#[sqlx::test]
async fn a_limit_refuses_what_is_too_many_and_counts_only_what_is_there(pool: PgPool) {
    let policy = POLICY.replace(
        "rules:\n",
        "rules:\n  - match: { platform: test, plan: large }\n    limits: { instances: 1 }\n  - match: { platform: test }\n    limits: { instances: 2, bindings_per_instance: 1 }\n",
    );
    let app = TestApp::with(pool, Options { policy, ..parcels::options() }).await;
    let (small, large, mut wire) = (small(&app), app.ids("parcels", "large"), Transcript::new(&app));
    let first = app.provision(&small, json!({})).await;
    // One that failed and left nothing does not count.
    app.aws.faults(json!([refusal("sqs", "CreateQueue")])).await;
    let failed = app.order(&small, json!({})).await;
    assert_eq!(app.settled(&at(&failed)).await["state"], "failed");
    app.aws.faults(json!([])).await;
    let second = app.provision(&large, json!({})).await;

    let third = app.send(Method::PUT, &at("third?accepts_incomplete=true"), &small.provision(json!({})));
    wire.say("One instance too many", third).await.expect(422);
    wire.name(&first, "INSTANCE");
    let change = app.send(
        Method::PATCH,
        &at(&format!("{first}?{ASYNC}")),
        &parcels::patch(&small, json!({ "plan_id": large.plan })),
    );
    wire.say("A change to a plan of which there may be no more", change).await.expect(422);
    app.bind(&first, &small, json!({})).await;
    let more = app.send(Method::PUT, &parcels::binding(&first, "more"), &small.bind(json!({})));
    wire.say("One binding too many", more).await.expect(422);
    wire.check("limits");

    app.deprovision(&second, &large).await;
    app.put(&at(&format!("third?{ASYNC}")), &small.provision(json!({}))).await.expect(202);
}

#[sqlx::test]
async fn what_failed_and_is_undone_can_be_ordered_anew(pool: PgPool) {
    let app = parcels::start(pool).await;
    let (ids, mut wire) = (small(&app), Transcript::new(&app));
    app.aws.faults(json!([refusal("sqs", "CreateQueue")])).await;
    let put = |parameters| app.send(Method::PUT, &at("i?accepts_incomplete=true"), &ids.provision(parameters));
    let lost = put(json!({})).send().await.expect(202)["operation"].as_str().unwrap().to_owned();
    assert_eq!(app.settled(&at("i")).await["state"], "failed");
    wire.say("It failed", app.request(Method::GET, &at("i/last_operation"))).await.expect(200);
    wire.say("It cannot be fetched", app.request(Method::GET, &at("i"))).await.expect(404);
    let change = app.send(Method::PATCH, &at("i?accepts_incomplete=true"), &parcels::patch(&ids, json!({})));
    wire.say("It cannot be changed", change).await.expect(422);
    let bind = app.send(Method::PUT, &parcels::binding("i", "b"), &ids.bind(json!({})));
    wire.say("It cannot be bound", bind).await.expect(422);
    wire.check("provision_failed");

    // It takes a while, so that every reply comes while it is made.
    app.aws.faults(json!([{ "service": "sqs", "operation": "CreateQueue", "mode": "latency", "seconds": 1.5 }])).await;
    let replies = join_all((0..6).map(|_| put(json!({ "retention": 700 })).send())).await;
    // One of them begins it; the others join, or come when it has ended.
    let (joined, late): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 202);
    let operation = joined[0].json()["operation"].clone();
    for reply in joined {
        assert_eq!(reply.json()["operation"], operation);
    }
    assert!(late.iter().all(|reply| reply.status == 200), "{late:?}");
    let made: i64 = sqlx::query_scalar("SELECT count(*) FROM instance").fetch_one(&app.pool).await.unwrap();
    assert_eq!(made, 2, "the one that failed, and one more");
    assert_eq!(app.settled(&at("i")).await["state"], "succeeded");
    // The platform may still ask about the one before.
    let before = app.get(&at(&format!("i/last_operation?operation={lost}"))).await.expect(200);
    assert_eq!(before["state"], "failed");
    assert_eq!(app.get(&at("i")).await.expect(200)["parameters"], json!({ "retention": 700 }));
    assert_eq!(app.deprovision("i", &ids).await["state"], "succeeded");
    app.assert_nothing_left().await;
}

#[sqlx::test]
async fn ids_may_be_any_text(pool: PgPool) {
    let app = parcels::idle(pool).await;
    let ids = small(&app);
    let mut odd =
        vec!["a/b".to_owned(), "~._-".to_owned(), "Grüße 日本 %2F&?#+".to_owned(), "é".repeat(255), " ".to_owned()];
    odd.push("a%2Fb".to_owned());
    for id in &odd {
        let path = at(&encode_component(id));
        let first = app.put(&format!("{path}?{ASYNC}"), &ids.provision(json!({}))).await.expect(202);
        let poll = app.get(&format!("{path}/last_operation")).await.expect(200);
        assert_eq!((first["operation"].is_string(), &poll["state"]), (true, &json!("in progress")), "{id}");
        app.put(&format!("{path}?{ASYNC}"), &ids.provision(json!({ "hidden": 1 }))).await.expect(409);
    }
    let stored: Vec<String> =
        sqlx::query_scalar("SELECT id FROM instance ORDER BY id").fetch_all(&app.pool).await.unwrap();
    odd.sort();
    let mut stored = stored;
    stored.sort();
    assert_eq!(stored, odd);
    for id in ["%00", "%FF", "%zz", &"a".repeat(1025)] {
        app.put(&format!("{}?{ASYNC}", at(id)), &ids.provision(json!({}))).await.expect(400);
    }
    let long = with(ids.provision(json!({})), json!({ "space_guid": "s".repeat(3000) }));
    app.put(&at(&format!("long?{ASYNC}")), &long).await.expect(400);
}

#[sqlx::test]
async fn a_reference_names_an_instance_of_the_same_owner_or_what_the_administrator_allows(pool: PgPool) {
    let policy = POLICY.replace("logs-*", "chandlery-*");
    let app = TestApp::with(pool, Options { policy, ..Options::default() }).await;
    let ids = app.ids("s3-bucket", "standard");
    let logs = app.provision(&ids, json!({ "accept_access_logs": true })).await;
    let plain = app.provision(&ids, json!({})).await;
    let order = |bucket: &str, space: &str| {
        let body = with(ids.provision(json!({ "log_bucket": bucket })), json!({ "space_guid": space }));
        app.send(Method::PUT, &at(&format!("{}?{ASYNC}", Uid::random())), &body).send()
    };
    for (bucket, space) in [(logs.as_str(), "another"), (plain.as_str(), "space"), ("nothing", "space")] {
        let refused = order(bucket, space).await.expect(400);
        let sentence = refused["description"].as_str().unwrap();
        assert!(sentence.starts_with("log_bucket names no instance of yours"), "{sentence}");
    }
    let id = app.provision(&ids, json!({ "log_bucket": logs })).await;
    assert_eq!(app.get(&at(&id)).await.expect(200)["parameters"], json!({ "log_bucket": logs }));
    // What the administrator allowed stays where it is, although they allow it no more.
    let name = app.get(&at(&logs)).await.expect(200)["metadata"]["attributes"]["bucket"].as_str().unwrap().to_owned();
    let id = app.provision(&ids, json!({ "log_bucket": name })).await;
    app.broker.set_policy(app.policy(POLICY));
    let change = async |parameters: Value| {
        let body = parcels::patch(&ids, json!({ "parameters": parameters }));
        app.patch(&at(&format!("{id}?{ASYNC}")), &body).await
    };
    change(json!({ "event_bridge": true })).await.expect(202);
    let end = app.settled(&at(&id)).await;
    assert_eq!(end["state"], "succeeded", "{end}");
    change(json!({ "log_bucket": name })).await.expect(400);
    change(json!({ "log_bucket": logs })).await.expect(202);
}

#[sqlx::test]
async fn what_another_instance_refers_to_stays_as_long_as_it_does(pool: PgPool) {
    let app = TestApp::start(pool).await;
    let ids = app.ids("s3-bucket", "standard");
    let logs = app.provision(&ids, json!({ "accept_access_logs": true })).await;
    let id = app.provision(&ids, json!({ "log_bucket": logs })).await;
    let gone = async |id: &str| app.delete(&at(&format!("{id}?{}&{ASYNC}", ids.query()))).await;
    let change = async |id: &str, parameters: Value| {
        app.patch(&at(&format!("{id}?{ASYNC}")), &parcels::patch(&ids, json!({ "parameters": parameters }))).await
    };

    for refused in [gone(&logs).await, change(&logs, json!({ "accept_access_logs": false })).await] {
        let refused = refused.expect(422);
        assert!(refused["description"].as_str().unwrap().contains(&id), "{refused}");
        assert_eq!(refused["instance_usable"], true);
    }
    change(&logs, json!({ "event_bridge": true })).await.expect(202);
    assert_eq!(app.settled(&at(&logs)).await["state"], "succeeded");

    change(&id, json!({ "log_bucket": null })).await.expect(202);
    assert_eq!(app.settled(&at(&id)).await["state"], "succeeded");

    // Nobody refers to it now, but begins to at the moment it is deleted: either goes, never both.
    let (deleted, changed) = tokio::join!(gone(&logs), change(&id, json!({ "log_bucket": logs })));
    let seen = (deleted.status, changed.status);
    assert!(matches!(seen, (202, 400) | (422, 202)), "{seen:?}");
    if seen.0 == 422 {
        assert_eq!(app.settled(&at(&id)).await["state"], "succeeded");
        assert_eq!(app.deprovision(&id, &ids).await["state"], "succeeded");
        assert_eq!(app.deprovision(&logs, &ids).await["state"], "succeeded");
    }
}

#[sqlx::test]
async fn what_an_instance_is_about_to_stop_providing_is_not_referred_to(pool: PgPool) {
    let mut app = TestApp::start(pool).await;
    let ids = app.ids("s3-bucket", "standard");
    let logs = app.provision(&ids, json!({ "accept_access_logs": true })).await;
    let id = app.provision(&ids, json!({})).await;
    let change = async |app: &TestApp, id: &str, parameters: Value| {
        app.patch(&at(&format!("{id}?{ASYNC}")), &parcels::patch(&ids, json!({ "parameters": parameters }))).await
    };

    // Nobody refers to it, but begins to at the moment that it ends: either, never both.
    let (ended, begun) = tokio::join!(
        change(&app, &logs, json!({ "accept_access_logs": false })),
        change(&app, &id, json!({ "log_bucket": logs })),
    );
    let seen = (ended.status, begun.status);
    assert!(matches!(seen, (202, 400) | (422, 202)), "{seen:?}");
    for (id, back) in [(&id, json!({ "log_bucket": null })), (&logs, json!({ "accept_access_logs": true }))] {
        assert_eq!(app.settled(&at(id)).await["state"], "succeeded");
        change(&app, id, back).await;
        assert_eq!(app.settled(&at(id)).await["state"], "succeeded");
    }

    // The change is accepted and nobody works on it yet.
    app.replica.take().unwrap().stop().await;
    change(&app, &logs, json!({ "accept_access_logs": false })).await.expect(202);
    change(&app, &id, json!({ "log_bucket": logs })).await.expect(400);
    app.put(&at(&format!("new?{ASYNC}")), &ids.provision(json!({ "log_bucket": logs }))).await.expect(400);
}
