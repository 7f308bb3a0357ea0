//! A strict broker that can be told to fail. It keeps what it made, so that a test can tell what a user would be billed for;
//! and it writes down whatever the protocol forbids a platform.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Method, Uri, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::gate::Gate;
use crate::kubernetes::broker::service;
use crate::kubernetes::world::locked;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    Catalog,
    Provision,
    Update,
    Deprovision,
    PollProvision,
    PollUpdate,
    PollDeprovision,
    Bind,
    FetchBinding,
    PollBind,
    Unbind,
    PollUnbind,
}

impl Route {
    pub const ALL: [Self; 12] = [
        Self::Catalog,
        Self::Provision,
        Self::Update,
        Self::Deprovision,
        Self::PollProvision,
        Self::PollUpdate,
        Self::PollDeprovision,
        Self::Bind,
        Self::FetchBinding,
        Self::PollBind,
        Self::Unbind,
        Self::PollUnbind,
    ];

    /// Only a broker that works asynchronously is asked.
    pub fn is_asynchronous(self) -> bool {
        use Route::{FetchBinding, PollBind, PollDeprovision, PollProvision, PollUnbind, PollUpdate};
        matches!(self, PollProvision | PollUpdate | PollDeprovision | FetchBinding | PollBind | PollUnbind)
    }
}

/// How a request ends instead of as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing is done, and this is said.
    Refused(u16),
    /// It is done, and this is said.
    Broke(u16),
    /// It is done, and nothing is said in time.
    Silent,
    /// It is done, and said late, and still in time.
    Slow,
    /// It is done, and the connection breaks within the answer.
    Lost,
}

/// A request and what came of it; `None`: what should.
#[derive(Clone, PartialEq, Eq)]
pub struct Heard {
    pub route: Route,
    pub id: String,
    pub trouble: Option<Trouble>,
    pub status: u16,
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {} {:?} {}", self.route, self.id, self.trouble, self.status)
    }
}

#[derive(Clone, Debug)]
struct Thing {
    body: Value,
    secret: String,
    /// What it works on, and how often it must be asked.
    going: Option<(Route, usize)>,
}

#[derive(Default)]
struct Ledger {
    catalog: Value,
    polls: usize,
    faults: Vec<(Route, usize, Trouble)>,
    heard: Vec<Heard>,
    instances: BTreeMap<String, Thing>,
    bindings: BTreeMap<String, Thing>,
    made: (usize, usize),
    wrongs: Vec<String>,
}

/// The broker; it ends with the test's runtime.
#[derive(Clone)]
pub struct Strict {
    pub url: String,
    pub class: String,
    ledger: Arc<Mutex<Ledger>>,
}

/// Longer than any controller of these tests waits.
const SILENCE: Duration = Duration::from_secs(20);

impl Strict {
    /// With a class of the plans `small` and `large`. `polls`: how often an operation must be asked for; 0: it is done at once.
    pub async fn start(suffix: &str, polls: usize, gate: Gate) -> Self {
        let mut offering = service("db", suffix, &["small", "large"]);
        offering["bindings_retrievable"] = json!(true);
        let class = offering["name"].as_str().unwrap().to_owned();
        let ledger = Ledger { catalog: json!({"services": [offering]}), polls, ..Ledger::default() };
        let ledger = Arc::new(Mutex::new(ledger));
        let router = Router::new().fallback(answer).with_state((Arc::clone(&ledger), gate));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, class, ledger }
    }

    /// The next requests for that end so.
    pub fn fails(&self, route: Route, times: usize, trouble: Trouble) {
        locked(&self.ledger).faults.push((route, times, trouble));
    }

    pub fn heard(&self) -> Vec<Heard> {
        locked(&self.ledger).heard.clone()
    }

    /// How many instances and bindings are there.
    pub fn there(&self) -> (usize, usize) {
        let ledger = locked(&self.ledger);
        (ledger.instances.len(), ledger.bindings.len())
    }

    /// How many instances and bindings were ever made.
    pub fn made(&self) -> (usize, usize) {
        locked(&self.ledger).made
    }

    /// The plan of the only instance.
    pub fn plan(&self) -> String {
        let ledger = locked(&self.ledger);
        ledger.instances.values().map(|thing| thing.body["plan_id"].as_str().unwrap().to_owned()).collect()
    }

    /// The passwords of the bindings that are there.
    pub fn passwords(&self) -> Vec<String> {
        locked(&self.ledger).bindings.values().map(|thing| thing.secret.clone()).collect()
    }

    /// What was done against the protocol.
    pub fn wrongs(&self) -> Vec<String> {
        locked(&self.ledger).wrongs.clone()
    }
}

impl Ledger {
    fn route(&self, method: &Method, parts: &[&str]) -> Option<(Route, String)> {
        let going = |things: &BTreeMap<String, Thing>, id: &str| things.get(id)?.going.map(|(route, _)| route);
        let (route, id) = match (method, parts) {
            (&Method::GET, ["v2", "catalog"]) => (Route::Catalog, ""),
            (&Method::PUT, [_, _, id]) => (Route::Provision, *id),
            (&Method::PATCH, [_, _, id]) => (Route::Update, *id),
            (&Method::DELETE, [_, _, id]) => (Route::Deprovision, *id),
            (&Method::GET, [_, _, id, "last_operation"]) => match going(&self.instances, id) {
                Some(Route::Update) => (Route::PollUpdate, *id),
                Some(Route::Provision) => (Route::PollProvision, *id),
                _ => (Route::PollDeprovision, *id),
            },
            (&Method::PUT, [_, _, _, _, id]) => (Route::Bind, *id),
            (&Method::DELETE, [_, _, _, _, id]) => (Route::Unbind, *id),
            (&Method::GET, [_, _, _, _, id]) => (Route::FetchBinding, *id),
            (&Method::GET, [_, _, _, _, id, "last_operation"]) => match going(&self.bindings, id) {
                Some(Route::Bind) => (Route::PollBind, *id),
                _ => (Route::PollUnbind, *id),
            },
            _ => return None,
        };
        Some((route, id.to_owned()))
    }

    fn trouble(&mut self, route: Route) -> Option<Trouble> {
        let fault = self.faults.iter_mut().find(|(at, times, _)| *at == route && *times > 0)?;
        fault.1 -= 1;
        Some(fault.2)
    }

    fn does(&mut self, route: Route, id: &str, of: &str, body: &Value, waits: bool) -> (u16, Value) {
        let polls = if waits { self.polls } else { 0 };
        if waits != (polls > 0) && self.polls > 0 && route != Route::Catalog && !route.is_asynchronous() {
            self.wrongs.push(format!("{route:?} without accepts_incomplete"));
        }
        match route {
            Route::Catalog => (200, self.catalog.clone()),
            Route::Provision => self.provision(id, body, polls),
            Route::Update => self.update(id, body, polls),
            Route::Deprovision => self.remove(true, id, polls),
            Route::Unbind => self.remove(false, id, polls),
            Route::Bind => self.bind(id, of, body, polls),
            Route::FetchBinding => match self.bindings.get(id) {
                Some(Thing { going: None, secret, .. }) => (200, json!({"credentials": {"password": secret}})),
                _ => (404, json!({"description": "There is no such binding."})),
            },
            Route::PollProvision | Route::PollUpdate | Route::PollDeprovision => Self::poll(&mut self.instances, id),
            Route::PollBind | Route::PollUnbind => Self::poll(&mut self.bindings, id),
        }
    }

    fn provision(&mut self, id: &str, body: &Value, polls: usize) -> (u16, Value) {
        if let Some(there) = self.instances.get_mut(id) {
            return match there {
                Thing { going: Some((Route::Deprovision, _)), .. } => there.busy(),
                Thing { body: former, .. } if !same(former, body) => {
                    self.wrongs.push(format!("another provision of {id}"));
                    (409, json!({"description": "It is there already, and otherwise."}))
                }
                Thing { going: Some(_), .. } => (202, json!({"operation": "o"})),
                Thing { going: None, .. } => (200, json!({})),
            };
        }
        if !self.instances.is_empty() {
            self.wrongs.push(format!("a second instance {id}"));
        }
        self.made.0 += 1;
        let going = (polls > 0).then_some((Route::Provision, polls));
        self.instances.insert(id.to_owned(), Thing { body: body.clone(), secret: String::new(), going });
        if polls > 0 { (202, json!({"operation": "o"})) } else { (201, json!({})) }
    }

    fn update(&mut self, id: &str, body: &Value, polls: usize) -> (u16, Value) {
        let Some(there) = self.instances.get_mut(id) else {
            self.wrongs.push(format!("an update of {id}, which is not there"));
            return (404, json!({"description": "There is no such instance."}));
        };
        if there.going.is_some() {
            return there.busy();
        }
        if body["plan_id"].is_string() {
            there.body["plan_id"] = body["plan_id"].clone();
        }
        there.going = (polls > 0).then_some((Route::Update, polls));
        if polls > 0 { (202, json!({"operation": "o"})) } else { (200, json!({})) }
    }

    fn bind(&mut self, id: &str, of: &str, body: &Value, polls: usize) -> (u16, Value) {
        match self.instances.get_mut(of) {
            None => {
                self.wrongs.push(format!("a binding {id} of the instance {of}, which is not there"));
                return (404, json!({"description": "There is no such instance."}));
            }
            Some(there) if there.going.is_some() => return there.busy(),
            Some(_) => {}
        }
        if let Some(there) = self.bindings.get_mut(id) {
            return match there {
                Thing { going: Some((Route::Unbind, _)), .. } => there.busy(),
                Thing { body: former, .. } if !same(former, body) => {
                    self.wrongs.push(format!("another bind of {id}"));
                    (409, json!({"description": "It is there already, and otherwise."}))
                }
                Thing { going: Some(_), .. } => (202, json!({"operation": "o"})),
                Thing { secret, .. } => (200, json!({"credentials": {"password": secret}})),
            };
        }
        self.made.1 += 1;
        let secret = format!("hunter-{id}-{}", self.made.1);
        let going = (polls > 0).then_some((Route::Bind, polls));
        self.bindings.insert(id.to_owned(), Thing { body: body.clone(), secret: secret.clone(), going });
        if polls > 0 { (202, json!({"operation": "o"})) } else { (201, json!({"credentials": {"password": secret}})) }
    }

    fn remove(&mut self, instance: bool, id: &str, polls: usize) -> (u16, Value) {
        if instance && !self.bindings.is_empty() && self.instances.contains_key(id) {
            self.wrongs.push(format!("a deprovision of {id}, which has bindings"));
        }
        let (things, operation) = match instance {
            true => (&mut self.instances, Route::Deprovision),
            false => (&mut self.bindings, Route::Unbind),
        };
        let Some(there) = things.get_mut(id) else { return (410, json!({})) };
        if polls == 0 {
            things.remove(id);
            return (200, json!({}));
        }
        if there.going.is_none_or(|(going, _)| going != operation) {
            there.going = Some((operation, polls));
        }
        (202, json!({"operation": "o"}))
    }

    fn poll(things: &mut BTreeMap<String, Thing>, id: &str) -> (u16, Value) {
        let Some(there) = things.get_mut(id) else { return (410, json!({})) };
        let Some((operation, left)) = there.going.as_mut() else { return (200, json!({"state": "succeeded"})) };
        *left = left.saturating_sub(1);
        if *left > 0 {
            return (200, json!({"state": "in progress", "description": "On it."}));
        }
        match operation {
            Route::Deprovision | Route::Unbind => drop(things.remove(id)),
            _ => there.going = None,
        }
        (200, json!({"state": "succeeded"}))
    }
}

/// Whether two requests want the same thing.
fn same(one: &Value, other: &Value) -> bool {
    ["service_id", "plan_id", "parameters", "predecessor_binding_id"].iter().all(|field| one[*field] == other[*field])
}

impl Thing {
    /// It works on something. Time passes for it, too, when nobody polls.
    fn busy(&mut self) -> (u16, Value) {
        if let Some((operation, left)) = &mut self.going
            && !matches!(operation, Route::Deprovision | Route::Unbind)
        {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.going = None;
            }
        }
        (422, json!({"error": "ConcurrencyError", "description": "Another operation is under way."}))
    }
}

async fn answer(
    State((ledger, gate)): State<(Arc<Mutex<Ledger>>, Gate)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    gate.enter().await;
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let parts: Vec<&str> = uri.path().trim_start_matches('/').split('/').collect();
    let waits = uri.query().is_some_and(|query| query.contains("accepts_incomplete=true"));
    let (route, trouble, status, body) = {
        let mut ledger = locked(&ledger);
        let Some((route, id)) = ledger.route(&method, &parts) else {
            ledger.wrongs.push(format!("{method} {uri}"));
            return said(404, &json!({}));
        };
        if !headers.contains_key("x-broker-api-version") {
            ledger.wrongs.push(format!("{route:?} without a version"));
        }
        let trouble = ledger.trouble(route);
        let of = parts.get(2).copied().unwrap_or_default();
        let told = |status| (status, json!({"description": format!("Told to say {status}.")}));
        let (status, answer) = match trouble {
            // Nothing is there any more: then that is so.
            Some(Trouble::Refused(410)) if matches!(route, Route::Deprovision | Route::PollDeprovision) => {
                ledger.instances.remove(&id);
                told(410)
            }
            Some(Trouble::Refused(410)) if matches!(route, Route::Unbind | Route::PollUnbind) => {
                ledger.bindings.remove(&id);
                told(410)
            }
            Some(Trouble::Refused(status)) => told(status),
            Some(Trouble::Broke(status)) if route.is_asynchronous() => told(status),
            Some(Trouble::Broke(status)) => {
                ledger.does(route, &id, of, &body, waits);
                told(status)
            }
            Some(Trouble::Silent | Trouble::Slow | Trouble::Lost) | None => ledger.does(route, &id, of, &body, waits),
        };
        ledger.heard.push(Heard { route, id, trouble, status });
        (route, trouble, status, answer)
    };
    let _ = gate.passed(format!("{route:?} {status}")).await;
    match trouble {
        Some(Trouble::Silent) => tokio::time::sleep(SILENCE).await,
        Some(Trouble::Slow) => tokio::time::sleep(Duration::from_millis(400)).await,
        Some(Trouble::Lost) => {
            let broken = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("the reply is lost"))]);
            let json = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
            return json.body(Body::from_stream(broken)).unwrap();
        }
        _ => {}
    }
    said(status, &body)
}

fn said(status: u16, body: &Value) -> Response {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    response.body(Body::from(body.to_string())).unwrap()
}
