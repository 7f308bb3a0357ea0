//! `chandlery serve`: the broker and its engine in one process; any number of them share a database.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::registry::registry;
use super::{fit, reload, setup};
use crate::aws::{self, CallObserver, Outcome, Sessions};
use crate::broker::{self, Broker};
use crate::catalog::{Catalog, Shelf};
use crate::config::Config;
use crate::driver::Class;
use crate::engine::{self, Engine, Observer};
use crate::http::{self, App, Server};
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::store::{self, Wake};
use crate::telemetry;

/// Serves until SIGTERM or SIGINT.
pub async fn run(config: Config) -> anyhow::Result<()> {
    telemetry::init(&config.telemetry.log, config.telemetry.log_format)?;
    for warning in config.check()? {
        tracing::warn!("{warning}");
    }
    let metrics = Arc::new(Metrics::new());
    let listening = Arc::new(Listening(Arc::clone(&metrics)));
    let sessions = Sessions::load(aws::Settings {
        call_timeout: config.aws.call_timeout,
        attempt_timeout: config.aws.attempt_timeout,
        backoff: config.engine.backoff,
        endpoint_url: config.aws.aws_endpoint_url.clone(),
        observer: Some(Arc::clone(&listening) as Arc<dyn CallObserver>),
    })
    .await?;
    let registry = registry(&sessions);
    // What can be wrong without a network is told first.
    let catalog = Catalog::load(&config.catalog.catalog, &registry)?;
    let policy = Policy::load(&config.catalog.policy)?;
    for warning in fit::warnings(&policy, &catalog) {
        tracing::warn!("{warning}");
    }
    let master = setup::master_key(&config.secrets, &sessions, |warning| tracing::warn!("{warning}"))?;

    // A third is for transactions; the single statements of requests and those of turns have a third each.
    let pool = setup::pool(&config.database, config.database.database_pool / 3).await?;
    let pending = store::pending_migrations(&pool).await?;
    if !pending.is_empty() {
        anyhow::bail!("the database is behind this version; run `chandlery migrate` first: {}", pending.join(", "));
    }
    let vault = setup::vault(&pool, master.as_ref()).await?;
    let (wake, replica) = (Wake::default(), Uuid::new_v4());
    let shelf = Shelf::new(registry.clone(), Catalog::new(Vec::new()));
    let broker = Broker::new(
        broker::Parts {
            replica,
            pool: pool.clone(),
            vault: vault.clone(),
            shelf: shelf.clone(),
            wake: wake.clone(),
            metrics: Arc::clone(&metrics),
            name_prefix: config.engine.name_prefix.clone(),
            sync_wait: config.http.sync_wait,
        },
        policy,
    );
    broker.publish(catalog).await.context("the catalog could not be recorded")?;
    let engine = Engine::new(engine::Parts {
        replica,
        pool: pool.clone(),
        vault,
        master,
        registry: registry.clone(),
        shelf,
        wake,
        listener: listening,
        settings: engine_settings(&config),
    });
    serve(config, broker, engine, registry, metrics, pool).await
}

async fn serve(
    config: Config,
    broker: Broker,
    engine: Engine,
    registry: crate::driver::Registry,
    metrics: Arc<Metrics>,
    pool: store::PgPool,
) -> anyhow::Result<()> {
    let settings = http::Settings {
        body_limit: config.http.max_body,
        request_time: config.http.request_timeout,
        requests: config.http.max_requests,
        grace: config.http.shutdown_grace,
        metrics_apart: config.http.metrics_listen.is_some(),
        ..http::Settings::default()
    };
    let tls = match (&config.http.tls_cert, &config.http.tls_key) {
        (Some(cert), Some(key)) => Some(http::Tls::from_files(cert.clone(), key.clone())?),
        _ => None,
    };
    let rendered = {
        let (metrics, pool, max) = (Arc::clone(&metrics), pool.clone(), config.database.database_pool);
        let (broker, engine) = (broker.clone(), engine.clone());
        Arc::new(move || {
            let all = [(pool.size() as usize, pool.num_idle()), broker.connections(), engine.connections()];
            let (open, idle) = all.iter().fold((0, 0), |sum, one| (sum.0 + one.0 as u64, sum.1 + one.1 as u64));
            metrics.pool(open, idle, u64::from(max));
            metrics.render()
        })
    };
    let observed = {
        let metrics = Arc::clone(&metrics);
        Arc::new(move |route: &str, method: &::http::Method, status: ::http::StatusCode, took: Duration| {
            metrics.request(route, method.as_str(), status.as_u16(), took);
        })
    };
    let app = App::new(broker.clone(), settings.clone(), rendered, observed);
    let address = config.http.listen;
    let server = Server::bind(address, settings.clone(), tls).await;
    let server = server.with_context(|| format!("{address} cannot be listened on"))?;
    let address = server.address()?;
    let probes = match config.http.metrics_listen {
        None => None,
        Some(address) => {
            let server = Server::bind(address, settings, None).await;
            Some(server.with_context(|| format!("{address} cannot be listened on"))?)
        }
    };

    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone()));
    tokio::spawn(reload::watch(broker, registry, config.catalog.clone(), metrics));
    let engine = tokio::spawn({
        let stop = stop.clone();
        async move { engine.run(stop).await }
    });
    tracing::info!(%address, "serving");
    let router = http::router(app.clone());
    if let Some(probes) = probes {
        tokio::spawn(probes.run(http::probes(app), stop.clone()));
    }
    server.run(router, stop.clone()).await;
    // Requests are answered; now the turns hand their leases back.
    if tokio::time::timeout(config.http.shutdown_grace, engine).await.is_err() {
        tracing::warn!("some turns did not end in time; their leases run out by themselves");
    }
    pool.close().await;
    tracing::info!("stopped");
    Ok(())
}

fn engine_settings(config: &Config) -> engine::Settings {
    engine::Settings {
        lease: config.engine.lease,
        renew: config.engine.renew_every,
        call_timeout: config.aws.call_timeout,
        backoff: config.engine.backoff,
        poll: config.engine.poll_interval,
        workers: config.engine.workers,
        sync_workers: config.engine.sync_workers,
        per_target: config.engine.per_target,
        name_prefix: config.engine.name_prefix.clone(),
        tombstones: config.engine.tombstones,
    }
}

/// Cancels it on SIGTERM or SIGINT.
pub async fn stop_on_signal(stop: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be heard; stop this process with SIGKILL");
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    stop.cancel();
}

/// Turns what engine and AWS clients tell into metrics.
struct Listening(Arc<Metrics>);

#[async_trait]
impl Observer for Listening {
    fn fault(&self, kind: &str, class: Class) {
        self.0.fault(class.as_str(), kind);
    }

    fn turn(&self, lane: &'static str, outcome: &'static str) {
        self.0.turn(lane, outcome);
    }

    fn claimed(&self, lane: &'static str) {
        self.0.claim(lane);
    }

    fn fenced(&self) {
        self.0.write_fenced();
    }

    fn lease_lost(&self) {
        self.0.lease_lost();
    }

    fn finished(&self, kind: &'static str, offering: &str, succeeded: bool, took: Duration) {
        self.0.operation_finished(kind, offering, if succeeded { "succeeded" } else { "failed" }, took);
    }

    fn backlog(&self, in_progress: u64, oldest_due: Duration) {
        self.0.backlog(in_progress, oldest_due);
    }

    fn ring_keys(&self, keys: usize) {
        self.0.ring_keys(keys);
    }
}

#[async_trait]
impl CallObserver for Listening {
    async fn after(&self, service: &str, operation: &str, outcome: Outcome, took: Duration) {
        self.0.aws_call(service, operation, outcome.as_str(), took);
    }
}
