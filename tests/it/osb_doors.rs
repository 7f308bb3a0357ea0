//! What holds for every route: credentials, versions, request identity, odd requests, bounds, and walls between platforms.

use std::time::Duration;

use http::Method;
use serde_json::json;
use sqlx::PgPool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::app::{PASSWORD, TestApp};
use crate::support::parcels::{self, ASYNC, at, binding, patch, slow, small, with};
use crate::support::reply::Raw;
use crate::support::wire::Transcript;

const ROUTES: [(&str, &str); 9] = [
    ("GET", "/v2/catalog"),
    ("PUT", "/v2/service_instances/i"),
    ("GET", "/v2/service_instances/i"),
    ("PATCH", "/v2/service_instances/i"),
    ("DELETE", "/v2/service_instances/i"),
    ("GET", "/v2/service_instances/i/last_operation"),
    ("PUT", "/v2/service_instances/i/service_bindings/b"),
    ("DELETE", "/v2/service_instances/i/service_bindings/b"),
    ("GET", "/v2/service_instances/i/service_bindings/b/last_operation"),
];

fn method(name: &str) -> Method {
    Method::from_bytes(name.as_bytes()).unwrap()
}

#[sqlx::test]
async fn credentials_come_before_versions_and_versions_before_everything_else(pool: PgPool) {
    let app = parcels::idle(pool).await;
    let nowhere = [("GET", "/"), ("GET", "/v2"), ("POST", "/v2/catalog"), ("GET", "/v2/service_instances/i/other")];
    for (name, path) in ROUTES.into_iter().chain(nowhere) {
        let bare = || app.bare(method(name), path).header("X-Broker-API-Request-Identity", "r 1").body("{not json");
        let basic = |user: &str, password: &str| {
            let mut raw = bare();
            raw.builder = raw.builder.basic_auth(user, Some(password));
            raw
        };
        for raw in
            [bare(), basic("broker", "wrong"), basic("nobody", PASSWORD), bare().header("Authorization", "Bearer x")]
        {
            let reply = raw.header("X-Broker-API-Version", "2.17").send().await;
            assert_eq!(
                (reply.status, reply.header("x-broker-api-request-identity")),
                (401, Some("r 1")),
                "{name} {path}"
            );
            assert!(reply.json()["description"].is_string());
        }
        for version in [None, Some(""), Some("1.0"), Some("3.0"), Some("2"), Some("two")] {
            let raw = basic("broker", PASSWORD);
            let raw = match version {
                Some(version) => raw.header("X-Broker-API-Version", version),
                None => raw,
            };
            let reply = raw.send().await;
            assert_eq!((reply.status, reply.header("content-type")), (412, Some("application/json")), "{name} {path}");
            assert!(reply.json()["description"].as_str().unwrap().contains("2.17"));
        }
    }
    for version in ["2.0", "2.11", "2.14", "2.17", "2.18", "2.99"] {
        app.speaking(version, Method::GET, "/v2/catalog").send().await.expect(200);
    }
    let bearer = app.bare(Method::GET, "/v2/catalog").header("Authorization", "Bearer token");
    bearer.header("X-Broker-API-Version", "2.17").send().await.expect(200);
    let mut wire = Transcript::new(&app);
    let bare = |path: &str| app.bare(Method::GET, path);
    wire.say("No credentials", bare("/v2/catalog").header("X-Broker-API-Version", "2.17")).await;
    let mut raw = bare("/v2/catalog");
    raw.builder = raw.builder.basic_auth("broker", Some(PASSWORD));
    wire.say("No version", raw).await;
    wire.say("Another version", app.speaking("3.1", Method::GET, "/v2/catalog")).await;
    wire.say("No version at all", app.speaking("v2.17", Method::GET, "/v2/catalog")).await;
    wire.check("gate");
}

#[sqlx::test]
async fn whatever_is_wrong_is_an_object_that_says_so_and_echoes_the_request(pool: PgPool) {
    let app = parcels::start(pool).await;
    let (ids, mut wire) = (small(&app), Transcript::new(&app));
    let id = app.provision(&ids, json!({})).await;
    wire.name(&id, "INSTANCE");
    let put = |body: &str| app.request(Method::PUT, &at("i?accepts_incomplete=true")).body(body.to_owned());
    let whole = ids.provision(json!({}));
    let big = with(whole.clone(), json!({ "context": { "x": "x".repeat(2_000_000) } })).to_string();
    let cases: Vec<(&str, Raw, u16)> = vec![
        ("No such path", app.request(Method::GET, "/v2/nothing"), 404),
        ("No such path for an empty id", app.request(Method::GET, "/v2/service_instances/"), 404),
        ("No such method", app.request(Method::POST, &at("i")), 405),
        ("No body", app.request(Method::PUT, &at("i")), 400),
        ("No JSON", put("{\"service_id\": hunter2}"), 400),
        ("No object", put("[\"hunter2\"]"), 400),
        ("Half an object", put("{\"service_id\": \"hunter2\""), 400),
        ("A wrong type", put("{\"service_id\": [\"hunter2\"]}"), 400),
        (
            "Parameters that are no object",
            app.send(Method::PUT, &at("i"), &with(whole.clone(), json!({ "parameters": "hunter2" }))),
            400,
        ),
        (
            "A context that is no object",
            app.send(Method::PUT, &at("i"), &with(whole.clone(), json!({ "context": ["hunter2"] }))),
            400,
        ),
        (
            "A NUL in a context",
            app.send(Method::PUT, &at("i"), &with(whole.clone(), json!({ "context": { "a": ["\0"] } }))),
            400,
        ),
        ("A NUL in an id", app.request(Method::GET, &at("a%00b")), 400),
        (
            "A maintenance version that is no text",
            app.send(Method::PUT, &at("i"), &with(whole.clone(), json!({ "maintenance_info": { "version": 1 } }))),
            400,
        ),
        ("A bind without JSON", app.request(Method::PUT, &binding(&id, "b")).body("nonsense"), 400),
        ("A body that is too large", put(&big), 413),
    ];
    for (n, (heading, raw, status)) in cases.into_iter().enumerate() {
        let identity = format!("request {n}");
        let reply = wire.say(heading, raw.header("X-Broker-API-Request-Identity", &identity)).await;
        assert_eq!(
            (reply.status, reply.header("x-broker-api-request-identity")),
            (status, Some(identity.as_str())),
            "{heading}"
        );
        assert!(!reply.text.contains("hunter2"), "{}", reply.text);
    }
    wire.check("rejections");
    // Whatever the content type says, and whatever else is in it, an object is an object.
    let odd = app.request(Method::PUT, &at("odd?accepts_incomplete=true&novel&accepts_incomplete=false"));
    odd.header("Content-Type", "text/plain")
        .body(with(whole, json!({ "novel": { "a": [null] } })).to_string())
        .send()
        .await
        .expect(202);
    // Every status carries the request's name.
    for (raw, status) in [
        (app.request(Method::GET, "/v2/catalog"), 200),
        (app.send(Method::PUT, &binding(&id, "b"), &ids.bind(json!({}))), 201),
        (
            app.send(
                Method::PATCH,
                &at(&format!("{id}?{ASYNC}")),
                &patch(&ids, json!({ "parameters": { "hidden": 1 } })),
            ),
            202,
        ),
        (app.send(Method::PUT, &binding(&id, "b"), &ids.bind(json!({ "role": "producer" }))), 409),
        (app.request(Method::DELETE, &at(&format!("never?{ASYNC}&{}", ids.query()))), 410),
        (app.request(Method::DELETE, &at(&format!("never?{}", ids.query()))), 422),
    ] {
        let reply = raw
            .header("X-Broker-API-Request-Identity", "same")
            .header("X-Broker-API-Originating-Identity", "x !")
            .send()
            .await;
        assert_eq!((reply.status, reply.header("x-broker-api-request-identity")), (status, Some("same")));
    }
}

#[sqlx::test]
async fn requests_are_bounded_in_number_and_time(pool: PgPool) {
    let mut options = parcels::options();
    (options.http.requests, options.http.body_time) = (1, Duration::from_millis(300));
    let app = TestApp::with(pool, options).await;
    let (ids, mut wire) = (small(&app), Transcript::new(&app));
    let id = app.provision(&ids, json!({})).await;
    app.aws.faults(json!([slow("iam", "CreateUser", 1.5)])).await;
    let (path, body) = (binding(&id, "b"), ids.bind(json!({})));
    let (bound, ()) = tokio::join!(app.put(&path, &body), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        wire.say("One request too many", app.request(Method::GET, "/v2/catalog")).await.expect(429);
        app.bare(Method::GET, "/livez").send().await.expect(200);
    });
    bound.expect(201);
    wire.check("too_many");

    let address = app.url.strip_prefix("http://").unwrap();
    let head = concat!(
        "PUT /v2/service_instances/slow HTTP/1.1\r\nhost: x\r\nauthorization: Bearer token\r\nx-broker-api-version: 2.17\r\n",
        "x-broker-api-request-identity: slow\r\ncontent-length: 100\r\n\r\n{\"service_id\":"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 2000];
    let read = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("x-broker-api-request-identity: slow"), "{answer}");
    assert!(
        answer.ends_with(r#"{"description":"The request did not arrive in time; nothing was changed."}"#),
        "{answer}"
    );
}

#[sqlx::test]
async fn platforms_do_not_see_each_other(pool: PgPool) {
    let app = parcels::start(pool).await;
    let ids = small(&app);
    let id = app.provision(&ids, json!({})).await;
    let (bound, answer) = app.bind(&id, &ids, json!({})).await;
    let all = format!("{ASYNC}&{}", ids.query());
    let put = |path: &str, body: serde_json::Value| app.other(Method::PUT, path).json(&body).send();
    for (raw, status) in [
        (app.other(Method::GET, &at(&id)), 404),
        (app.other(Method::GET, &at(&format!("{id}/last_operation"))), 404),
        (app.other(Method::GET, &binding(&id, &bound)), 404),
        (app.other(Method::GET, &format!("{}/last_operation", binding(&id, &bound))), 404),
        (app.other(Method::PATCH, &at(&format!("{id}?{ASYNC}"))).json(&patch(&ids, json!({}))), 404),
        (app.other(Method::PUT, &binding(&id, "new")).json(&ids.bind(json!({}))), 404),
        (app.other(Method::PUT, &binding(&id, &bound)).json(&ids.bind(json!({}))), 404),
        (app.other(Method::DELETE, &format!("{}?{all}", binding(&id, &bound))), 410),
        (app.other(Method::DELETE, &at(&format!("{id}?{all}"))), 410),
    ] {
        let reply = raw.send().await;
        assert_eq!(reply.status, status, "{}", reply.text);
    }
    // The same ids are theirs to use, with what they like.
    put(&at(&format!("{id}?{ASYNC}")), ids.provision(json!({ "hidden": 1 }))).await.expect(202);
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while app.other(Method::GET, &at(&id)).send().await.status == 404 {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let theirs = put(&binding(&id, &bound), ids.bind(json!({}))).await.expect(201);
    assert_ne!(theirs["credentials"]["queue_url"], answer["credentials"]["queue_url"]);
    app.other(Method::DELETE, &at(&format!("{id}?{all}"))).send().await.expect(202);
    assert_eq!(app.get(&binding(&id, &bound)).await.expect(200)["credentials"], answer["credentials"]);
}

#[sqlx::test]
async fn a_platform_gets_no_field_that_its_version_does_not_know(pool: PgPool) {
    let app = parcels::start(pool).await;
    let ids = small(&app);
    let id = app.provision(&ids, json!({})).await;
    let (bound, _) = app.bind(&id, &ids, json!({})).await;
    for (version, maintenance, labels, attributes, endpoints) in [
        ("2.13", false, false, false, false),
        ("2.14", false, false, false, false),
        ("2.15", true, false, false, true),
        ("2.16", true, true, false, true),
        ("2.17", true, true, true, true),
        ("2.18", true, true, true, true),
    ] {
        let get = |path: String| app.speaking(version, Method::GET, &path).send();
        let fetched = get(at(&id)).await.expect(200);
        assert_eq!(fetched.get("maintenance_info").is_some(), maintenance, "{version}");
        assert_eq!(fetched["metadata"].get("labels").is_some(), labels, "{version}");
        assert_eq!(fetched["metadata"].get("attributes").is_some(), attributes, "{version}");
        assert_eq!(get(binding(&id, &bound)).await.expect(200).get("endpoints").is_some(), endpoints, "{version}");
        let catalog = get("/v2/catalog".to_owned()).await.expect(200);
        let plan = &catalog["services"][0]["plans"][0];
        assert_eq!(
            (plan.get("maintenance_info").is_some(), plan.get("binding_rotatable").is_some()),
            (maintenance, attributes)
        );
    }
    // Asynchronous bindings came with 2.14.
    let put = |version: &str, id_: &str| {
        app.speaking(version, Method::PUT, &format!("{}?{ASYNC}", binding(&id, id_))).json(&ids.bind(json!({}))).send()
    };
    put("2.13", "old").await.expect(201);
    put("2.14", "new").await.expect(202);
    let delete = |version: &str, id_: &str| {
        app.speaking(version, Method::DELETE, &format!("{}?{ASYNC}&{}", binding(&id, id_), ids.query())).send()
    };
    delete("2.13", "old").await.expect(200);
    delete("2.14", "new").await.expect(202);
}

#[sqlx::test]
async fn an_originating_identity_is_kept_and_a_broken_one_is_no_error(pool: PgPool) {
    let app = parcels::idle(pool).await;
    let ids = small(&app);
    let send = |id: &str, identity: &str| {
        let raw = app.send(Method::PUT, &at(&format!("{id}?{ASYNC}")), &ids.provision(json!({})));
        raw.header("X-Broker-API-Originating-Identity", identity).send()
    };
    send("named", "kubernetes eyJ1c2VybmFtZSI6ImR1a2UiLCJ1aWQiOiJjMmRkZTI0MiJ9").await.expect(202);
    send("broken", "kubernetes ???").await.expect(202);
    let actors: Vec<Option<serde_json::Value>> =
        sqlx::query_scalar("SELECT actor FROM operation ORDER BY created_at").fetch_all(&app.pool).await.unwrap();
    assert_eq!(actors, [Some(json!({ "platform": "kubernetes", "user": "duke" })), None]);
}

#[sqlx::test]
async fn what_is_no_http_request_is_refused_with_a_body_too(pool: PgPool) {
    let app = parcels::idle(pool).await;
    let many = (0..200).map(|n| format!("h{n}: x\r\n")).collect::<String>();
    for (request, status) in [
        ("nonsense\r\n\r\n".to_owned(), "400"),
        ("GET /v2/catalog HTTP/1.1\r\nhost x\r\n\r\n".to_owned(), "400"),
        (format!("GET / HTTP/1.1\r\n{many}\r\n"), "431"),
    ] {
        let answer = app.say(&request).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {answer}"));
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(head.contains("content-type: application/json"), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert!(body["description"].is_string(), "{body}");
    }
}
