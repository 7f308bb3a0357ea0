//! The nine routes: each decodes, calls one use case and encodes.

mod binding;
mod catalog;
mod instance;

pub use binding::{bind, binding_operation, fetch_binding, unbind};
pub use catalog::catalog;
pub use instance::{deprovision, fetch_instance, instance_operation, provision, update};
