//! The controller as a whole: waits for the lease, works as long as it is held, stops in good order.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::runtime::controller::{Config, Controller};
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio_util::sync::CancellationToken;

use super::api::{ServiceBinding, ServiceInstance};
use super::broker::{Renewals, Tags};
use super::clients::Clients;
use super::context::{CatalogSeen, Context, Objects, Seen};
use super::events::Events;
use super::health::Health;
use super::leader::{Elector, Held};
use super::scope::{Cluster, Namespaced, Object, Scope};
use super::turn::drive;
use super::{binding, broker, catalog, instance, write};
use crate::config;
use crate::metrics::ControllerMetrics;

/// Why the controller cannot work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kubeconfig, or the pod's service account.
    #[error("the cluster is not known: {0}")]
    Config(String),
    /// The API server.
    #[error("the API server: {0}")]
    Api(#[from] kube::Error),
    /// What brokers know the cluster by.
    #[error("the namespace kube-system may not be read, whose uid is the cluster's id: set CHANDLERY_CLUSTER_ID")]
    NoClusterId,
    /// The CRDs.
    #[error("the kind {0} is not installed: apply what `chandlery controller crds` prints")]
    NoKind(String),
}

/// A controller that can be run.
pub struct Controllers {
    client: Client,
    settings: config::Controller,
    metrics: ControllerMetrics,
    health: Health,
    identity: String,
    cluster_id: String,
}

impl Controllers {
    /// Reaches the API server and looks whether the kinds are there.
    pub async fn connect(settings: config::Controller, metrics: ControllerMetrics) -> Result<Self, Error> {
        let kubeconfig = client_config(settings.cluster.kubeconfig.as_deref()).await?;
        let client = Client::try_from(kubeconfig)?;
        check_kinds(&client, &settings.cluster).await?;
        let cluster_id = match &settings.cluster.cluster_id {
            Some(id) => id.clone(),
            None => match Api::<Namespace>::all(client.clone()).get("kube-system").await {
                Err(error) if write::is_forbidden(&error) => return Err(Error::NoClusterId),
                system => system?.metadata.uid.unwrap_or_default(),
            },
        };
        let identity = settings.election.identity.clone().unwrap_or_else(|| {
            let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "chandlery".to_owned());
            format!("{host}_{}", uuid::Uuid::new_v4())
        });
        Ok(Self { client, settings, metrics, health: Health::default(), identity, cluster_id })
    }

    /// What readiness is read from.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Works whenever this replica holds the lease, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let election = &self.settings.election;
        let namespace = election.lease_namespace.clone().unwrap_or_else(|| self.client.default_namespace().to_owned());
        let elector = Elector {
            api: Api::<Lease>::namespaced(self.client.clone(), &namespace),
            name: election.lease_name.clone(),
            identity: self.identity.clone(),
            duration: election.lease_duration,
        };
        while !stop.is_cancelled() {
            self.health.waiting();
            let held = tokio::select! {
                () = stop.cancelled() => return,
                held = elector.acquire() => held,
            };
            tracing::info!(lease.name = elector.name, lease.identity = self.identity, "this replica leads");
            self.metrics.leader(true);
            tokio::select! {
                () = self.work(held.clone(), stop.clone()) => {}
                // What is being done is dropped where it stands: a successor may begin at any moment.
                () = elector.keep(&held) => tracing::warn!(lease.name = elector.name, "the lease is lost"),
                () = after(&stop, self.settings.work.grace) => tracing::warn!("some turns did not end in time"),
            }
            self.metrics.leader(false);
            elector.release(&held).await;
        }
    }

    /// All controllers, until `stop`.
    async fn work(&self, held: Held, stop: CancellationToken) {
        let on_cluster = !self.settings.cluster.namespaced_only;
        let (mut cluster, cluster_seen) = CatalogControllers::<Cluster>::new(self, on_cluster);
        let (mut namespaced, namespaced_seen) = CatalogControllers::<Namespaced>::new(self, true);
        let renewals = Renewals::default();
        // The logins of the cluster's brokers are anywhere. Who may look at some namespaces only reads them now and then.
        if self.settings.cluster.namespaces.is_empty() {
            let all = cluster.brokers.into_iter();
            cluster.brokers = all.map(|all| broker::watching(all, &self.client, None, &renewals)).collect();
        }
        namespaced.brokers =
            self.with_scopes(namespaced.brokers, |all, scope| broker::watching(all, &self.client, scope, &renewals));
        let (instances, instances_seen) = self.controllers::<ServiceInstance>(true);
        let (bindings, _) = self.controllers::<ServiceBinding>(true);
        let instances = self.with_scopes(instances, |all, scope| instance::watching(all, &self.client, scope));
        let bindings = self.with_scopes(bindings, |bindings, scope| binding::watching(bindings, &self.client, scope));
        let events = Events::start(self.client.clone(), self.identity.clone(), self.metrics.clone());
        let brokers = self.settings.brokers.clone();
        let context = Arc::new(Context {
            client: self.client.clone(),
            settings: self.settings.clone(),
            metrics: self.metrics.clone(),
            events,
            clients: Clients::new(self.client.clone(), brokers, held.clone(), self.metrics.clone(), renewals),
            held,
            cluster_id: self.cluster_id.clone(),
            seen: Seen { cluster: cluster_seen, namespaced: namespaced_seen, instances: instances_seen },
            tags: Tags::default(),
        });
        self.health.reading();
        tokio::join!(
            async {
                context.seen.ready().await;
                self.health.working();
            },
            cluster.run(&context, &stop),
            namespaced.run(&context, &stop),
            // A class (or an instance) that has not been seen yet is not one that is not there.
            async {
                context.seen.catalogs_ready().await;
                drive(instances, Arc::clone(&context), stop.clone(), instance::reconcile).await;
            },
            async {
                context.seen.ready().await;
                drive(bindings, Arc::clone(&context), stop.clone(), binding::reconcile).await;
            },
        );
    }

    /// Changes controllers of a kind in namespaces, each with the namespace it serves.
    fn with_scopes<K: Object>(
        &self,
        controllers: Vec<Controller<K>>,
        change: impl Fn(Controller<K>, Option<&str>) -> Controller<K>,
    ) -> Vec<Controller<K>> {
        let limits = &self.settings.cluster.namespaces;
        let scopes = limits.iter().map(|namespace| Some(namespace.as_str()));
        let scopes = scopes.chain([None].into_iter().filter(|_| limits.is_empty()));
        controllers.into_iter().zip(scopes).map(|(controller, scope)| change(controller, scope)).collect()
    }

    /// The controllers of a kind, one for each namespace that is served, and what they see.
    fn controllers<K: Object>(&self, wanted: bool) -> (Vec<Controller<K>>, Objects<K>) {
        let limits = &self.settings.cluster.namespaces;
        let every = [None].into_iter().chain(limits.iter().map(|namespace| Some(namespace.as_str())));
        let scopes = every.skip(usize::from(K::NAMESPACED && !limits.is_empty()));
        let scopes = scopes.take(if K::NAMESPACED { usize::MAX } else { 1 }).filter(|_| wanted);
        let controllers: Vec<_> = scopes
            .map(|namespace| {
                Controller::new(K::api(self.client.clone(), namespace), watcher::Config::default())
                    .with_config(Config::default().concurrency(self.settings.work.concurrency))
            })
            .collect();
        let seen = Objects(controllers.iter().map(Controller::store).collect());
        (controllers, seen)
    }
}

/// The controllers of brokers, classes and plans of one scope.
struct CatalogControllers<S: Scope> {
    brokers: Vec<Controller<S::Broker>>,
    classes: Vec<Controller<S::Class>>,
    plans: Vec<Controller<S::Plan>>,
}

impl<S: Scope> CatalogControllers<S> {
    fn new(of: &Controllers, wanted: bool) -> (Self, CatalogSeen<S>) {
        let (brokers, brokers_seen) = of.controllers(wanted);
        let (classes, classes_seen) = of.controllers(wanted);
        let (plans, plans_seen) = of.controllers(wanted);
        let seen = CatalogSeen { brokers: brokers_seen, classes: classes_seen, plans: plans_seen };
        (Self { brokers, classes, plans }, seen)
    }

    async fn run(self, context: &Arc<Context>, stop: &CancellationToken) {
        tokio::join!(
            drive(self.brokers, Arc::clone(context), stop.clone(), broker::reconcile::<S>),
            drive(self.classes, Arc::clone(context), stop.clone(), catalog::reconcile_class::<S>),
            drive(self.plans, Arc::clone(context), stop.clone(), catalog::reconcile_plan::<S>),
        );
    }
}

async fn after(stop: &CancellationToken, grace: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(grace).await;
}

/// How the cluster is reached: as the file says, as the pod may, or as the user's own kubeconfig says.
pub(super) async fn client_config(kubeconfig: Option<&Path>) -> Result<kube::Config, Error> {
    let told = |error: &dyn std::fmt::Display| Error::Config(error.to_string());
    match kubeconfig {
        None => kube::Config::infer().await.map_err(|error| told(&error)),
        Some(file) => {
            let kubeconfig = kube::config::Kubeconfig::read_from(file).map_err(|error| told(&error))?;
            let options = kube::config::KubeConfigOptions::default();
            kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| told(&error))
        }
    }
}

/// A watch on a kind that is not there would be tried for ever, silently.
async fn check_kinds(client: &Client, cluster: &config::Cluster) -> Result<(), Error> {
    async fn check<K: Object>(client: &Client, namespace: Option<&str>) -> Result<(), Error> {
        match K::api(client.clone(), namespace).list_metadata(&ListParams::default().limit(1)).await {
            Ok(_) => Ok(()),
            Err(error) if write::is_not_found(&error) => Err(Error::NoKind(K::kind(&()).into_owned())),
            Err(error) => Err(error.into()),
        }
    }
    async fn scope<S: Scope>(client: &Client, namespace: Option<&str>) -> Result<(), Error> {
        check::<S::Broker>(client, namespace).await?;
        check::<S::Class>(client, namespace).await?;
        check::<S::Plan>(client, namespace).await
    }
    let namespace = cluster.namespaces.first().map(String::as_str);
    if !cluster.namespaced_only {
        scope::<Cluster>(client, None).await?;
    }
    scope::<Namespaced>(client, namespace).await?;
    check::<ServiceInstance>(client, namespace).await?;
    check::<ServiceBinding>(client, namespace).await
}
