//! The two scopes: a broker, its classes and its plans are of the cluster, or of one namespace. What is done with them is
//! the same, and written once over [`Scope`].

use std::fmt::Debug;

use kube::core::object::HasStatus;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::api::{
    AuthInfo, BrokerSpec, BrokerStatus, CatalogStatus, ClassSpec, ClusterServiceBroker, ClusterServiceClass,
    ClusterServiceClassSpec, ClusterServicePlan, ClusterServicePlanSpec, LocalRef, Login, PlanSpec, ServiceBinding,
    ServiceBroker, ServiceClass, ServiceClassSpec, ServiceInstance, ServiceInstanceSpec, ServicePlan, ServicePlanSpec,
};
use super::context::{CatalogSeen, Seen};

/// One of the two scopes.
pub trait Scope: Send + Sync + Sized + 'static {
    /// It is that of the cluster.
    const CLUSTER: bool;
    /// The field of classes and plans that names their broker.
    const BROKER_FIELD: &'static str;
    /// The field of plans and instances that names a class.
    const CLASS_FIELD: &'static str;
    /// The property of a plan's class in `catalogRestrictions`.
    const CLASS_PROPERTY: &'static str;
    /// Its brokers.
    type Broker: BrokerObject;
    /// Its classes.
    type Class: ClassObject;
    /// Its plans.
    type Plan: PlanObject;

    /// The class and plan that an instance was found to be of.
    fn refs(instance: &ServiceInstanceSpec) -> (Option<&LocalRef>, Option<&LocalRef>);

    /// What the watches have seen of this scope.
    fn seen(seen: &Seen) -> &CatalogSeen<Self>;
}

/// The scope of the cluster.
pub struct Cluster;

/// The scope of a namespace.
pub struct Namespaced;

/// An object of one of the eight kinds.
pub trait Object:
    Resource<DynamicType = ()> + HasStatus + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Its objects are in namespaces.
    const NAMESPACED: bool;

    /// The objects of a namespace, or of all of them; a cluster's kind has none.
    fn api(client: Client, namespace: Option<&str>) -> Api<Self>;
}

/// A broker of either scope.
pub trait BrokerObject: Object + HasStatus<Status = BrokerStatus> {
    /// What both scopes have.
    fn common(&self) -> &BrokerSpec;

    /// The Secret with its credentials.
    fn credential(&self) -> Option<Credential<'_>>;
}

/// Where the credentials of a broker are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credential<'a> {
    /// It is a token; else name and password.
    pub bearer: bool,
    /// The Secret's namespace.
    pub namespace: &'a str,
    /// The Secret's name.
    pub name: &'a str,
}

/// A class of either scope.
pub trait ClassObject: Object + HasStatus<Status = CatalogStatus> {
    /// A class of a broker.
    fn build(name: &str, broker: &str, common: ClassSpec) -> Self;

    /// What both scopes have.
    fn common(&self) -> &ClassSpec;

    /// As [`Self::common`].
    fn common_mut(&mut self) -> &mut ClassSpec;

    /// The broker that offers it.
    fn broker(&self) -> &str;
}

/// A plan of either scope.
pub trait PlanObject: Object + HasStatus<Status = CatalogStatus> {
    /// A plan of a broker's class.
    fn build(name: &str, broker: &str, class: &str, common: PlanSpec) -> Self;

    /// What both scopes have.
    fn common(&self) -> &PlanSpec;

    /// As [`Self::common`].
    fn common_mut(&mut self) -> &mut PlanSpec;

    /// The broker that offers it.
    fn broker(&self) -> &str;

    /// The name of the class it belongs to.
    fn class(&self) -> &str;
}

impl Scope for Cluster {
    const CLUSTER: bool = true;
    const BROKER_FIELD: &'static str = "spec.clusterServiceBrokerName";
    const CLASS_FIELD: &'static str = "spec.clusterServiceClassRef.name";
    const CLASS_PROPERTY: &'static str = "spec.clusterServiceClass.name";
    type Broker = ClusterServiceBroker;
    type Class = ClusterServiceClass;
    type Plan = ClusterServicePlan;

    fn refs(instance: &ServiceInstanceSpec) -> (Option<&LocalRef>, Option<&LocalRef>) {
        (instance.cluster_service_class_ref.as_ref(), instance.cluster_service_plan_ref.as_ref())
    }

    fn seen(seen: &Seen) -> &CatalogSeen<Self> {
        &seen.cluster
    }
}

impl Scope for Namespaced {
    const CLUSTER: bool = false;
    const BROKER_FIELD: &'static str = "spec.serviceBrokerName";
    const CLASS_FIELD: &'static str = "spec.serviceClassRef.name";
    const CLASS_PROPERTY: &'static str = "spec.serviceClass.name";
    type Broker = ServiceBroker;
    type Class = ServiceClass;
    type Plan = ServicePlan;

    fn refs(instance: &ServiceInstanceSpec) -> (Option<&LocalRef>, Option<&LocalRef>) {
        (instance.service_class_ref.as_ref(), instance.service_plan_ref.as_ref())
    }

    fn seen(seen: &Seen) -> &CatalogSeen<Self> {
        &seen.namespaced
    }
}

macro_rules! cluster_objects {
    ($($kind:ty)*) => {$(
        impl Object for $kind {
            const NAMESPACED: bool = false;

            fn api(client: Client, _: Option<&str>) -> Api<Self> {
                Api::all(client)
            }
        }
    )*};
}

macro_rules! namespaced_objects {
    ($($kind:ty)*) => {$(
        impl Object for $kind {
            const NAMESPACED: bool = true;

            fn api(client: Client, namespace: Option<&str>) -> Api<Self> {
                match namespace {
                    Some(namespace) => Api::namespaced(client, namespace),
                    None => Api::all(client),
                }
            }
        }
    )*};
}

cluster_objects! { ClusterServiceBroker ClusterServiceClass ClusterServicePlan }
namespaced_objects! { ServiceBroker ServiceClass ServicePlan ServiceInstance ServiceBinding }

/// The Secret of one of the two ways to log in, the way of Service Catalog: `basic` goes first.
fn login<'a, R>(auth: Option<&'a AuthInfo<R>>) -> Option<(bool, &'a R)> {
    let secret = |login: &'a Option<Login<R>>| login.as_ref().and_then(|login| login.secret_ref.as_ref());
    let auth = auth?;
    let basic = secret(&auth.basic).map(|secret| (false, secret));
    basic.or_else(|| secret(&auth.bearer).map(|secret| (true, secret)))
}

impl BrokerObject for ClusterServiceBroker {
    fn common(&self) -> &BrokerSpec {
        &self.spec.common
    }

    fn credential(&self) -> Option<Credential<'_>> {
        let (bearer, secret) = login(self.spec.auth_info.as_ref())?;
        Some(Credential { bearer, namespace: &secret.namespace, name: &secret.name })
    }
}

impl BrokerObject for ServiceBroker {
    fn common(&self) -> &BrokerSpec {
        &self.spec.common
    }

    fn credential(&self) -> Option<Credential<'_>> {
        let (bearer, secret) = login(self.spec.auth_info.as_ref())?;
        Some(Credential { bearer, namespace: self.metadata.namespace.as_deref()?, name: &secret.name })
    }
}

macro_rules! class {
    ($kind:ty, $spec:ident, $broker:ident) => {
        impl ClassObject for $kind {
            fn build(name: &str, broker: &str, common: ClassSpec) -> Self {
                Self::new(name, $spec { common, $broker: broker.to_owned() })
            }

            fn common(&self) -> &ClassSpec {
                &self.spec.common
            }

            fn common_mut(&mut self) -> &mut ClassSpec {
                &mut self.spec.common
            }

            fn broker(&self) -> &str {
                &self.spec.$broker
            }
        }
    };
}

macro_rules! plan {
    ($kind:ty, $spec:ident, $broker:ident, $class:ident) => {
        impl PlanObject for $kind {
            fn build(name: &str, broker: &str, class: &str, common: PlanSpec) -> Self {
                Self::new(name, $spec { common, $broker: broker.to_owned(), $class: LocalRef::new(class) })
            }

            fn common(&self) -> &PlanSpec {
                &self.spec.common
            }

            fn common_mut(&mut self) -> &mut PlanSpec {
                &mut self.spec.common
            }

            fn broker(&self) -> &str {
                &self.spec.$broker
            }

            fn class(&self) -> &str {
                &self.spec.$class.name
            }
        }
    };
}

class!(ClusterServiceClass, ClusterServiceClassSpec, cluster_service_broker_name);
class!(ServiceClass, ServiceClassSpec, service_broker_name);
plan!(ClusterServicePlan, ClusterServicePlanSpec, cluster_service_broker_name, cluster_service_class_ref);
plan!(ServicePlan, ServicePlanSpec, service_broker_name, service_class_ref);
