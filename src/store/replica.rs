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
    /// The one of them that it seals under.
    pub seals_with: Uid,
    /// The digests of the revisions it serves.
    pub revisions: &'a [String],
}

/// Says that this replica lives, and what it holds and serves; forgets those unseen for an hour.
pub async fn beat(db: impl PgExecutor<'_>, replica: &Replica<'_>) -> Result<()> {
    let held: Vec<Uuid> = replica.ring_keys.iter().map(|key| key.uuid()).collect();
    sqlx::query!(
        "WITH old AS (DELETE FROM replica WHERE seen_at < now() - interval '1 hour' AND id <> $1)
         INSERT INTO replica (id, host, version, ring_keys, revisions, seals_with) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (id) DO UPDATE SET ring_keys = $4, revisions = $5, seals_with = $6, seen_at = now()",
        replica.id,
        replica.host,
        replica.version,
        &held,
        replica.revisions,
        replica.seals_with.uuid(),
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

/// A replica as operators see it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Which machine it is on.
    pub host: String,
    /// Its version.
    pub version: String,
    /// Which ring keys it holds.
    pub ring_keys: Vec<Uuid>,
    /// Which one it seals under.
    pub seals_with: Uid,
    /// It was heard of within the last minute.
    pub lives: bool,
}

/// Every replica heard of within the last hour that has not said good-bye.
pub async fn listed(db: impl PgExecutor<'_>) -> Result<Vec<Listed>> {
    Ok(sqlx::query_as!(
        Listed,
        r#"SELECT host, version, ring_keys, seals_with, seen_at > now() - interval '1 minute' AS "lives!" FROM replica
           ORDER BY started_at"#
    )
    .fetch_all(db)
    .await?)
}
