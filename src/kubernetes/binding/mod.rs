//! Bindings: bind, write the Secret, unbind.

use std::sync::Arc;

use kube::runtime::controller::Action;

use super::api::ServiceBinding;
use super::context::Context;
use super::turn::Turn;

/// One turn over a binding.
pub async fn reconcile(_: Arc<ServiceBinding>, _: Arc<Context>) -> Turn {
    Ok(Action::await_change())
}
