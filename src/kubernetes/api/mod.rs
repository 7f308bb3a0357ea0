//! The eight kinds of `servicecatalog.k8s.io/v1beta1`, field by field as Service Catalog 0.3.1 had them.
//!
//! What this module guarantees: whatever Service Catalog or svcat wrote can be read (a null or a missing field is the
//! zero value, so that one odd object cannot stop a watch); what both scopes share is one type; what may hold a secret
//! does not show it in `Debug`. What we add is in `status` or in annotations, never in `spec`: svcat writes whole objects
//! and erases what it does not know there.

mod binding;
mod broker;
mod choice;
mod class;
mod condition;
mod instance;
mod json;
mod ledger;
mod plan;
mod reference;
mod retry;
mod transform;
mod user;

pub use binding::{
    BindingOperation, BindingPlace, BindingProperties, BindingRotation, BindingStatus, NextBinding, RetiredBinding,
    ServiceBinding, ServiceBindingSpec, UnbindStatus,
};
pub use broker::{
    AuthInfo, BrokerSpec, BrokerStatus, CatalogRestrictions, ClusterServiceBroker, ClusterServiceBrokerSpec, Login,
    RelistBehavior, ServiceBroker, ServiceBrokerSpec,
};
pub use choice::{Chosen, Named, PlanChoice};
pub use class::{
    CatalogStatus, ClassSpec, ClusterServiceClass, ClusterServiceClassSpec, ServiceClass, ServiceClassSpec,
};
pub use condition::{Condition, ConditionStatus, ConditionType, Conditions, now};
pub use instance::{
    DeprovisionStatus, InstanceOperation, InstanceProperties, InstanceStatus, ProvisionStatus, ServiceInstance,
    ServiceInstanceSpec,
};
pub use json::Object;
pub use ledger::Ledger;
pub use plan::{ClusterServicePlan, ClusterServicePlanSpec, PlanSpec, ServicePlan, ServicePlanSpec};
pub use reference::{LocalRef, ObjectRef, ParametersFrom, SecretKeyRef};
pub use retry::{Backoff, Retry};
pub use transform::{AddKey, AddKeysFrom, RemoveKey, RenameKey, SecretTransform};
pub use user::UserInfo;

/// The group of all kinds.
pub const GROUP: &str = "servicecatalog.k8s.io";

/// The finalizer of Service Catalog, kept to the letter: `svcat … --abandon` removes this one and no other.
pub const FINALIZER: &str = "kubernetes-incubator/service-catalog";
