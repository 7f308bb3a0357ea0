//! One replica works: the one that holds the Lease.
//!
//! What this module guarantees, as long as clocks run at about the same speed (they need not show the same time):
//! a successor begins only after the whole duration of the lease without a renewal, measured by its own clock from when it
//! saw the last one; the holder stops after three fifths of it, measured from the *start* of its last renewal that
//! succeeded. So there is a gap of two fifths in which nobody works, and it must outlast a call that was just sent.
//! What is sent on the very edge is harmless, too: every write to the API is bound to the version that was read
//! ([`super::write`]), and a broker answers the same request twice with the same thing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::PostParams;
use kube::{Api, ResourceExt};

use super::write::is_conflict;

/// A candidate.
pub struct Elector {
    /// The leases of the namespace.
    pub api: Api<Lease>,
    /// The lease's name.
    pub name: String,
    /// Our name.
    pub identity: String,
    /// How long it lasts.
    pub duration: Duration,
}

/// The lease is ours until a point in time that renewals move on. Clones share it.
#[derive(Clone, Debug)]
pub struct Held(Arc<Mutex<Instant>>);

impl Held {
    /// Held until then.
    pub fn until(end: Instant) -> Self {
        Self(Arc::new(Mutex::new(end)))
    }

    /// Whether work may be begun.
    pub fn is_held(&self) -> bool {
        Instant::now() < self.end()
    }

    fn end(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn extend(&self, end: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }
}

/// What a candidate saw of another one's lease.
struct Seen {
    version: Option<String>,
    since: Instant,
}

impl Elector {
    /// Waits until the lease is ours.
    pub async fn acquire(&self) -> Held {
        let mut seen: Option<Seen> = None;
        let mut told = false;
        loop {
            let begun = Instant::now();
            // What takes longer is worth nothing: the lease would be half over.
            match tokio::time::timeout(self.duration / 5, self.try_acquire(&mut seen)).await {
                Ok(Ok(true)) => return Held::until(begun + self.duration * 3 / 5),
                Ok(Ok(false)) | Err(_) => {}
                Ok(Err(error)) => {
                    // Once is enough in a log; readiness says it all the time.
                    if !told {
                        tracing::warn!(lease.name = self.name, "the lease cannot be had: {error}");
                    }
                    told = true;
                }
            }
            tokio::time::sleep(self.duration / 5).await;
        }
    }

    /// Renews it until that fails for too long; then it is lost and all work must have stopped.
    pub async fn keep(&self, held: &Held) {
        loop {
            tokio::time::sleep(self.duration / 5).await;
            let (begun, end) = (Instant::now(), held.end());
            if begun >= end {
                return;
            }
            match tokio::time::timeout(end - begun, self.renew()).await {
                Ok(Ok(true)) => held.extend(begun + self.duration * 3 / 5),
                Ok(Ok(false)) => {
                    held.extend(begun);
                    return;
                }
                Ok(Err(error)) => tracing::warn!(lease.name = self.name, "the lease is not renewed: {error}"),
                Err(_) => return,
            }
        }
    }

    /// Hands it back, so that a successor need not wait.
    pub async fn release(&self, held: &Held) {
        if !held.is_held() {
            return;
        }
        held.extend(Instant::now());
        let free = async {
            let mut lease = self.api.get(&self.name).await?;
            if self.is_ours(&lease) {
                lease.spec.get_or_insert_default().holder_identity = None;
                self.api.replace(&self.name, &PostParams::default(), &lease).await?;
            }
            Ok::<_, kube::Error>(())
        };
        if !matches!(tokio::time::timeout(self.duration / 5, free).await, Ok(Ok(()))) {
            tracing::warn!(lease.name = self.name, "the lease could not be handed back; it runs out by itself");
        }
    }

    async fn try_acquire(&self, seen: &mut Option<Seen>) -> Result<bool, kube::Error> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else {
            let mut lease = Lease::default();
            lease.metadata.name = Some(self.name.clone());
            lease.spec = Some(self.taken(None));
            return won(self.api.create(&PostParams::default(), &lease).await);
        };
        let version = lease.resource_version();
        let last = seen.take().filter(|seen| seen.version == version);
        let since = last.map_or_else(Instant::now, |last| last.since);
        let spec = lease.spec.clone().unwrap_or_default();
        let lasts =
            spec.lease_duration_seconds.map_or(self.duration, |s| Duration::from_secs(s.max(0).unsigned_abs().into()));
        let free = spec.holder_identity.as_deref().unwrap_or_default().is_empty();
        if !free && !self.is_ours(&lease) && since.elapsed() <= lasts {
            *seen = Some(Seen { version, since });
            return Ok(false);
        }
        lease.spec = Some(self.taken(Some(&spec)));
        won(self.api.replace(&self.name, &PostParams::default(), &lease).await)
    }

    async fn renew(&self) -> Result<bool, kube::Error> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else { return Ok(false) };
        if !self.is_ours(&lease) {
            return Ok(false);
        }
        lease.spec.get_or_insert_default().renew_time = Some(MicroTime(Timestamp::now()));
        self.api.replace(&self.name, &PostParams::default(), &lease).await.map(|_| true)
    }

    fn is_ours(&self, lease: &Lease) -> bool {
        lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_ref()) == Some(&self.identity)
    }

    fn taken(&self, former: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.duration.as_secs()).ok(),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(former.map_or(0, |former| former.lease_transitions.unwrap_or_default() + 1)),
            ..former.cloned().unwrap_or_default()
        }
    }
}

/// Another candidate was first: that is no error.
fn won(result: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if is_conflict(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
