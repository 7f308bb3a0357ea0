//! Claims due owners and runs their turns, a bounded number at a time, each lane with workers of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Broken, Engine, turn};
use crate::store::owner::{Caps, Claim};
use crate::store::{self, Lane};

/// How long an owner rests whose turn broke for a reason of ours. Short enough to notice a repair, long enough not to spin.
const BROKEN_REST: Duration = Duration::from_secs(30);

/// How many turns run per target.
#[derive(Default)]
pub(super) struct Targets(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    running: HashMap<String, usize>,
    /// How many turns have ended so far.
    left: u64,
}

impl Targets {
    fn enter(&self, target: &str) {
        *self.lock().running.entry(target.to_owned()).or_default() += 1;
    }

    fn leave(&self, target: &str) {
        let mut counts = self.lock();
        counts.left += 1;
        if let Some(count) = counts.running.get_mut(target) {
            *count -= 1;
            if *count == 0 {
                counts.running.remove(target);
            }
        }
    }

    fn count(&self, target: &str) -> usize {
        self.lock().running.get(target).copied().unwrap_or_default()
    }

    /// What runs at this moment, and how many turns have ended until then.
    fn running(&self) -> (Vec<(String, usize)>, u64) {
        let counts = self.lock();
        (counts.running.iter().map(|(target, count)| (target.clone(), *count)).collect(), counts.left)
    }

    fn left(&self) -> u64 {
        self.lock().left
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn that counts for its target as long as this lives.
struct Entered(Engine, String);

impl Entered {
    fn new(engine: &Engine, target: &str) -> Self {
        engine.0.targets.enter(target);
        Self(engine.clone(), target.to_owned())
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.0.targets.leave(&self.1);
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
    // Dropped with this future, and its tasks with it.
    let mut turns = JoinSet::new();
    let mut due = engine.0.parts.wake.due(lane);
    while !engine.is_stopping() {
        // Seen before looking, so that what is committed while we look is not slept over.
        due.mark_unchanged();
        let room = free.available_permits();
        let (running, left) = engine.0.targets.running();
        let busiest = running.iter().map(|(_, count)| *count).max().unwrap_or_default();
        let claimed = if room == 0 {
            Vec::new()
        } else {
            let granted = Instant::now();
            let limit = i64::try_from(room).unwrap_or(i64::MAX);
            let caps = match lane {
                Lane::Async => Caps { per_target: settings.per_target, running },
                // A request that waits is served whatever else goes on there.
                Lane::Sync => Caps { per_target: usize::MAX, running: Vec::new() },
            };
            let claims = store::owner::claim(engine.db(), lane, limit, settings.lease, settings.call_timeout, &caps);
            match claims.await {
                Ok(claims) => claims.into_iter().map(|claim| (claim, granted)).collect(),
                Err(error) => {
                    tracing::warn!(%error, "could not look for due work");
                    Vec::new()
                }
            }
        };
        while turns.try_join_next().is_some() {}
        // Fewer than there was room for: nothing else is due, or its target is at its cap, and whoever makes room there rings.
        let idle = claimed.len() < room || room == 0;
        let capped = room > 0 && busiest + claimed.len() >= settings.per_target;
        for (claim, granted) in claimed {
            let Ok(permit) = Arc::clone(&free).try_acquire_owned() else { break };
            let (engine, free) = (engine.clone(), Arc::clone(&free));
            let entered = Entered::new(&engine, &claim.target);
            turns.spawn(async move {
                let due_again = take_turn(&engine, lane, &claim, granted).await;
                let full = engine.0.targets.count(&claim.target) >= engine.0.parts.settings.per_target;
                let full = full || free.available_permits() == 0;
                drop((entered, permit));
                let wake = &engine.0.parts.wake;
                if due_again {
                    // By an operation that took the place of this one, perhaps in the other lane.
                    Lane::ALL.into_iter().for_each(|lane| wake.work_here(lane));
                } else if full {
                    // Whoever found no free worker or a target at its cap looks again. Otherwise nobody waits for this turn,
                    // and looking costs as much as one of its writes.
                    wake.work_here(lane);
                }
            });
        }
        // A turn that ended since its target was counted may have seen it below the cap, and not have rung.
        let missed = capped && engine.0.targets.left() != left;
        if idle && !missed {
            tokio::select! {
                _ = due.changed() => {}
                () = tokio::time::sleep(settings.poll) => {}
                () = engine.0.stopping.cancelled() => {}
            }
        }
    }
    turns.join_all().await;
}

/// The database was away: hands the lease back when it returns, so that nobody waits for it to run out.
async fn release_later(engine: Engine, claim: Claim, after: Option<Duration>) {
    let settings = &engine.0.parts.settings;
    let ends = Instant::now() + settings.lease + settings.call_timeout;
    while Instant::now() < ends {
        tokio::time::sleep(Duration::from_millis(500)).await;
        if store::owner::release(engine.db(), &claim, after).await.is_ok() {
            engine.0.parts.wake.work_somewhere();
            return;
        }
    }
}

/// Takes a turn and hands the lease back. Answers whether the owner is due again at once.
async fn take_turn(engine: &Engine, lane: Lane, claim: &Claim, granted: Instant) -> bool {
    let settings = &engine.0.parts.settings;
    engine.listener().claimed(lane.as_str());
    let hold = engine.0.leases.hold(claim, granted, settings.lease);
    let result = turn::run(engine, claim, &hold.guard).await;
    drop(hold);
    let (outcome, after) = match result {
        Ok(Some(after)) => ("waits", Some(after)),
        // The write that ended it has handed the lease back.
        Ok(None) => {
            engine.listener().turn(lane.as_str(), "ended");
            return false;
        }
        Err(Broken::Store(store::Error::Fenced)) => ("fenced", None),
        Err(Broken::LeaseLost) => ("fenced", Some(Duration::ZERO)),
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
    let due_again = match store::owner::release(engine.db(), claim, after).await {
        Ok(due_again) => due_again,
        Err(error) => {
            tracing::warn!(owner = %claim.owner, %error, "a lease could not be handed back; it is tried again");
            tokio::spawn(release_later(engine.clone(), claim.clone(), after));
            return false;
        }
    };
    // Not every wait need wait for the next poll.
    if let (Some(after), false) = (after.filter(|after| *after < settings.poll * 4), due_again) {
        let wake = engine.0.parts.wake.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            wake.work_here(lane);
        });
    }
    due_again
}
