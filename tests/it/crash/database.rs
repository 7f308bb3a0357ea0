//! The database restarts under load, and a thousand requests come at once: what was accepted ends, nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ::http::Method;
use chandlery::osb::Uid;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::task::JoinSet;

use super::jobs;
use super::process::compare;
use super::world::options;
use crate::support::app::{Ids, TestApp};
use crate::support::reply::Reply;

/// Sends until an answer comes that is not "not now".
async fn insist(app: &TestApp, method: Method, path: &str, body: Option<&Value>) -> Reply {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let mut request = app.request(method.clone(), path);
        if let Some(body) = body {
            request = request.json(body);
        }
        let reply = request.send().await;
        let busy = reply.status == 422 && reply.text.contains("ConcurrencyError");
        if reply.status < 429 && !busy {
            return reply;
        }
        assert!(Instant::now() < until, "{method} {path}: {} {}", reply.status, reply.text);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The life of one instance, as an impatient platform leads it.
async fn life(app: &TestApp, ids: &Ids) {
    let path = format!("/v2/service_instances/{}", Uid::random());
    let body = ids.provision(json!({}));
    let order = insist(app, Method::PUT, &format!("{path}?accepts_incomplete=true"), Some(&body)).await;
    assert!([200, 201, 202].contains(&order.status), "{order:?}");
    ended(app, &path, "succeeded").await;
    let binding = format!("{path}/service_bindings/{}", Uid::random());
    let body = ids.bind(json!({}));
    let bound = insist(app, Method::PUT, &format!("{binding}?accepts_incomplete=true"), Some(&body)).await;
    assert!([200, 201, 202].contains(&bound.status), "{bound:?}");
    ended(app, &binding, "succeeded").await;
    let credentials = insist(app, Method::GET, &binding, None).await.expect(200);
    assert!(credentials["credentials"]["access_key_id"].is_string());
    // The instance goes with its binding.
    let query = format!("accepts_incomplete=true&{}", ids.query());
    let gone = insist(app, Method::DELETE, &format!("{path}?{query}"), None).await;
    assert!([200, 202, 410].contains(&gone.status), "{gone:?}");
    ended(app, &path, "succeeded").await;
}

async fn ended(app: &TestApp, path: &str, how: &str) {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let reply = insist(app, Method::GET, &format!("{path}/last_operation"), None).await;
        let body = reply.expect(200);
        match body["state"].as_str().unwrap() {
            "in progress" => assert!(Instant::now() < until, "{path} does not end: {body}"),
            state => return assert_eq!(state, how, "{body}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_restarts_under_load_lose_nothing() {
    let pool = jobs::database(12).await;
    let app = Arc::new(TestApp::with(pool.clone(), options()).await);
    let other = app.join(options()).await;
    let done = Arc::new(AtomicBool::new(false));
    let cut = tokio::spawn(cut_connections(pool.clone(), Arc::clone(&done)));
    let mut lives = JoinSet::new();
    for number in 0..24 {
        let (app, offering) = (Arc::clone(&app), if number % 2 == 0 { "s3-bucket" } else { "sqs-queue" });
        lives.spawn(async move { life(&app, &app.ids(offering, "standard")).await });
    }
    lives.join_all().await;
    done.store(true, Ordering::Relaxed);
    let cuts = cut.await.unwrap();
    println!("{cuts} connections were cut");
    assert!(cuts > 10);
    app.assert_settled().await;
    assert_eq!(compare(&pool, &app.aws).await, (Vec::new(), Vec::new()));
    drop(other);
}

/// Every connection to this database, again and again, as in a restart.
async fn cut_connections(pool: PgPool, done: Arc<AtomicBool>) -> i64 {
    let options = pool.connect_options().as_ref().clone().application_name("the one who cuts");
    let own = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let mut cuts = 0;
    for round in 0..12 {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        cuts += sqlx::query_scalar::<_, i64>(cut).fetch_one(&own).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200 + 50 * (round % 5))).await;
    }
    cuts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_requests_at_once_lose_nothing() {
    const INSTANCES: usize = 150;
    let pool = jobs::database(20).await;
    let app = Arc::new(TestApp::with(pool.clone(), options()).await);
    let ids = app.ids("sqs-queue", "standard");
    let orders: Vec<String> = (0..INSTANCES).map(|_| Uid::random().to_string()).collect();
    // Half of them are there already.
    let (old, new) = orders.split_at(INSTANCES / 2);
    let mut first = JoinSet::new();
    for id in old {
        let (app, ids, id) = (Arc::clone(&app), ids.clone(), id.clone());
        first.spawn(async move {
            let path = format!("/v2/service_instances/{id}");
            let body = ids.provision(json!({}));
            insist(&app, Method::PUT, &format!("{path}?accepts_incomplete=true"), Some(&body)).await.expect(202);
            ended(&app, &path, "succeeded").await;
        });
    }
    first.join_all().await;
    let (sent, accepted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut requests = JoinSet::new();
    let mut send = |method: Method, path: String, body: Option<Value>| {
        let (app, sent, accepted) = (Arc::clone(&app), Arc::clone(&sent), Arc::clone(&accepted));
        requests.spawn(async move {
            sent.fetch_add(1, Ordering::Relaxed);
            let mut request = app.request(method.clone(), &path);
            if let Some(body) = &body {
                request = request.json(body);
            }
            let reply = request.send().await;
            assert!(reply.status < 500, "{method} {path}: {} {}", reply.status, reply.text);
            if reply.status == 202 {
                accepted.fetch_add(1, Ordering::Relaxed);
            }
        });
    };
    for (old, new) in old.iter().zip(new) {
        let (old, new) = (format!("/v2/service_instances/{old}"), format!("/v2/service_instances/{new}"));
        let incomplete = "accepts_incomplete=true";
        let order = ids.provision(json!({}));
        // New orders, twice each; on what is there binds, changes, fetches, unbinds and DELETEs that meet each other.
        send(Method::PUT, format!("{new}?{incomplete}"), Some(order.clone()));
        send(Method::PUT, format!("{new}?{incomplete}"), Some(order.clone()));
        for binding in ["a", "b", "c"] {
            let path = format!("{old}/service_bindings/{binding}?{incomplete}");
            send(Method::PUT, path, Some(ids.bind(json!({}))));
        }
        let change = json!({ "service_id": ids.service, "parameters": { "retention_seconds": 600 } });
        send(Method::PATCH, format!("{old}?{incomplete}"), Some(change));
        send(Method::DELETE, format!("{old}/service_bindings/a?{incomplete}&{}", ids.query()), None);
        send(Method::DELETE, format!("{new}?{incomplete}&{}", ids.query()), None);
        send(Method::GET, "/v2/catalog".to_owned(), None);
        send(Method::GET, format!("{old}/last_operation"), None);
        send(Method::GET, old.clone(), None);
        if number(&old).is_multiple_of(2) {
            send(Method::DELETE, format!("{old}?{incomplete}&{}", ids.query()), None);
        } else {
            send(Method::GET, format!("{old}/service_bindings/b"), None);
        }
        send(Method::GET, format!("{new}/last_operation"), None);
        send(Method::PUT, format!("{old}?{incomplete}"), Some(order));
    }
    requests.join_all().await;
    println!("{} requests, {} accepted", sent.load(Ordering::Relaxed), accepted.load(Ordering::Relaxed));
    assert!(sent.load(Ordering::Relaxed) >= 1000);
    idle(&pool).await;
    let (rows, things) = compare(&pool, &app.aws).await;
    assert_eq!(rows, things, "rows and AWS differ");
    let unready =
        "SELECT count(*) FROM instance WHERE state NOT IN ('ready', 'deleted') OR state = 'ready' AND ready_at IS NULL";
    assert_eq!(sqlx::query_scalar::<_, i64>(unready).fetch_one(&pool).await.unwrap(), 0);
    for id in &orders {
        let path = format!("/v2/service_instances/{id}?accepts_incomplete=true&{}", ids.query());
        insist(&app, Method::DELETE, &path, None).await;
    }
    idle(&pool).await;
    assert_eq!(compare(&pool, &app.aws).await, (Vec::new(), Vec::new()));
}

fn number(text: &str) -> usize {
    text.bytes().map(usize::from).sum()
}

async fn idle(pool: &PgPool) {
    let until = Instant::now() + Duration::from_secs(120);
    let busy = "SELECT count(*) FROM operation WHERE state = 'in progress'";
    while sqlx::query_scalar::<_, i64>(busy).fetch_one(pool).await.unwrap() > 0 {
        assert!(Instant::now() < until, "operations do not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
