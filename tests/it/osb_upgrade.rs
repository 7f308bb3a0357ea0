//! Upgrades where a parameter says which version an instance is at.

use chandlery::catalog::Catalog;
use http::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::app::{Ids, Options, TestApp};
use crate::support::parcels::{self, ASYNC, at, patch, refusal, small};

const PLAIN: &str = "maintenance: { version: 1.0.0, description: No interruption }";
const STEPS: &str = "maintenance:
      version: 1.2.0
      parameter: edition
      steps:
        - { version: 1.0.0, value: 11 }
        - { version: 1.1.0, value: 12 }
        - { version: 1.2.0, value: 13 }";
const EDITION: &str =
    "edition: { type: integer, enum: [11, 12, 13], default: 13, updatable: true, description: Which. }";

/// Parcels whose plan `small` has three editions, which show in the queue's visibility time-out.
fn editions(default: &str) -> std::path::PathBuf {
    let edition = EDITION.replace("default: 13", &format!("default: {default}"));
    parcels::edited(&[
        (PLAIN, STEPS),
        ("  sort: {", &format!("  {edition}\n  sort: {{")),
        ("visibility_timeout_seconds: ${{ params.hidden }}", "visibility_timeout_seconds: ${{ params.edition }}"),
    ])
}

async fn start(pool: PgPool) -> TestApp {
    TestApp::with(pool, Options { catalog: editions("13"), ..Options::default() }).await
}

async fn ask(app: &TestApp, id: &str, ids: &Ids, changes: Value) -> crate::support::reply::Reply {
    app.patch(&at(&format!("{id}?{ASYNC}")), &patch(ids, changes)).await
}

async fn change(app: &TestApp, id: &str, ids: &Ids, changes: Value) -> Value {
    ask(app, id, ids, changes).await.expect(202);
    app.settled(&at(id)).await
}

/// The version and the parameters that a fetch shows.
async fn fetched(app: &TestApp, id: &str) -> (Value, Value) {
    let fetched = app.get(&at(id)).await.expect(200);
    (fetched["maintenance_info"]["version"].clone(), fetched["parameters"].clone())
}

/// What the queue in AWS is at.
async fn edition(app: &TestApp, id: &str) -> String {
    let url = app.get(&at(id)).await.expect(200)["metadata"]["attributes"]["queue"].as_str().unwrap().to_owned();
    let sqs = app.aws.sessions().await.of(&app.aws.target()).await.unwrap().sqs();
    let name = aws_sdk_sqs::types::QueueAttributeName::VisibilityTimeout;
    let answer = sqs.get_queue_attributes().queue_url(url).attribute_names(name.clone()).send().await.unwrap();
    answer.attributes.unwrap().remove(&name).unwrap()
}

#[sqlx::test]
async fn an_upgrade_walks_every_version_in_one_operation(pool: PgPool) {
    let app = start(pool).await;
    let ids = small(&app);
    let id = app.provision(&ids, json!({ "edition": 11 })).await;
    let (binding, _) = app.bind(&id, &ids, json!({})).await;
    assert_eq!(fetched(&app, &id).await, (json!("1.0.0"), json!({ "edition": 11 })));

    app.aws.calls().await;
    let upgrade = json!({ "maintenance_info": { "version": "1.2.0" }, "parameters": { "retention": 700 } });
    let first = ask(&app, &id, &ids, upgrade.clone()).await.expect(202);
    let again = ask(&app, &id, &ids, upgrade.clone()).await;
    // It may be done by now.
    assert!(again.status == 200 || again.expect(202) == first);
    let end = app.settled(&at(&id)).await;
    assert_eq!((&end["state"], &end["description"]), (&json!("succeeded"), &json!("The instance is updated.")));
    assert_eq!(fetched(&app, &id).await, (json!("1.2.0"), json!({ "edition": 13, "retention": 700 })));
    assert_eq!(edition(&app, &id).await, "13");
    let sets = app.aws.calls().await.into_iter().filter(|call| call == "sqs:SetQueueAttributes").count();
    assert_eq!(sets, 2, "one change for each version");
    let passed: Vec<String> = sqlx::query_scalar("SELECT message FROM event WHERE what = 'upgraded' ORDER BY id")
        .fetch_all(&app.pool)
        .await
        .unwrap();
    assert_eq!(passed, ["version 1.1.0 is reached; on the way to 1.2.0"]);
    ask(&app, &id, &ids, upgrade).await.expect(200);
    app.get(&parcels::binding(&id, &binding)).await.expect(200);
}

#[sqlx::test]
async fn an_upgrade_that_fails_stays_at_the_version_it_reached(pool: PgPool) {
    let app = start(pool).await;
    let ids = small(&app);
    let id = app.provision(&ids, json!({ "edition": 11 })).await;
    let mut second = refusal("sqs", "SetQueueAttributes");
    (second["skip"], second["times"]) = (json!(1), json!(1));
    app.aws.faults(json!([second])).await;
    let end = change(&app, &id, &ids, json!({ "maintenance_info": { "version": "1.2.0" } })).await;
    assert_eq!(
        end,
        json!({
            "state": "failed", "instance_usable": true, "update_repeatable": false,
            "description": "Queue: AWS refused it: Not like this. The instance is at version 1.1.0.",
        })
    );
    assert_eq!(fetched(&app, &id).await, (json!("1.1.0"), json!({ "edition": 12 })));
    assert_eq!(edition(&app, &id).await, "12");
    let end = change(&app, &id, &ids, json!({ "maintenance_info": { "version": "1.2.0" } })).await;
    assert_eq!((&end["state"], edition(&app, &id).await.as_str()), (&json!("succeeded"), "13"));
}

#[sqlx::test]
async fn the_parameter_orders_the_next_version_only(pool: PgPool) {
    let app = start(pool).await;
    let ids = small(&app);
    let id = app.provision(&ids, json!({ "edition": 11 })).await;
    let edition = |value: i32| json!({ "parameters": { "edition": value } });
    let sentence = async |changes: Value, status: u16| {
        let refused = ask(&app, &id, &ids, changes).await.expect(status);
        refused["description"].as_str().unwrap().to_owned()
    };
    assert_eq!(sentence(edition(13), 422).await, "edition can go one step at a time: from 11 to 12 next.");
    assert!(sentence(edition(14), 400).await.starts_with("edition must be"));
    let both = json!({ "parameters": { "edition": 12 }, "maintenance_info": { "version": "1.2.0" } });
    assert_eq!(sentence(both, 400).await, "maintenance_info asks for 13 and edition for 12: order one of the two.");
    let between = json!({ "maintenance_info": { "version": "1.1.0" } });
    assert_eq!(ask(&app, &id, &ids, between).await.expect(422)["error"], "MaintenanceInfoConflict");
    ask(&app, &id, &ids, edition(11)).await.expect(200);

    assert_eq!(change(&app, &id, &ids, edition(12)).await["state"], "succeeded");
    assert_eq!(fetched(&app, &id).await, (json!("1.1.0"), json!({ "edition": 12 })));
    assert_eq!(sentence(edition(11), 422).await, "edition cannot go back from 12 to 11.");
    // A platform that sends all parameters each time upgrades all the same.
    let end = json!({ "parameters": { "edition": 12 }, "maintenance_info": { "version": "1.2.0" } });
    assert_eq!(change(&app, &id, &ids, end).await["state"], "succeeded");
    assert_eq!(fetched(&app, &id).await, (json!("1.2.0"), json!({ "edition": 13 })));
}

#[sqlx::test]
async fn a_version_stays_whatever_the_default_becomes(pool: PgPool) {
    let app = TestApp::with(pool, Options { catalog: editions("12"), ..Options::default() }).await;
    let ids = small(&app);
    let id = app.provision(&ids, json!({})).await;
    assert_eq!(fetched(&app, &id).await, (json!("1.1.0"), Value::Null));
    app.broker.publish(Catalog::load(&editions("13"), &app.registry).unwrap()).await.unwrap();
    assert_eq!(change(&app, &id, &ids, json!({ "parameters": { "retention": 700 } })).await["state"], "succeeded");
    assert_eq!((fetched(&app, &id).await.0, edition(&app, &id).await.as_str()), (json!("1.1.0"), "12"));
    // Null means the default: the next version here.
    assert_eq!(change(&app, &id, &ids, json!({ "parameters": { "edition": null } })).await["state"], "succeeded");
    assert_eq!((fetched(&app, &id).await.0, edition(&app, &id).await.as_str()), (json!("1.2.0"), "13"));
}

#[sqlx::test]
async fn an_instance_from_before_its_plan_had_versions_joins_them_where_its_parameter_stands(pool: PgPool) {
    let before = parcels::edited(&[
        ("  sort: {", &format!("  {}\n  sort: {{", EDITION.replace("default: 13", "default: 11"))),
        ("visibility_timeout_seconds: ${{ params.hidden }}", "visibility_timeout_seconds: ${{ params.edition }}"),
    ]);
    let app = TestApp::with(pool, Options { catalog: before, ..Options::default() }).await;
    let ids = small(&app);
    let id = app.provision(&ids, json!({})).await;
    app.broker.publish(Catalog::load(&editions("13"), &app.registry).unwrap()).await.unwrap();
    let walked = app.send(
        Method::PATCH,
        &at(&format!("{id}?{ASYNC}")),
        &patch(&ids, json!({ "maintenance_info": { "version": "1.2.0" } })),
    );
    walked.send().await.expect(202);
    assert_eq!(app.settled(&at(&id)).await["state"], "succeeded");
    assert_eq!((fetched(&app, &id).await.0, edition(&app, &id).await.as_str()), (json!("1.2.0"), "13"));
    let passed: i64 =
        sqlx::query_scalar("SELECT count(*) FROM event WHERE what = 'upgraded'").fetch_one(&app.pool).await.unwrap();
    assert_eq!(passed, 1);
}
