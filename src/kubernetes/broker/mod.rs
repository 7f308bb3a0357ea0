//! Brokers of both scopes.

use std::sync::Arc;

use kube::runtime::controller::Action;

use super::context::Context;
use super::scope::Scope;
use super::turn::Turn;

/// The entity tags of catalogs.
#[derive(Default)]
pub struct Tags;

/// One turn over a broker.
pub async fn reconcile<S: Scope>(_: Arc<S::Broker>, _: Arc<Context>) -> Turn {
    Ok(Action::await_change())
}
