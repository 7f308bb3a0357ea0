//! The protocol: the wire types of the Open Service Broker API v2.17 and its table of errors. Serde only, no I/O.
//!
//! What this module guarantees: a request of any shape ends as a value that passed its checks or as a sentence that names
//! the field and never its value; an optional field that is empty is not written; a field newer than the request's API
//! version is left out ([`ForVersion`]); nothing that may hold a secret shows it in `Debug`.

mod aftermath;
mod binding;
mod binding_parts;
mod catalog;
mod context;
mod decode;
mod error;
mod error_body;
mod id;
mod identity;
mod instance;
mod maintenance;
mod operation;
mod percent;
mod plan;
mod query;
mod secret;
mod version;
mod wire;

pub mod header;

pub use aftermath::Aftermath;
pub use binding::{BindRequest, BindingResponse, FetchBindingResponse, UnbindResponse};
pub use binding_parts::{BindResource, BindingMetadata, Endpoint, VolumeMount};
pub use catalog::{Catalog, DashboardClient, Service};
pub use context::Context;
pub use decode::{Request, decode, storable_id};
pub use error::Error;
pub use error_body::ErrorBody;
pub use id::{BindingId, InstanceId, OperationId, PlanId, PlatformName, ServiceId, Uid};
pub use identity::OriginatingIdentity;
pub use instance::{
    DeprovisionResponse, FetchInstanceResponse, InstanceMetadata, PreviousValues, ProvisionRequest, ProvisionResponse,
    UpdateRequest, UpdateResponse,
};
pub use maintenance::MaintenanceInfo;
pub use operation::{LastOperation, State};
pub use percent::{decode_segment, encode_component};
pub use plan::{BindingSchemas, InputParameters, InstanceSchemas, Plan, Schemas};
pub use query::{DeleteQuery, FetchQuery, LastOperationQuery, accepts_incomplete};
pub use secret::{Credentials, Parameters};
pub use version::ApiVersion;
pub use wire::{ForVersion, is_same, sentence};
