//! The rule that no call outlives its lease, carried to where calls are made.
//!
//! The engine runs every driver method inside [`Guard::scope`]; whoever sends a request to the outside (an AWS client, a
//! database connection) asks [`Guard::permit`] right before each attempt. Drivers themselves need not know.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Fault;

tokio::task_local! {
    static CURRENT: Guard;
}

/// Until when calls may run. Shared between the engine, which extends it as the lease is renewed, and the callers.
#[derive(Clone, Debug)]
pub struct Guard {
    until: Arc<Mutex<Option<Instant>>>,
}

impl Guard {
    /// Calls may run until `until`, on this machine's monotonic clock.
    pub fn until(until: Instant) -> Self {
        Self { until: Arc::new(Mutex::new(Some(until))) }
    }

    /// The lease was renewed.
    pub fn extend(&self, until: Instant) {
        let mut held = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_some() {
            *held = Some(until);
        }
    }

    /// The lease is lost or the operation superseded: no call starts any more, for good.
    pub fn revoke(&self) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether calls may still start.
    pub fn is_live(&self) -> bool {
        self.until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| until > Instant::now())
    }

    /// Whether a call that may take up to `longest` could start now.
    pub fn outlasts(&self, longest: Duration) -> bool {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| until >= Instant::now() + longest)
    }

    /// Runs `future` with this guard over every call made inside it.
    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        CURRENT.scope(self.clone(), future).await
    }

    /// Asked right before a call that may take up to `longest`. Outside any scope (command-line tools) every call may start.
    pub fn permit(longest: Duration) -> Result<(), Fault> {
        CURRENT
            .try_with(|guard| {
                let until = *guard.until.lock().unwrap_or_else(PoisonError::into_inner);
                match until {
                    Some(until) if until >= Instant::now() + longest => Ok(()),
                    _ => {
                        Err(Fault::transient("this worker's lease ends before the call could: another worker goes on"))
                    }
                }
            })
            .unwrap_or(Ok(()))
    }
}
