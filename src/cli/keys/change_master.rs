//! `chandlery keys change-master`: another master key, without touching a value.
//!
//! Only the ring's few keys are wrapped by the master key, so this is one short transaction. Replicas that run go on: they hold
//! the ring keys in the clear. They have to be restarted with the new master key before the ring is rotated the next time,
//! because they could not unwrap what the new one wraps; until then they would hold that rotation up, and say so in their logs.

use std::io::Write;

use anyhow::bail;

use crate::store::{PgPool, ring_key};
use crate::vault::{MasterKey, Vault};

/// Wraps all ring keys anew, or none.
pub async fn change_master(
    pool: &PgPool,
    old: &dyn MasterKey,
    new: &dyn MasterKey,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if old.id() == new.id() {
        bail!("the old and the new master key are the same one ({})", new.id());
    }
    let mut transaction = pool.begin().await?;
    // A ring key that a rotation adds at this moment would stay under the old master key.
    ring_key::lock(&mut transaction).await?;
    let ring = ring_key::all(&mut *transaction).await?;
    if ring.is_empty() {
        bail!("the ring is empty: no broker has started on this database yet, so just give it the new master key");
    }
    if ring.iter().all(|key| key.master == new.id()) {
        writeln!(out, "all {} ring keys are wrapped by {} already", ring.len(), new.id())?;
        return Ok(());
    }
    for key in &ring {
        ring_key::rewrap(&mut *transaction, &key.rewrap(old, new).await?).await?;
    }
    // What was written opens, or nothing is written.
    Vault::open(new, ring_key::all(&mut *transaction).await?).await?;
    transaction.commit().await?;
    writeln!(out, "{} ring keys are wrapped by {} now", ring.len(), new.id())?;
    writeln!(
        out,
        "give every replica the new master key and restart it; keep the old one as long as backups from before"
    )?;
    Ok(())
}
