//! Every route, on one screen.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, put};
use tokio::sync::Semaphore;

use super::front::{Desk, FrontLayer, Observer};
use super::settings::Settings;
use super::{answer, probes as probe, v2};
use crate::broker::Broker;

/// Renders the metrics as text.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What handlers share.
#[derive(Clone)]
pub struct App {
    pub(super) broker: Broker,
    pub(super) settings: Arc<Settings>,
    pub(super) metrics: Metrics,
    observer: Observer,
}

impl App {
    /// The broker behind the door; `metrics` renders what `/metrics` shows and `observer` hears of every answer.
    pub fn new(broker: Broker, settings: Settings, metrics: Metrics, observer: Observer) -> Self {
        Self { broker, settings: Arc::new(settings), metrics, observer }
    }

    /// The layer that every route and every miss goes through.
    fn front(&self) -> FrontLayer {
        let broker = self.broker.clone();
        FrontLayer::new(Desk {
            authenticate: Box::new(move |credentials| broker.authenticate(credentials)),
            observer: self.observer.clone(),
            request_time: self.settings.request_time,
            places: Arc::new(Semaphore::new(self.settings.requests)),
        })
    }
}

/// The API and the probes.
pub fn router(app: App) -> Router {
    let api = Router::new()
        .route("/v2/catalog", get(v2::catalog))
        .route(
            "/v2/service_instances/{instance_id}",
            put(v2::provision).get(v2::fetch_instance).patch(v2::update).delete(v2::deprovision),
        )
        .route("/v2/service_instances/{instance_id}/last_operation", get(v2::instance_operation))
        .route(
            "/v2/service_instances/{instance_id}/service_bindings/{binding_id}",
            put(v2::bind).get(v2::fetch_binding).delete(v2::unbind),
        )
        .route(
            "/v2/service_instances/{instance_id}/service_bindings/{binding_id}/last_operation",
            get(v2::binding_operation),
        );
    let probes = probe_routes(!app.settings.metrics_apart);
    finish(api.merge(probes), app)
}

/// The probes and the metrics alone, for a listener that the API's clients do not reach.
pub fn probes(app: App) -> Router {
    finish(probe_routes(true), app)
}

fn probe_routes(with_metrics: bool) -> Router<App> {
    let routes = Router::new().route(probe::LIVEZ, get(probe::livez)).route(probe::READYZ, get(probe::readyz));
    if with_metrics { routes.route(probe::METRICS, get(probe::metrics)) } else { routes }
}

/// `Router::layer` also wraps what no route or no method matches, so nobody learns a path without credentials.
fn finish(routes: Router<App>, app: App) -> Router {
    let front = app.front();
    routes
        .fallback(answer::no_such_path)
        .method_not_allowed_fallback(answer::no_such_method)
        .layer(front)
        .with_state(app)
}
