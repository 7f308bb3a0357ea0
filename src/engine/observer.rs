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
    /// A turn has ended.
    fn turn(&self, _took: Duration) {}
    /// A write was refused because the owner has moved on.
    fn fenced(&self) {}
    /// A lease could not be renewed in time.
    fn lease_lost(&self) {}
    /// An operation has ended: its kind and whether it succeeded.
    fn finished(&self, _kind: &'static str, _succeeded: bool) {}
}

/// Listens to nothing.
#[derive(Debug)]
pub struct Silent;

impl Observer for Silent {}

/// A shared listener.
pub type Listener = Arc<dyn Observer>;
