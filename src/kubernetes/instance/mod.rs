//! Instances: provision, update, deprovision.

use std::sync::Arc;

use kube::runtime::controller::Action;

use super::api::ServiceInstance;
use super::context::Context;
use super::turn::Turn;

/// One turn over an instance.
pub async fn reconcile(_: Arc<ServiceInstance>, _: Arc<Context>) -> Turn {
    Ok(Action::await_change())
}
