//! What the engine tells about itself while it works: metrics listen, and tests stop a worker at any of these points.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::driver::Class;

/// Listens to the engine. The methods are called in line: one that does not return holds its turn.
#[async_trait]
pub trait Observer: Send + Sync + 'static {
    /// A write is about to be made.
    async fn before_write(&self, _what: &'static str) {}
    /// A write was committed.
    async fn after_write(&self, _what: &'static str) {}
    /// A driver is about to be called.
    async fn before_call(&self, _kind: &str) {}
    /// A driver's call has failed.
    fn fault(&self, _kind: &str, _class: Class) {}
    /// An owner was claimed for a turn in that lane.
    fn claimed(&self, _lane: &'static str) {}
    /// A turn has ended: `waits`, `ended`, `fenced` or `broken`.
    fn turn(&self, _lane: &'static str, _outcome: &'static str) {}
    /// A write was refused because the owner has moved on.
    fn fenced(&self) {}
    /// A lease could not be renewed in time.
    fn lease_lost(&self) {}
    /// An operation has ended, so long after it was accepted.
    fn finished(&self, _kind: &'static str, _offering: &str, _succeeded: bool, _took: Duration) {}
    /// How many operations run, over all replicas, and how long the most overdue owner has waited.
    fn backlog(&self, _in_progress: u64, _oldest_due: Duration) {}
    /// How many keys the vault's ring holds.
    fn ring_keys(&self, _keys: usize) {}
}

/// Listens to nothing.
#[derive(Debug)]
pub struct Silent;

impl Observer for Silent {}

/// A shared listener.
pub type Listener = Arc<dyn Observer>;
