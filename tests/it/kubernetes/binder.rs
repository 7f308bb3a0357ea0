//! A broker that keeps bindings, and can be told to fail: by any status, by an answer that comes too late, by working on
//! and on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Method, Uri, header};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::world::locked;

/// A request about a binding.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Value,
}

/// What the next requests that fit get.
#[derive(Clone)]
pub enum Fault {
    /// This answer, and nothing is done.
    Answer(u16, Value),
    /// This one, with a time to come again.
    Busy(u16, u64),
    /// It is done, and the answer comes this late.
    Late(Duration),
    /// It is done, and the answer says something else.
    Garbled(u16),
}

#[derive(Default)]
struct Script {
    plan: Map<String, Value>,
    retrievable: bool,
    /// How many polls a binding takes; 0: none.
    polls: usize,
    credentials: Map<String, Value>,
    metadata: Value,
    faults: VecDeque<(Method, String, usize, Fault)>,
    asked: Vec<Asked>,
    /// By id: what was asked for, the credentials, how often it must still be polled.
    there: BTreeMap<String, (Value, Value, usize)>,
    leaving: BTreeMap<String, usize>,
    made: usize,
}

/// The broker; it ends with the test's runtime.
#[derive(Clone)]
pub struct Binder {
    pub url: String,
    script: Arc<Mutex<Script>>,
}

impl Binder {
    /// With one class `class` and one plan `plan`.
    pub async fn start() -> Self {
        let script = Arc::new(Mutex::new(Script::default()));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, script }
    }

    /// Bindings can be fetched, and take so many polls.
    pub fn retrievable(&self, polls: usize) -> &Self {
        let mut script = locked(&self.script);
        (script.retrievable, script.polls) = (true, polls);
        self
    }

    /// The plan says this, too.
    pub fn plan(&self, more: Value) -> &Self {
        locked(&self.script).plan.extend(more.as_object().unwrap().clone());
        self
    }

    /// Bindings hand out this, too.
    pub fn credentials(&self, more: Value) -> &Self {
        locked(&self.script).credentials.extend(more.as_object().unwrap().clone());
        self
    }

    /// Bindings end then.
    pub fn metadata(&self, metadata: Value) -> &Self {
        locked(&self.script).metadata = metadata;
        self
    }

    /// The next requests with that method, whose path holds that, fail.
    pub fn fault(&self, method: Method, path: &str, times: usize, fault: Fault) -> &Self {
        locked(&self.script).faults.push_back((method, path.to_owned(), times, fault));
        self
    }

    /// The ids of the bindings that are there.
    pub fn there(&self) -> Vec<String> {
        locked(&self.script).there.keys().cloned().collect()
    }

    /// A binding is lost.
    pub fn lose(&self, id: &str) {
        locked(&self.script).there.remove(id);
    }

    /// What was asked so far about bindings.
    pub fn asked(&self, method: Method) -> Vec<Asked> {
        let script = locked(&self.script);
        script.asked.iter().filter(|asked| asked.method == method).cloned().collect()
    }

    /// How often a binding was made: more than once for the same id is a new set of credentials.
    pub fn made(&self) -> usize {
        locked(&self.script).made
    }
}

impl Script {
    fn catalog(&self) -> Value {
        let mut plan = json!({"id": "plan", "name": "plan", "description": "d", "free": true});
        plan.as_object_mut().unwrap().extend(self.plan.clone());
        json!({"services": [{
            "id": "class", "name": "class", "description": "d", "bindable": true,
            "bindings_retrievable": self.retrievable, "plans": [plan],
        }]})
    }

    fn fault(&mut self, method: &Method, path: &str) -> Option<Fault> {
        let fault =
            self.faults.iter_mut().find(|(of, at, times, _)| *times > 0 && of == method && path.contains(at))?;
        fault.2 -= 1;
        Some(fault.3.clone())
    }

    fn answered(&mut self, method: &Method, uri: &Uri, body: &Value) -> (u16, Value) {
        let waits = uri.query().is_some_and(|query| query.contains("accepts_incomplete=true"));
        let parts: Vec<&str> = uri.path().trim_start_matches('/').split('/').collect();
        match (method, parts.as_slice()) {
            (&Method::GET, ["v2", "catalog"]) => (200, self.catalog()),
            (&Method::PUT, [_, _, _, _, id]) => self.bind(id, body, waits),
            (&Method::GET, [_, _, _, _, id]) => match self.there.get(*id) {
                Some((_, credentials, 0)) => (200, json!({"credentials": credentials, "metadata": self.metadata})),
                _ => (404, json!({})),
            },
            (&Method::GET, [_, _, _, _, id, "last_operation"]) => self.poll(id),
            (&Method::DELETE, [_, _, _, _, id]) => match self.there.remove(*id) {
                None => (410, json!({})),
                Some(_) if waits && self.polls > 0 => {
                    self.leaving.insert((*id).to_owned(), self.polls);
                    (202, json!({"operation": "delete"}))
                }
                Some(_) => (200, json!({})),
            },
            (&Method::PUT, _) => (201, json!({})),
            _ => (200, json!({})),
        }
    }

    fn bind(&mut self, id: &str, body: &Value, waits: bool) -> (u16, Value) {
        let same = |former: &Value| former["parameters"] == body["parameters"];
        if let Some((former, credentials, polls)) = self.there.get(id) {
            return match *polls {
                _ if !same(former) => (409, json!({})),
                0 => (200, json!({"credentials": credentials, "metadata": self.metadata})),
                _ => (202, json!({"operation": "bind"})),
            };
        }
        self.made += 1;
        let mut credentials = json!({"user": "u", "password": format!("hunter{}", self.made), "port": 5432});
        credentials.as_object_mut().unwrap().extend(self.credentials.clone());
        let polls = if waits { self.polls } else { 0 };
        self.there.insert(id.to_owned(), (body.clone(), credentials.clone(), polls));
        match polls {
            0 => (201, json!({"credentials": credentials, "metadata": self.metadata})),
            _ => (202, json!({"operation": "bind"})),
        }
    }

    fn poll(&mut self, id: &str) -> (u16, Value) {
        let left = match (self.there.get_mut(id), self.leaving.get_mut(id)) {
            (Some((.., polls)), _) | (None, Some(polls)) => polls,
            (None, None) => return (410, json!({})),
        };
        *left = left.saturating_sub(1);
        (200, json!({"state": if *left == 0 { "succeeded" } else { "in progress" }, "description": "On it."}))
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
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut response = Response::builder().header(header::CONTENT_TYPE, "application/json");
    let (status, said, delay) = {
        let mut script = locked(&script);
        if path.contains("/service_bindings/") {
            let asked = Asked { method: method.clone(), path: path.clone(), headers, body: body.clone() };
            script.asked.push(asked);
        }
        match script.fault(&method, &path) {
            None => {
                let (status, said) = script.answered(&method, &uri, &body);
                (status, said, Duration::ZERO)
            }
            Some(Fault::Answer(status, said)) => (status, said, Duration::ZERO),
            Some(Fault::Busy(status, seconds)) => {
                response = response.header(header::RETRY_AFTER, seconds);
                (status, json!({"description": "Busy."}), Duration::ZERO)
            }
            Some(Fault::Late(delay)) => {
                let (status, said) = script.answered(&method, &uri, &body);
                (status, said, delay)
            }
            Some(Fault::Garbled(status)) => {
                script.answered(&method, &uri, &body);
                (status, json!("garbled"), Duration::ZERO)
            }
        }
    };
    tokio::time::sleep(delay).await;
    response.status(status).body(Body::from(said.to_string())).unwrap()
}
