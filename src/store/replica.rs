//! Who is running.

use sqlx::PgExecutor;
use uuid::Uuid;

use super::Result;
use crate::osb::Uid;

/// Says that this replica lives, which ring keys it holds and which one it seals under; forgets those unseen for an hour.
pub async fn beat(
    db: impl PgExecutor<'_>,
    id: Uuid,
    host: &str,
    version: &str,
    held: &[Uid],
    seals_with: Uid,
) -> Result<()> {
    let held: Vec<Uuid> = held.iter().map(|key| key.uuid()).collect();
    sqlx::query!(
        "WITH old AS (DELETE FROM replica WHERE seen_at < now() - interval '1 hour')
         INSERT INTO replica (id, host, version, ring_keys, seals_with) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE SET ring_keys = $4, seals_with = $5, seen_at = now()",
        id,
        host,
        version,
        &held,
        seals_with.uuid(),
    )
    .execute(db)
    .await?;
    Ok(())
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
