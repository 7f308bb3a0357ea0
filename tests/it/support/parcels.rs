//! The offering `parcels` of `tests/it/offerings`, and requests about it.

use std::path::PathBuf;

use chandlery::osb::Uid;
use http::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::app::{Ids, Options, TestApp};
use super::reply::Raw;

pub const ASYNC: &str = "accepts_incomplete=true";
const FILE: &str = include_str!("../offerings/parcels.yaml");

pub fn options() -> Options {
    Options { catalog: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/offerings"), ..Options::default() }
}

pub async fn start(pool: PgPool) -> TestApp {
    TestApp::with(pool, options()).await
}

/// Nothing is worked on until [`TestApp::engine`] is called: what is accepted stays in progress.
pub async fn idle(pool: PgPool) -> TestApp {
    TestApp::with(pool, Options { engine: false, ..options() }).await
}

/// A directory with the file as it would be after these replacements.
pub fn edited(changes: &[(&str, &str)]) -> PathBuf {
    let text = changes.iter().fold(FILE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the file has no {from}");
        text.replace(from, to)
    });
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chandlery-{}", Uid::random()));
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("parcels.yaml"), text).unwrap();
    directory
}

pub fn small(app: &TestApp) -> Ids {
    app.ids("parcels", "small")
}

pub fn at(instance: &str) -> String {
    format!("/v2/service_instances/{instance}")
}

pub fn binding(instance: &str, id: &str) -> String {
    format!("/v2/service_instances/{instance}/service_bindings/{id}")
}

/// The JSON object with these entries put in or, where null, taken out.
pub fn with(mut object: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(object.as_object_mut().unwrap().remove(name)),
            value => object[name] = value.clone(),
        }
    }
    object
}

pub fn patch(ids: &Ids, changes: Value) -> Value {
    with(json!({ "service_id": ids.service }), changes)
}

/// AWS refuses the operation, for ever, as something that the user must change.
pub fn refusal(service: &str, operation: &str) -> Value {
    json!({
        "service": service, "operation": operation, "times": null, "mode": "error", "status": 400,
        "code": "InvalidParameterValue", "message": "Not like this.",
    })
}

pub fn slow(service: &str, operation: &str, seconds: f64) -> Value {
    json!({ "service": service, "operation": operation, "times": null, "mode": "latency", "seconds": seconds })
}

impl TestApp {
    pub fn send(&self, method: Method, path: &str, body: &Value) -> Raw {
        self.request(method, path).json(body)
    }

    /// The other platform's request.
    pub fn other(&self, method: Method, path: &str) -> Raw {
        let mut raw = self.bare(method, path).header("X-Broker-API-Version", "2.17");
        raw.builder = raw.builder.basic_auth("other", Some(super::app::PASSWORD));
        raw
    }

    /// A request in another version of the protocol.
    pub fn speaking(&self, version: &str, method: Method, path: &str) -> Raw {
        let mut raw = self.bare(method, path).header("X-Broker-API-Version", version);
        raw.builder = raw.builder.basic_auth(super::app::USER, Some(super::app::PASSWORD));
        raw
    }
}
