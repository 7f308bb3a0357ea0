//! Every metric, declared once. A value, not a global: tests make their own and read it.
//!
//! Labels are bounded by design: routes of the router, names of the catalog and of drivers, words of enumerations. Never an
//! id, a name that a user gave, or an account. The text is that of OpenMetrics, which adds `_total` to counters.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use labels::{
    AwsCall, AwsOperation, DriverFault, Lane, Operation, OperationEnd, Reload, Request, RequestRoute, Source, Turn,
};

mod controller;
mod labels;

pub use controller::ControllerMetrics;

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;
type Seconds = Gauge<f64, AtomicU64>;

/// All metrics. A clone is the same ones. Families are reached through the methods, which say what is counted when.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<Request, Counter>,
    request_duration: Histograms<RequestRoute>,
    requests_in_flight: Gauge,
    operations_accepted: Family<Operation, Counter>,
    operations_finished: Family<OperationEnd, Counter>,
    operation_duration: Histograms<Operation>,
    operations_in_progress: Gauge,
    oldest_due: Seconds,
    claims: Family<Lane, Counter>,
    turns: Family<Turn, Counter>,
    leases_lost: Counter,
    writes_fenced: Counter,
    faults: Family<DriverFault, Counter>,
    aws_calls: Family<AwsCall, Counter>,
    aws_duration: Histograms<AwsOperation>,
    pool_connections: Gauge,
    pool_idle: Gauge,
    pool_max: Gauge,
    reloads: Family<Reload, Counter>,
    last_reload: Family<Source, Seconds>,
    ring_keys: Gauge,
}

impl Metrics {
    /// New ones, all zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("chandlery");
        let r = &mut registry;
        build(r);
        Self {
            requests: add(r, "http_requests", "Requests answered"),
            request_duration: add_histogram(r, "http_request_duration", "Time to answer", request_buckets),
            requests_in_flight: add(r, "http_requests_in_flight", "Requests being answered"),
            operations_accepted: add(r, "operations_accepted", "Operations accepted"),
            operations_finished: add(r, "operations_finished", "Operations ended"),
            operation_duration: add_histogram(r, "operation_duration", "Acceptance to end", operation_buckets),
            operations_in_progress: add(r, "operations_in_progress", "Operations in progress, over all replicas"),
            oldest_due: add_seconds(r, "engine_oldest_due", "How long the most overdue owner has waited for a worker"),
            claims: add(r, "engine_claims", "Owners claimed by this replica"),
            turns: add(r, "engine_turns", "Turns by this replica"),
            leases_lost: add(r, "engine_leases_lost", "Leases that ended before their turn did"),
            writes_fenced: add(r, "engine_writes_fenced", "Writes dropped because another worker had taken over"),
            faults: add(r, "engine_faults", "Faults that drivers returned"),
            aws_calls: add(r, "aws_calls", "Calls to AWS, the SDK's retries included"),
            aws_duration: add_histogram(r, "aws_call_duration", "Time of a call to AWS, retries included", aws_buckets),
            pool_connections: add(r, "database_pool_connections", "Open connections"),
            pool_idle: add(r, "database_pool_idle_connections", "Open connections that nothing uses"),
            pool_max: add(r, "database_pool_max_connections", "The most connections there may be"),
            reloads: add(r, "reload", "Attempts to read catalog or policy again, where they had changed"),
            last_reload: {
                let family = Family::default();
                r.register_with_unit(
                    "reload_last_success_timestamp",
                    "When it was last read",
                    Unit::Seconds,
                    family.clone(),
                );
                family
            },
            ring_keys: add(r, "vault_ring_keys", "Keys that the ring holds"),
            registry: Arc::new(registry),
        }
    }

    /// The text that Prometheus reads.
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        // Writing to a string does not fail; an empty page is what a scrape would make of half a one.
        if text::encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }

    /// A request begins; it is in flight until the value is dropped.
    pub fn begin_request(&self) -> InFlight {
        self.requests_in_flight.inc();
        InFlight(self.requests_in_flight.clone())
    }

    /// A request was answered.
    pub fn request(&self, route: &str, method: &str, status: u16, took: Duration) {
        let method = known_method(method);
        let labels = RequestRoute { route: route.to_owned(), method };
        self.request_duration.get_or_create(&labels).observe(took.as_secs_f64());
        self.requests.get_or_create(&Request { route: labels.route, method, status }).inc();
    }

    /// An operation was accepted.
    pub fn operation_accepted(&self, verb: &'static str, offering: &str) {
        self.operations_accepted.get_or_create(&Operation { verb, offering: offering.to_owned() }).inc();
    }

    /// An operation ended, so long after it was accepted.
    pub fn operation_finished(&self, verb: &'static str, offering: &str, outcome: &'static str, took: Duration) {
        let labels = Operation { verb, offering: offering.to_owned() };
        self.operation_duration.get_or_create(&labels).observe(took.as_secs_f64());
        self.operations_finished.get_or_create(&OperationEnd { verb, offering: labels.offering, outcome }).inc();
    }

    /// What the database says of the backlog: operations in progress, and how overdue the most overdue owner is.
    pub fn backlog(&self, in_progress: u64, oldest_due: Duration) {
        self.operations_in_progress.set(count(in_progress));
        self.oldest_due.set(oldest_due.as_secs_f64());
    }

    /// The engine claimed an owner.
    pub fn claim(&self, lane: &'static str) {
        self.claims.get_or_create(&Lane { lane }).inc();
    }

    /// A turn ended.
    pub fn turn(&self, lane: &'static str, outcome: &'static str) {
        self.turns.get_or_create(&Turn { lane, outcome }).inc();
    }

    /// A lease ended before its turn did.
    pub fn lease_lost(&self) {
        self.leases_lost.inc();
    }

    /// A write was dropped because another worker had taken over.
    pub fn write_fenced(&self) {
        self.writes_fenced.inc();
    }

    /// A driver returned a fault.
    pub fn fault(&self, class: &'static str, kind: &str) {
        self.faults.get_or_create(&DriverFault { class, kind: kind.to_owned() }).inc();
    }

    /// A call to AWS ended.
    pub fn aws_call(&self, service: &str, operation: &str, outcome: &'static str, took: Duration) {
        let labels = AwsOperation { service: service.to_owned(), operation: operation.to_owned() };
        self.aws_duration.get_or_create(&labels).observe(took.as_secs_f64());
        let AwsOperation { service, operation } = labels;
        self.aws_calls.get_or_create(&AwsCall { service, operation, outcome }).inc();
    }

    /// The state of the database's connection pool.
    pub fn pool(&self, connections: u64, idle: u64, max: u64) {
        self.pool_connections.set(count(connections));
        self.pool_idle.set(count(idle));
        self.pool_max.set(count(max));
    }

    /// `catalog` or `policy` had changed (or is read for the first time) and was loaded, or was refused.
    pub fn reload(&self, source: &'static str, loaded: bool) {
        let outcome = if loaded { "loaded" } else { "refused" };
        self.reloads.get_or_create(&Reload { source, outcome }).inc();
        if loaded {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            self.last_reload.get_or_create(&Source { source }).set(now.as_secs_f64());
        }
    }

    /// How many keys the ring holds.
    pub fn ring_keys(&self, keys: usize) {
        self.ring_keys.set(count(keys as u64));
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn build(registry: &mut Registry) {
    let build = Info::new([
        ("version", env!("CARGO_PKG_VERSION")),
        ("revision", option_env!("CHANDLERY_REVISION").unwrap_or("unknown")),
    ]);
    registry.register("build", "Which build this is", build);
}

fn add<M>(registry: &mut Registry, name: &str, help: &str) -> M
where
    M: prometheus_client::registry::Metric + Default + Clone,
{
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn add_seconds(registry: &mut Registry, name: &str, help: &str) -> Seconds {
    let metric = Seconds::default();
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

fn add_histogram<L>(registry: &mut Registry, name: &str, help: &str, make: fn() -> Histogram) -> Histograms<L>
where
    L: EncodeLabelSet + Clone + Hash + Eq + Debug + Send + Sync + 'static,
{
    let family = Family::new_with_constructor(make);
    registry.register_with_unit(name, help, Unit::Seconds, family.clone());
    family
}

/// From a catalog read (well under a millisecond) to a synchronous bind that waited its 50 seconds.
fn request_buckets() -> Histogram {
    Histogram::new([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 50.0])
}

/// From a queue (seconds) to a cluster (half an hour) and what hangs.
fn operation_buckets() -> Histogram {
    Histogram::new([0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 2400.0, 3600.0, 7200.0])
}

/// Up to the time-out of a whole call.
fn aws_buckets() -> Histogram {
    Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0])
}

/// Any client may send any word as a method.
fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "PUT", "PATCH", "DELETE", "POST", "HEAD", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("other")
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_metric_and_counts() {
        let metrics = Metrics::new();
        let in_flight = metrics.clone().begin_request();
        metrics.request("/v2/catalog", "GET", 200, Duration::from_millis(3));
        metrics.request("unmatched", "BREW", 405, Duration::from_millis(3));
        metrics.operation_accepted("bind", "s3-bucket");
        metrics.operation_finished("bind", "s3-bucket", "succeeded", Duration::from_secs(4));
        metrics.backlog(7, Duration::from_millis(1500));
        metrics.claim("sync");
        metrics.turn("sync", "finished");
        metrics.lease_lost();
        metrics.write_fenced();
        metrics.fault("throttled", "s3/bucket");
        metrics.aws_call("s3", "CreateBucket", "ok", Duration::from_millis(80));
        metrics.pool(5, 2, 12);
        metrics.reload("policy", true);
        metrics.reload("catalog", false);
        metrics.ring_keys(2);
        let page = metrics.render();
        for line in [
            r#"chandlery_http_requests_total{route="/v2/catalog",method="GET",status="200"} 1"#,
            r#"chandlery_http_requests_total{route="unmatched",method="other",status="405"} 1"#,
            r#"chandlery_http_request_duration_seconds_bucket{le="0.005",route="/v2/catalog",method="GET"} 1"#,
            "chandlery_http_requests_in_flight 1",
            r#"chandlery_operations_accepted_total{verb="bind",offering="s3-bucket"} 1"#,
            r#"chandlery_operations_finished_total{verb="bind",offering="s3-bucket",outcome="succeeded"} 1"#,
            r#"chandlery_operation_duration_seconds_count{verb="bind",offering="s3-bucket"} 1"#,
            "chandlery_operations_in_progress 7",
            "chandlery_engine_oldest_due_seconds 1.5",
            r#"chandlery_engine_claims_total{lane="sync"} 1"#,
            r#"chandlery_engine_turns_total{lane="sync",outcome="finished"} 1"#,
            "chandlery_engine_leases_lost_total 1",
            "chandlery_engine_writes_fenced_total 1",
            r#"chandlery_engine_faults_total{class="throttled",kind="s3/bucket"} 1"#,
            r#"chandlery_aws_calls_total{service="s3",operation="CreateBucket",outcome="ok"} 1"#,
            r#"chandlery_aws_call_duration_seconds_count{service="s3",operation="CreateBucket"} 1"#,
            "chandlery_database_pool_idle_connections 2",
            r#"chandlery_reload_total{source="catalog",outcome="refused"} 1"#,
            r#"chandlery_reload_last_success_timestamp_seconds{source="policy"} 1"#,
            "chandlery_vault_ring_keys 2",
            r#"chandlery_build_info{version="#,
        ] {
            assert!(page.lines().any(|have| have.starts_with(line)), "{line}\n{page}");
        }
        drop(in_flight);
        assert!(metrics.render().contains("chandlery_http_requests_in_flight 0"));
    }
}
