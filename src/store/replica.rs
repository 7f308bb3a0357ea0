//! Who is running.

use sqlx::PgExecutor;
use uuid::Uuid;

use super::Result;
use crate::osb::Uid;

/// What a replica says of itself.
#[derive(Clone, Debug)]
pub struct Replica<'a> {
    /// Its identity, as long as it runs.
    pub id: Uuid,
    /// Where it runs.
    pub host: &'a str,
    /// The program's version.
    pub version: &'a str,
    /// The ring keys it holds.
    pub ring_keys: &'a [Uid],
    /// The digests of the revisions it serves.
    pub revisions: &'a [String],
}

/// Says that this replica lives, and what it holds and serves; forgets those unseen for an hour.
pub async fn beat(db: impl PgExecutor<'_>, replica: &Replica<'_>) -> Result<()> {
    let held: Vec<Uuid> = replica.ring_keys.iter().map(|key| key.uuid()).collect();
    sqlx::query!(
        "WITH old AS (DELETE FROM replica WHERE seen_at < now() - interval '1 hour' AND id <> $1)
         INSERT INTO replica (id, host, version, ring_keys, revisions) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE SET ring_keys = $4, revisions = $5, seen_at = now()",
        replica.id,
        replica.host,
        replica.version,
        &held,
        replica.revisions,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Where this replica runs: the name of the pod or machine, as far as the environment tells.
pub fn host() -> String {
    std::env::var("HOSTNAME").unwrap_or_else(|_| "unknown".to_owned())
}

/// Says that this replica has ended.
pub async fn leave(db: impl PgExecutor<'_>, id: Uuid) -> Result<()> {
    sqlx::query!("DELETE FROM replica WHERE id = $1", id).execute(db).await?;
    Ok(())
}
