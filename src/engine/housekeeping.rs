//! What every replica does now and then: say that it lives, take over ring keys, forget old tombstones.

use std::time::Duration;

use super::{Broken, Engine};
use crate::store;
use crate::store::replica::Replica;

const BEAT: Duration = Duration::from_secs(10);

/// Every how many beats old tombstones are looked for: ten minutes.
const FORGET_EVERY: u32 = 60;

/// How many tombstones go at a time, so that no transaction grows long.
const FORGET_AT_ONCE: i64 = 500;

/// Keeps house for ever.
pub(super) async fn keep(engine: &Engine) {
    for beat in 0u32.. {
        if let Err(error) = keep_once(engine, beat % FORGET_EVERY == FORGET_EVERY - 1).await {
            tracing::warn!(%error, "housekeeping failed; it is tried again");
        }
        tokio::time::sleep(BEAT).await;
    }
}

async fn keep_once(engine: &Engine, forget: bool) -> Result<(), Broken> {
    let parts = &engine.0.parts;
    for key in store::ring_key::all(&parts.pool).await? {
        if parts.vault.holds(key.id) {
            continue;
        }
        match parts.vault.add(parts.master.as_ref(), &key).await {
            Ok(()) => tracing::info!(key = %key.id, "took over a ring key"),
            // The heartbeat goes on, and says that this replica lacks the key: silence would count as death, and a key that
            // this replica cannot open would be used.
            Err(error) => {
                tracing::error!(key = %key.id, %error, "a new ring key cannot be taken over; it is tried again")
            }
        }
    }
    let revisions: Vec<String> =
        parts.shelf.current().offerings().iter().map(|revision| revision.digest.clone()).collect();
    let replica = Replica {
        id: parts.replica,
        host: &store::replica::host(),
        version: env!("CARGO_PKG_VERSION"),
        ring_keys: &parts.vault.held(),
        seals_with: parts.vault.active(),
        revisions: &revisions,
    };
    store::replica::beat(&parts.pool, &replica).await?;
    let mut connection = parts.pool.acquire().await.map_err(store::Error::from)?;
    // A new key is used only once every replica holds it.
    if let Some(active) = store::ring_key::promote(&mut connection).await?
        && active != parts.vault.active()
        && parts.vault.holds(active)
    {
        parts.vault.activate(active)?;
        tracing::info!(key = %active, "sealing under a new ring key");
    }
    engine.listener().ring_keys(parts.vault.held().len());
    let (running, oldest) = store::operation::backlog(&mut *connection).await?;
    let oldest = Duration::try_from_secs_f64(oldest).unwrap_or_default();
    engine.listener().backlog(u64::try_from(running).unwrap_or_default(), oldest);
    if forget {
        let forgotten = store::instance::forget(&mut connection, parts.settings.tombstones, FORGET_AT_ONCE).await?;
        if forgotten > 0 {
            tracing::info!(forgotten, "forgot old tombstones");
        }
    }
    Ok(())
}

/// Says good-bye, so that key rotation does not wait for this replica.
pub(super) async fn leave(engine: &Engine) {
    if let Err(error) = store::replica::leave(engine.db(), engine.0.parts.replica).await {
        tracing::debug!(%error, "could not sign off; other replicas notice within a minute");
    }
}
