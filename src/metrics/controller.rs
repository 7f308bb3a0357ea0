//! The metrics of the controller, which is a process of its own.
//!
//! The label `broker` is the name of a ClusterServiceBroker, which administrators give; all brokers of namespaces are
//! `namespaced`, so that no user makes a series.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Histograms, add, add_histogram, build, count, operation_buckets, request_buckets};

/// All metrics of the controller. A clone is the same ones.
#[derive(Clone, Debug)]
pub struct ControllerMetrics {
    registry: Arc<Registry>,
    leader: Gauge,
    reconciles: Family<Reconcile, Counter>,
    reconcile_duration: Histograms<Kind>,
    broker_calls: Family<BrokerCall, Counter>,
    broker_duration: Histograms<BrokerOperation>,
    classes: Family<Broker, Gauge>,
    plans: Family<Broker, Gauge>,
    events_dropped: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reconcile {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Broker {
    broker: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BrokerOperation {
    broker: String,
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BrokerCall {
    broker: String,
    operation: &'static str,
    outcome: String,
}

impl ControllerMetrics {
    /// New ones, all zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("chandlery_controller");
        let r = &mut registry;
        build(r);
        Self {
            leader: add(r, "leader", "Whether this replica holds the lease and works"),
            reconciles: add(r, "reconciles", "Turns over objects"),
            reconcile_duration: add_histogram(r, "reconcile_duration", "Time of a turn", request_buckets),
            broker_calls: add(r, "broker_calls", "Calls to brokers; the outcome is a status or a word"),
            broker_duration: add_histogram(r, "broker_call_duration", "Time of a call to a broker", operation_buckets),
            classes: add(r, "classes", "Classes of a broker's catalog"),
            plans: add(r, "plans", "Plans of a broker's catalog"),
            events_dropped: add(r, "events_dropped", "Events not written because too many waited"),
            registry: Arc::new(registry),
        }
    }

    /// The text that Prometheus reads.
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        if text::encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }

    /// This replica works, or does not.
    pub fn leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// A turn over an object ended.
    pub fn reconcile(&self, kind: &'static str, outcome: &'static str, took: Duration) {
        self.reconcile_duration.get_or_create(&Kind { kind }).observe(took.as_secs_f64());
        self.reconciles.get_or_create(&Reconcile { kind, outcome }).inc();
    }

    /// A call to a broker ended.
    pub fn broker_call(&self, broker: &str, operation: &'static str, outcome: String, took: Duration) {
        let labels = BrokerOperation { broker: broker.to_owned(), operation };
        self.broker_duration.get_or_create(&labels).observe(took.as_secs_f64());
        self.broker_calls.get_or_create(&BrokerCall { broker: labels.broker, operation, outcome }).inc();
    }

    /// A broker's catalog was read. Not told for brokers of namespaces: they would overwrite each other.
    pub fn catalog(&self, broker: &str, classes: usize, plans: usize) {
        let labels = Broker { broker: broker.to_owned() };
        self.classes.get_or_create(&labels).set(count(classes as u64));
        self.plans.get_or_create(&labels).set(count(plans as u64));
    }

    /// A broker is gone.
    pub fn forget_broker(&self, broker: &str) {
        let labels = Broker { broker: broker.to_owned() };
        self.classes.remove(&labels);
        self.plans.remove(&labels);
    }

    /// An event was not written.
    pub fn event_dropped(&self) {
        self.events_dropped.inc();
    }
}

impl Default for ControllerMetrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_metric_and_counts() {
        let metrics = ControllerMetrics::new();
        metrics.leader(true);
        metrics.reconcile("ClusterServiceBroker", "done", Duration::from_millis(3));
        metrics.broker_call("chandlery", "provision", "202".into(), Duration::from_millis(30));
        metrics.catalog("chandlery", 4, 9);
        metrics.event_dropped();
        let page = metrics.render();
        for line in [
            "chandlery_controller_leader 1",
            r#"chandlery_controller_reconciles_total{kind="ClusterServiceBroker",outcome="done"} 1"#,
            r#"chandlery_controller_reconcile_duration_seconds_count{kind="ClusterServiceBroker"} 1"#,
            r#"chandlery_controller_broker_calls_total{broker="chandlery",operation="provision",outcome="202"} 1"#,
            r#"chandlery_controller_classes{broker="chandlery"} 4"#,
            r#"chandlery_controller_plans{broker="chandlery"} 9"#,
            "chandlery_controller_events_dropped_total 1",
            "chandlery_controller_build_info{version=",
        ] {
            assert!(page.lines().any(|have| have.starts_with(line)), "{line}\n{page}");
        }
        metrics.forget_broker("chandlery");
        assert!(!metrics.render().contains("chandlery_controller_plans{"));
    }
}
