//! The protocol: the wire types of the Open Service Broker API v2.17 and its table of errors. Serde only, no I/O.

mod id;

pub use id::{BindingId, InstanceId, OperationId, PlanId, PlatformName, ServiceId, Uid};
