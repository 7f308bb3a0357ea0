//! The master key: without one the broker refuses to start; one in KMS is asked at start and never on a request path.

use chandlery::osb::Uid;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::app::{PASSWORD, POLICY, USER};
use crate::support::aws::Aws;
use crate::support::process::{Home, Served};

const SERVICE: &str = "sqs-queue";

#[sqlx::test]
async fn a_broker_without_a_master_key_refuses_to_start(pool: PgPool) {
    let home = Home::new(&pool, Aws::fresh(), POLICY).await;
    let ended = home.command(&["serve"]).env_remove("CHANDLERY_MASTER_KEY_FILE").output().unwrap();
    assert!(!ended.status.success());
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("CHANDLERY_MASTER_KEY_FILE"), "it says what to do: {said}");
}

#[sqlx::test]
async fn a_master_key_in_kms_is_asked_at_start_only_and_opens_what_was_sealed_before(pool: PgPool) {
    let aws = Aws::fresh();
    let kms = aws.sessions().await.of(&aws.target()).await.unwrap().kms();
    let arn = kms.create_key().send().await.unwrap().key_metadata.unwrap().arn.unwrap();
    let home = Home::new(&pool, aws.clone(), POLICY).await;
    let start = || {
        home.serve(|command| {
            command.env_remove("CHANDLERY_MASTER_KEY_FILE").env("CHANDLERY_MASTER_KEY_KMS", &arn);
        })
    };
    let mut served = start().await;
    let started = asked_of_kms(&aws).await;
    assert!(started > 0, "the ring's first key was wrapped by KMS");

    let (instance, ids) = (Uid::random().to_string(), ids(&served).await);
    let mut order = ids.clone();
    order["organization_guid"] = "org".into();
    order["space_guid"] = "space".into();
    let path = format!("/v2/service_instances/{instance}");
    assert_eq!(ask(&served, "PUT", &format!("{path}?accepts_incomplete=true"), &order).await.0, 202);
    while ask(&served, "GET", &format!("{path}/last_operation"), &Value::Null).await.1["state"] == "in progress" {}
    let binding = format!("{path}/service_bindings/one");
    let (status, first) = ask(&served, "PUT", &binding, &ids).await;
    assert_eq!(status, 201, "{first}");
    assert_eq!(asked_of_kms(&aws).await, 0, "no request asks KMS");

    served.kill();
    let served = start().await;
    assert!(asked_of_kms(&aws).await > 0, "the ring was unwrapped by KMS");
    let (status, again) = ask(&served, "PUT", &binding, &ids).await;
    assert_eq!((status, &again), (200, &first), "the same credentials");
}

/// Calls to KMS since the last time.
async fn asked_of_kms(aws: &Aws) -> usize {
    aws.calls().await.iter().filter(|call| call.starts_with("kms:")).count()
}

async fn ids(served: &Served) -> Value {
    let (_, catalog) = ask(served, "GET", "/v2/catalog", &Value::Null).await;
    let services = catalog["services"].as_array().unwrap();
    let service = services.iter().find(|service| service["name"] == SERVICE).unwrap();
    json!({ "service_id": service["id"], "plan_id": service["plans"][0]["id"] })
}

async fn ask(served: &Served, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let client = reqwest::Client::new();
    let request = client.request(method.parse().unwrap(), format!("{}{path}", served.url));
    let request = request.basic_auth(USER, Some(PASSWORD)).header("X-Broker-API-Version", "2.17");
    let answer = if body.is_null() { request } else { request.json(body) }.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}
