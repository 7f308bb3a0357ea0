//! Brokers of both scopes: their catalogs become classes and plans.
//!
//! What this module guarantees:
//! - the catalog is read when the spec changes (`svcat sync` raises a counter there), when its time is over, and soon after
//!   it changed where the broker gives entity tags; never more often than the pauses in `status.retry` allow;
//! - one bad service or plan is left out, with an event, and named in the `Ready` condition; the others are there;
//! - what a user made (no owner) is never changed but for its labels, and what another broker owns is never taken;
//! - what the broker does not offer any more is marked, and goes when no instance uses it ([`super::catalog`]).
//!
//! **Deletion.** Service Catalog let a broker go whatever used it, and stranded the instances. Here it waits, `Ready` is
//! `False` with the reason `InstancesExist` and their names, and its classes and plans stay, so that they can be
//! deprovisioned. The annotation `chandlery.dev/force-delete: "true"` lets it go at once: for a broker that will never
//! answer again; its instances must then be abandoned (`svcat deprovision --abandon`).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

mod catalog;
mod delete;
mod due;
mod report;
mod sync;
mod turn;
mod watch;

pub use turn::{reconcile, reread};
pub use watch::{Renewals, watching};

/// The annotation that lets a broker go although instances use it.
pub const FORCE_DELETE: &str = "chandlery.dev/force-delete";

/// The entity tags of catalogs, by the uid of the broker, and when each was last asked for. They are not kept over a
/// restart: then every catalog is read once, when its time comes.
#[derive(Default)]
pub struct Tags(Mutex<HashMap<String, (String, Instant)>>);

impl Tags {
    fn get(&self, uid: &str) -> Option<String> {
        self.all().get(uid).map(|(tag, _)| tag.clone())
    }

    /// How long ago the broker was asked; `None` if it gives no tags.
    fn asked(&self, uid: &str) -> Option<Duration> {
        self.all().get(uid).map(|(_, asked)| asked.elapsed())
    }

    fn put(&self, uid: &str, tag: Option<String>) {
        match tag {
            Some(tag) => drop(self.all().insert(uid.to_owned(), (tag, Instant::now()))),
            None => self.forget(uid),
        }
    }

    /// It is still the same.
    fn again(&self, uid: &str) {
        if let Some((_, asked)) = self.all().get_mut(uid) {
            *asked = Instant::now();
        }
    }

    fn forget(&self, uid: &str) {
        self.all().remove(uid);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, (String, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
