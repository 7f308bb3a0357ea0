//! No secret anywhere: recognisable ones go through the real binary, and then every place where one could have been left is
//! searched: logs at the most talkative level, every row, metrics, every body that is not the binding's own.

use base64::Engine;
use chandlery::osb::Uid;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::app::{PASSWORD, POLICY, USER};
use crate::support::aws::Aws;
use crate::support::process::Home;

/// An offering with a secret parameter that reaches a driver (as a tag-like text it may not), a binding parameter, and the
/// credentials.
const OFFERING: &str = r#"
id: 5d3c2b1a-0000-4000-8000-000000000001
name: secretive
description: A queue that knows a secret
metadata: { displayName: Secretive }
plans:
  - { id: 5d3c2b1a-0000-4000-8000-000000000002, name: only, description: The only plan, free: true }
parameters:
  passphrase: { type: string, minLength: 3, secret: true, updatable: true, description: Handed to every binding }
  retention_seconds: { type: integer, minimum: 60, maximum: 1209600, default: 345600, updatable: true, description: How long }
resources:
  queue:
    kind: sqs/queue
    retention_seconds: ${{ params.retention_seconds }}
binding:
  resources:
    identity:
      kind: iam/identity
      statements: [{ actions: ["sqs:SendMessage"], resources: ["${{ queue.arn }}"] }]
  credentials:
    $merge: ${{ identity.credentials }}
    type: sqs
    provider: aws
    passphrase: ${{ instance.params.passphrase }}
"#;

const PASSPHRASE: &str = "xyzzy-passphrase-31337";
const CHANGED: &str = "xyzzy-changed-31338";
const MISTYPED: &str = "xyzzy-mistyped-31339";

#[sqlx::test]
async fn no_secret_is_left_in_logs_rows_metrics_or_errors(pool: PgPool) {
    let aws = Aws::fresh();
    let home = Home::new(&pool, aws, POLICY).await;
    let catalog = home.directory.join("catalog");
    std::fs::create_dir(&catalog).unwrap();
    std::fs::write(catalog.join("secretive.yaml"), OFFERING).unwrap();
    let mut served = home
        .serve(|command| {
            command.env("CHANDLERY_CATALOG", &catalog).env("CHANDLERY_LOG", "trace").env("RUST_LOG", "trace");
        })
        .await;
    let talk = Talk { url: served.url.clone(), client: reqwest::Client::new() };

    let mut told = Vec::new();
    let ids = json!({ "service_id": "5d3c2b1a-0000-4000-8000-000000000001", "plan_id": "5d3c2b1a-0000-4000-8000-000000000002" });
    let order = |parameters: Value| {
        let mut body = ids.clone();
        body["organization_guid"] = "org".into();
        body["space_guid"] = "space".into();
        body["parameters"] = parameters;
        body
    };
    let instance = format!("/v2/service_instances/{}", Uid::random());
    let put = format!("{instance}?accepts_incomplete=true");
    // Refusals quote nothing of what was wrong.
    told.push(talk.ask("PUT", &put, Some(order(json!({ "passphrase": [MISTYPED] })))).await);
    told.push(talk.ask("PUT", &put, Some(order(json!({ "passphrase": PASSPHRASE })))).await);
    talk.settled(&instance).await;
    told.push(talk.ask("PUT", &put, Some(order(json!({ "passphrase": CHANGED })))).await);
    told.push(talk.ask("GET", &instance, None).await);
    let mut patch = ids.clone();
    patch["parameters"] = json!({ "passphrase": CHANGED });
    told.push(talk.ask("PATCH", &put, Some(patch)).await);
    told.push(talk.settled(&instance).await);

    let binding = format!("{instance}/service_bindings/one");
    let (status, answer) = talk.ask("PUT", &binding, Some(ids.clone())).await;
    assert_eq!(status, 201, "{answer}");
    let credentials = serde_json::from_str::<Value>(&answer).unwrap()["credentials"].clone();
    assert_eq!(credentials["passphrase"], CHANGED, "the binding knows the secret: the test looks for the right thing");
    let key = credentials["secret_access_key"].as_str().unwrap().to_owned();
    told.push(talk.ask("GET", &format!("{binding}/last_operation"), None).await);
    let wrong = talk.client.get(format!("{}/v2/catalog", talk.url)).basic_auth(USER, Some("xyzzy-wrong-31340"));
    let wrong = wrong.header("X-Broker-API-Version", "2.17").send().await.unwrap();
    told.push((wrong.status().as_u16(), wrong.text().await.unwrap()));
    let metrics = talk.client.get(format!("{}/metrics", talk.url)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("chandlery_operations_accepted"), "{metrics}");

    let rows = everything(&pool).await;
    let query = "service_id=5d3c2b1a-0000-4000-8000-000000000001&plan_id=5d3c2b1a-0000-4000-8000-000000000002";
    told.push(talk.ask("DELETE", &format!("{binding}?{query}"), None).await);
    told.push(talk.ask("DELETE", &format!("{instance}?accepts_incomplete=true&{query}"), None).await);
    told.push(talk.settled(&instance).await);
    assert!(served.stop().success());
    let log = served.log();
    assert!(log.contains("chandlery"), "the log was read");

    let places = [("log", log), ("rows", rows), ("metrics", metrics), ("answers", format!("{told:?}"))];
    let database = home.database_url.split(['/', '@', ':']).nth(4).unwrap_or_default().to_owned();
    let header = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let mut secrets = vec![
        header.as_str(),
        PASSPHRASE,
        CHANGED,
        MISTYPED,
        PASSWORD,
        "xyzzy-wrong-31340",
        &key,
        home.master_key.trim(),
    ];
    if database.len() > 5 {
        secrets.push(&database);
    }
    for (place, text) in &places {
        for secret in &secrets {
            if let Some(at) = text.find(secret) {
                let around = &text[text.floor_char_boundary(at.saturating_sub(200))..text.ceil_char_boundary(at + 60)];
                panic!("a secret stands in the {place}: …{around}…");
            }
        }
    }
}

/// Every row of every table, as text, byte columns in hexadecimal and as text.
async fn everything(pool: &PgPool) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(tables.len() > 7, "{tables:?}");
    let mut text = String::new();
    for table in tables {
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT to_jsonb(t)::text || encode(t::text::bytea, 'escape') FROM {table} t"
        )))
        .fetch_all(pool)
        .await
        .unwrap();
        text.push_str(&rows.join("\n"));
    }
    text
}

struct Talk {
    url: String,
    client: reqwest::Client,
}

impl Talk {
    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, String) {
        let method = method.parse().unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.url)).basic_auth(USER, Some(PASSWORD));
        request = request.header("X-Broker-API-Version", "2.17");
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn settled(&self, path: &str) -> (u16, String) {
        loop {
            let (status, body) = self.ask("GET", &format!("{path}/last_operation"), None).await;
            if status != 200 || !body.contains("in progress") {
                return (status, body);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}
