//! A broker that a test scripts: it answers what the protocol says unless a fault is set, and writes down what it heard.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Method, Uri, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::world::locked;

/// A request that was heard.
#[derive(Clone, Debug)]
pub struct Heard {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Value,
}

/// Answers the next requests that fit with something else.
#[derive(Default)]
pub struct Fault {
    pub method: Method,
    /// What the path (with its query) holds.
    pub path: String,
    /// For how many requests.
    pub times: usize,
    pub status: u16,
    pub body: Value,
    pub delay: Duration,
    /// Seconds in the header `Retry-After`.
    pub retry_after: Option<u64>,
    /// The request is heard, and the connection breaks before the answer is whole.
    pub lost: bool,
}

#[derive(Default)]
struct Script {
    catalog: Value,
    etag: Option<String>,
    login: Option<String>,
    faults: VecDeque<Fault>,
    heard: Vec<Heard>,
}

/// The broker; it ends with the test's runtime.
#[derive(Clone)]
pub struct FakeBroker {
    pub url: String,
    script: Arc<Mutex<Script>>,
}

impl FakeBroker {
    pub async fn start(catalog: Value) -> Self {
        let script = Arc::new(Mutex::new(Script { catalog, ..Script::default() }));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, script }
    }

    /// From now on it offers this; with an entity tag if one is given.
    pub fn offers(&self, catalog: Value, etag: Option<&str>) {
        let mut script = locked(&self.script);
        (script.catalog, script.etag) = (catalog, etag.map(str::to_owned));
    }

    /// Only who says this in `Authorization` is heard.
    pub fn wants(&self, authorization: &str) {
        locked(&self.script).login = Some(authorization.to_owned());
    }

    pub fn fault(&self, fault: Fault) {
        locked(&self.script).faults.push_back(fault);
    }

    /// The requests so far whose method and path fit.
    pub fn heard(&self, method: Method, path: &str) -> Vec<Heard> {
        let script = locked(&self.script);
        script.heard.iter().filter(|heard| heard.method == method && heard.path.contains(path)).cloned().collect()
    }
}

async fn answer(
    State(script): State<Arc<Mutex<Script>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let (status, body, etag, delay, retry_after, lost) = {
        let mut script = locked(&script);
        script.heard.push(Heard { method: method.clone(), path: path.clone(), headers: headers.clone(), body });
        let fault = script
            .faults
            .iter_mut()
            .find(|fault| fault.times > 0 && fault.method == method && path.contains(&fault.path));
        if let Some(fault) = fault {
            fault.times -= 1;
            (fault.status, fault.body.clone(), None, fault.delay, fault.retry_after, fault.lost)
        } else {
            let said = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            let known = script.login.is_none() || said(header::AUTHORIZATION) == script.login;
            let same = script.etag.is_some() && said(header::IF_NONE_MATCH) == script.etag;
            let (status, body) = match (&method, uri.path()) {
                _ if !known => (401, json!({"description": "who are you"})),
                (&Method::GET, "/v2/catalog") if same => (304, Value::Null),
                (&Method::GET, "/v2/catalog") => (200, script.catalog.clone()),
                (&Method::PUT, path) if path.contains("/service_bindings/") => {
                    (201, json!({"credentials": {"user": "u", "password": "p"}}))
                }
                (&Method::PUT, _) => (201, json!({"dashboard_url": "https://dashboard.example"})),
                (&Method::GET, path) if path.ends_with("/last_operation") => (200, json!({"state": "succeeded"})),
                _ => (200, json!({})),
            };
            (status, body, script.etag.clone(), Duration::ZERO, None, false)
        }
    };
    tokio::time::sleep(delay).await;
    let mut response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    if let Some(etag) = etag {
        response = response.header(header::ETAG, etag);
    }
    if let Some(seconds) = retry_after {
        response = response.header(header::RETRY_AFTER, seconds);
    }
    if lost {
        let broken = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("the reply is lost"))]);
        return response.body(Body::from_stream(broken)).unwrap();
    }
    response.body(if body.is_null() { Body::empty() } else { Body::from(body.to_string()) }).unwrap()
}

/// An offering with these plans; ids are made from the names and the suffix, so that no two tests meet.
pub fn service(name: &str, suffix: &str, plans: &[&str]) -> Value {
    let plan = |plan: &&str| {
        json!({
            "id": format!("{name}-{plan}-{suffix}"), "name": plan, "description": format!("The {plan} plan"), "free": *plan == "small",
            "schemas": {"service_instance": {"create": {"parameters": {
                "$schema": "http://json-schema.org/draft-04/schema#", "type": "object",
                "properties": {"size": {"type": "integer", "default": null}},
            }}}},
        })
    };
    json!({
        "id": format!("{name}-{suffix}"), "name": format!("{name}-{suffix}"), "description": format!("A {name}"),
        "bindable": true, "plan_updateable": true, "tags": ["t"], "metadata": {"displayName": name},
        "plans": plans.iter().map(plan).collect::<Vec<_>>(),
    })
}
