//! Claims due owners and runs their turns, a bounded number at a time, each lane with workers of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::{Broken, Engine, turn};
use crate::store::owner::Claim;
use crate::store::{self, Lane};

/// How long an owner rests whose turn broke for a reason of ours. Short enough to notice a repair, long enough not to spin.
const BROKEN_REST: Duration = Duration::from_secs(30);

/// How many turns run per target.
#[derive(Default)]
pub(super) struct Targets(Mutex<HashMap<String, usize>>);

impl Targets {
    fn enter(&self, target: &str) {
        *self.lock().entry(target.to_owned()).or_default() += 1;
    }

    fn leave(&self, target: &str) {
        let mut counts = self.lock();
        if let Some(count) = counts.get_mut(target) {
            *count -= 1;
            if *count == 0 {
                counts.remove(target);
            }
        }
    }

    fn at_cap(&self, cap: usize) -> Vec<String> {
        self.lock().iter().filter(|(_, count)| **count >= cap).map(|(target, _)| target.clone()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves a lane until the engine stops, then waits for its turns to end.
pub(super) async fn run(engine: &Engine, lane: Lane) {
    let settings = &engine.0.parts.settings;
    let workers = match lane {
        Lane::Async => settings.workers,
        Lane::Sync => settings.sync_workers,
    };
    let free = Arc::new(Semaphore::new(workers));
    let turns = TaskTracker::new();
    while !engine.is_stopping() {
        // Registered before looking, so that what is committed while we look is not slept over.
        let due = engine.0.parts.wake.due();
        let claimed = if free.available_permits() == 0 {
            Vec::new()
        } else {
            let granted = Instant::now();
            let limit = i64::try_from(free.available_permits()).unwrap_or(i64::MAX);
            // The cap per target holds per claim, too: no more of one target than it has room for.
            let limit = limit.min(i64::try_from(settings.per_target).unwrap_or(i64::MAX));
            let saturated = match lane {
                Lane::Async => engine.0.targets.at_cap(settings.per_target),
                Lane::Sync => Vec::new(),
            };
            let claims =
                store::owner::claim(engine.pool(), lane, limit, settings.lease, settings.call_timeout, &saturated);
            match claims.await {
                Ok(claims) => claims.into_iter().map(|claim| (claim, granted)).collect(),
                Err(error) => {
                    tracing::warn!(%error, "could not look for due work");
                    Vec::new()
                }
            }
        };
        let idle = claimed.is_empty();
        for (claim, granted) in claimed {
            let Ok(permit) = Arc::clone(&free).try_acquire_owned() else { break };
            let engine = engine.clone();
            engine.0.targets.enter(&claim.target);
            turns.spawn(async move {
                take_turn(&engine, lane, &claim, granted).await;
                engine.0.targets.leave(&claim.target);
                drop(permit);
                // Whoever found no free worker or a target at its cap looks again.
                engine.0.parts.wake.work_here();
            });
        }
        if idle {
            tokio::select! {
                () = due => {}
                () = tokio::time::sleep(settings.poll) => {}
                () = engine.0.stopping.cancelled() => {}
            }
        }
    }
    turns.close();
    turns.wait().await;
}

async fn take_turn(engine: &Engine, lane: Lane, claim: &Claim, granted: Instant) {
    let settings = &engine.0.parts.settings;
    engine.listener().claimed(lane.as_str());
    let hold = engine.0.leases.hold(claim, granted, settings.lease);
    let result = turn::run(engine, claim, &hold.guard).await;
    drop(hold);
    let (outcome, after) = match result {
        Ok(Some(after)) => ("waits", Some(after)),
        Ok(None) => ("ended", None),
        Err(Broken::Store(store::Error::Fenced)) => ("fenced", None),
        Err(Broken::Store(error)) => {
            tracing::warn!(owner = %claim.owner, error = &error as &dyn std::error::Error, "a turn ended early");
            ("broken", Some(Duration::from_secs(1)))
        }
        Err(Broken::Defect(defect)) => {
            tracing::error!(owner = %claim.owner, defect, "a turn broke; it is tried again");
            ("broken", Some(BROKEN_REST))
        }
    };
    engine.listener().turn(lane.as_str(), outcome);
    if let Err(error) = store::owner::release(engine.pool(), claim, after).await {
        // It runs out by itself.
        tracing::warn!(owner = %claim.owner, %error, "a lease could not be handed back");
        return;
    }
    // Not every wait need wait for the next poll.
    if let Some(after) = after.filter(|after| *after < settings.poll * 4) {
        let wake = engine.0.parts.wake.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            wake.work_here();
        });
    }
}
