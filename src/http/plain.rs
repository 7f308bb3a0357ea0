//! The probes and metrics of a process that serves no API: the controller.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::answer::json;
use super::probes::{LIVEZ, METRICS, READYZ, livez};
use super::router::Metrics;
use crate::metrics::CONTENT_TYPE;

/// Says why the process is not ready, if it is not.
pub type Ready = Arc<dyn Fn() -> Result<(), Vec<String>> + Send + Sync>;

/// Answers a body with another; `None` if it cannot be read.
pub type Reviewer = Arc<dyn Fn(&[u8]) -> Option<serde_json::Value> + Send + Sync>;

/// One route that takes an object of the API server's and answers at once: an admission webhook.
pub fn webhook(path: &str, review: Reviewer) -> Router {
    // The API server's own bound for an object, twice: the new one and the old one.
    const LARGEST: usize = 8 << 20;
    let answer = move |body: Bytes| {
        std::future::ready(match review(&body) {
            Some(answer) => json(StatusCode::OK, &answer),
            None => json(StatusCode::BAD_REQUEST, &json!({"description": "This is no AdmissionReview."})),
        })
    };
    Router::new().route(path, post(answer)).layer(DefaultBodyLimit::max(LARGEST))
}

/// `/livez`, `/readyz` and `/metrics`.
pub fn health(ready: Ready, metrics: Metrics) -> Router {
    let page = move |State(metrics): State<Metrics>| async move {
        ([(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))], metrics()).into_response()
    };
    let state = move || -> Response {
        match ready() {
            Ok(()) => json(StatusCode::OK, &json!({"status": "ready"})),
            Err(reasons) => json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "not ready", "reasons": reasons})),
        }
    };
    Router::new()
        .route(LIVEZ, get(livez))
        .route(READYZ, get(move || std::future::ready(state())))
        .route(METRICS, get(page))
        .with_state(metrics)
}
