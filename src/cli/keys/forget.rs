//! `chandlery keys forget`: a ring key that nothing needs any more goes.

use std::io::Write;

use anyhow::bail;

use crate::osb::Uid;
use crate::store::PgPool;
use crate::store::ring_key::{self, Kept};

/// Deletes it, unless something is or may yet be sealed under it.
pub async fn forget(pool: &PgPool, id: Uid, out: &mut impl Write) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?;
    match ring_key::forget(&mut connection, id).await? {
        Ok(()) => {
            writeln!(out, "{id} is forgotten; backups from before still need it, and hold it")?;
            Ok(())
        }
        Err(Kept::Unknown) => bail!("there is no ring key {id}; `chandlery keys list` lists them"),
        Err(Kept::NotRetired) => bail!("ring key {id} is not retired: rotate first, then reseal"),
        Err(Kept::SealedUnder(replicas)) => bail!(
            "{replicas} replicas have not said yet that they seal under another one; try again in half a minute (a replica \
             that was killed is forgotten after an hour)"
        ),
        Err(Kept::Holds(values)) => bail!("{values} values are sealed under it; `chandlery keys reseal` moves them"),
    }
}
