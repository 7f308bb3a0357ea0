//! `/livez`, `/readyz` and `/metrics`: no authentication, nothing secret.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::answer::json;
use super::router::App;

pub const LIVEZ: &str = "/livez";
pub const READYZ: &str = "/readyz";
pub const METRICS: &str = "/metrics";

/// Whether a path is open to everybody.
pub fn is_open(path: &str) -> bool {
    matches!(path, LIVEZ | READYZ | METRICS)
}

/// The process answers. It says nothing of the database: a restart would not mend that.
pub async fn livez() -> Response {
    json(StatusCode::OK, &json!({"status": "alive"}))
}

/// Requests would be served now.
pub async fn readyz(State(app): State<App>) -> Response {
    match app.broker.ready().await {
        Ok(()) => json(StatusCode::OK, &json!({"status": "ready"})),
        Err(reasons) => {
            let body = json!({"status": "not ready", "description": reasons.join("; "), "reasons": reasons});
            json(StatusCode::SERVICE_UNAVAILABLE, &body)
        }
    }
}

/// The metrics in the OpenMetrics text format.
pub async fn metrics(State(app): State<App>) -> Response {
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], (app.metrics)()).into_response()
}
