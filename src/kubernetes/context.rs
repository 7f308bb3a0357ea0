//! What every turn over an object can use.

use std::sync::Arc;

use kube::Client;
use kube::runtime::reflector::{ObjectRef, Store};

use super::api::{Backoff, ServiceInstance};
use super::broker::Tags;
use super::clients::Clients;
use super::events::Events;
use super::leader::Held;
use super::scope::{Cluster, Namespaced, Object, Scope};
use crate::config;
use crate::metrics::ControllerMetrics;

/// What every turn over an object can use.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// What the administrator set.
    pub settings: config::Controller,
    /// What is counted.
    pub metrics: ControllerMetrics,
    /// For `kubectl describe`.
    pub events: Events,
    /// The brokers.
    pub clients: Clients,
    /// Whether this replica may act.
    pub held: Held,
    /// What brokers know this cluster by.
    pub cluster_id: String,
    /// What the watches have seen.
    pub seen: Seen,
    /// The entity tags of catalogs.
    pub tags: Tags,
}

impl Context {
    /// The instance is of the cluster's broker, and those are somebody else's.
    pub fn leaves(&self, instance: &ServiceInstance) -> bool {
        self.settings.cluster.namespaced_only && instance.spec.choice.read().is_some_and(|chosen| chosen.cluster)
    }

    /// How pauses between attempts grow.
    pub fn backoff(&self) -> Backoff {
        Backoff { first: self.settings.work.retry_first, most: self.settings.work.retry_most }
    }
}

/// What the watches have seen. It may be behind the API server by a moment: what decides over a deletion is read anew.
pub struct Seen {
    /// Brokers, classes and plans of the cluster.
    pub cluster: CatalogSeen<Cluster>,
    /// Brokers, classes and plans of namespaces.
    pub namespaced: CatalogSeen<Namespaced>,
    /// All instances.
    pub instances: Objects<ServiceInstance>,
}

impl Seen {
    /// Ends when all brokers, classes and plans have been seen once.
    pub async fn catalogs_ready(&self) {
        tokio::join!(self.cluster.ready(), self.namespaced.ready());
    }

    /// Ends when the instances have been seen, too.
    pub async fn ready(&self) {
        tokio::join!(self.catalogs_ready(), self.instances.ready());
    }
}

/// Brokers, classes and plans of one scope.
pub struct CatalogSeen<S: Scope> {
    /// The brokers.
    pub brokers: Objects<S::Broker>,
    /// The classes.
    pub classes: Objects<S::Class>,
    /// The plans.
    pub plans: Objects<S::Plan>,
}

impl<S: Scope> CatalogSeen<S> {
    async fn ready(&self) {
        tokio::join!(self.brokers.ready(), self.classes.ready(), self.plans.ready());
    }
}

/// The objects of a kind that a watch (or one for each namespace that is served) has seen.
pub struct Objects<K: Object>(pub Vec<Store<K>>);

impl<K: Object> Objects<K> {
    /// Ends when all of them have been seen once. A watch that ends before means that all ends.
    pub async fn ready(&self) {
        for store in &self.0 {
            let _ = store.wait_until_ready().await;
        }
    }

    /// The object of that name.
    pub fn get(&self, namespace: Option<&str>, name: &str) -> Option<Arc<K>> {
        let mut at = ObjectRef::new(name);
        at.namespace = namespace.map(str::to_owned);
        self.0.iter().find_map(|store| store.get(&at))
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = Arc<K>> {
        self.0.iter().flat_map(Store::state)
    }

    /// Those that fit.
    pub fn find(&self, fits: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        self.all().filter(|object| fits(object)).collect()
    }
}
