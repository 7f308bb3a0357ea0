//! The probes and metrics of a process that serves no API: the controller.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::answer::json;
use super::probes::{LIVEZ, METRICS, READYZ, livez};
use super::router::Metrics;
use crate::metrics::CONTENT_TYPE;

/// Says why the process is not ready, if it is not.
pub type Ready = Arc<dyn Fn() -> Result<(), Vec<String>> + Send + Sync>;

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
