//! `chandlery keys list`: the ring, what each key holds, and who holds it.

use std::io::Write;

use crate::store::{PgPool, replica, reseal, ring_key};

/// Prints it.
pub async fn list(pool: &PgPool, out: &mut impl Write) -> anyhow::Result<()> {
    let replicas = replica::listed(pool).await?;
    let mut connection = pool.acquire().await?;
    for key in ring_key::listed(&mut *connection).await? {
        let values = reseal::count(&mut connection, key.id).await?;
        let holders = replicas.iter().filter(|replica| replica.ring_keys.contains(&key.id.uuid())).count();
        let users = replicas.iter().filter(|replica| replica.seals_with == key.id).count();
        writeln!(
            out,
            "{}  {:7}  {}  {values} values  held by {holders} of {} replicas, {users} seal under it  wrapped by {}",
            key.id,
            key.state,
            key.created_at.to_jiff().strftime("%Y-%m-%d %H:%M:%SZ"),
            replicas.len(),
            key.master
        )?;
    }
    for replica in replicas.iter().filter(|replica| !replica.lives) {
        writeln!(out, "replica {} ({}) has not been heard of for a minute", replica.host, replica.version)?;
    }
    Ok(())
}
