//! The leases this replica holds, renewed together in one statement.
//!
//! A turn's calls may start until its lease ends by this machine's monotonic clock, counted from *before* the statement
//! that granted it: the database's clock started later, so ours ends first. When a lease cannot be renewed the guard just
//! runs out; when the epoch has moved on (a DELETE superseded the operation) it is revoked, the call under way ends, no other
//! is sent, and the lease is handed back. The call is not cut off: it has perhaps reached AWS, and whoever comes next must
//! find what it did.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::Engine;
use crate::driver::Guard;
use crate::store;

/// How long to gather news of overtaken turns before leases are renewed because of them.
const COALESCE: Duration = Duration::from_millis(20);

/// The leases this replica holds.
#[derive(Clone, Default)]
pub(super) struct Leases(Arc<Mutex<HashMap<Uuid, Held>>>);

struct Held {
    epoch: i64,
    guard: Guard,
}

impl Leases {
    /// Takes a claim under renewal until the returned value is dropped.
    pub fn hold(&self, claim: &store::owner::Claim, granted: Instant, lease: Duration) -> Hold {
        let guard = Guard::until(granted + lease);
        self.lock().insert(claim.lease, Held { epoch: claim.epoch, guard: guard.clone() });
        Hold { leases: self.clone(), lease: claim.lease, guard }
    }

    /// Renews every lease now and then, and at once when one may have been overtaken; for ever.
    pub async fn keep(self, engine: &Engine) {
        let (lease, every) = (engine.0.parts.settings.lease, engine.0.parts.settings.renew);
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                // Many at once count as one.
                () = engine.0.parts.wake.any_overtaken() => tokio::time::sleep(COALESCE).await,
            }
            let held: Vec<(Uuid, i64)> = self.lock().iter().map(|(id, held)| (*id, held.epoch)).collect();
            if held.is_empty() {
                continue;
            }
            let asked = Instant::now();
            match store::owner::renew(engine.db(), &held, lease).await {
                Ok(renewed) => {
                    let leases = self.lock();
                    for (id, _) in held {
                        let Some(held) = leases.get(&id) else { continue };
                        if renewed.contains(&id) {
                            held.guard.extend(asked + lease);
                        } else {
                            held.guard.revoke();
                            engine.listener().lease_lost();
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "leases could not be renewed; calls stop when they run out"),
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lease under renewal.
pub(super) struct Hold {
    leases: Leases,
    lease: Uuid,
    /// Stands over every call of the turn.
    pub guard: Guard,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.leases.lock().remove(&self.lease);
        // Whatever outlives the turn makes no call any more.
        self.guard.revoke();
    }
}
