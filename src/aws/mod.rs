//! AWS as drivers see it: clients per target, every call under the lease's guard, every failure a [`Fault`].
//!
//! [`Sessions`] is made once. `sessions.of(&target)` gives the [`Session`] of an account, region and role; its clients are
//! built when first asked for and cheap to clone. No driver sets a time-out, a retry or an endpoint of its own, and none
//! can send a request that the lease does not cover ([`crate::driver::Guard`]).
//!
//! [`Fault`]: crate::driver::Fault

mod assume;
mod error;
mod kms;
mod kms_key;
mod policy;
mod sessions;
mod transport;

pub use error::{OrFault, code, fault, is_new_principal_unknown, scrub};
pub use kms::KmsMasterKey;
pub use kms_key::check_key_region;
pub(crate) use policy::IAM_PATH;
pub use policy::{Scope, least_privilege};
pub use sessions::{Caller, Session, Sessions, Settings};
pub use transport::{CallObserver, Outcome};
