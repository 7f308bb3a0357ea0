//! Who is running.

use sqlx::PgExecutor;
use uuid::Uuid;

use super::Result;
use crate::osb::Uid;

/// Says that this replica lives and which ring keys it holds; forgets those unseen for an hour.
pub async fn beat(db: impl PgExecutor<'_>, id: Uuid, host: &str, version: &str, held: &[Uid]) -> Result<()> {
    let held: Vec<Uuid> = held.iter().map(|key| key.uuid()).collect();
    sqlx::query!(
        "WITH old AS (DELETE FROM replica WHERE seen_at < now() - interval '1 hour')
         INSERT INTO replica (id, host, version, ring_keys) VALUES ($1, $2, $3, $4)
         ON CONFLICT (id) DO UPDATE SET ring_keys = $4, seen_at = now()",
        id,
        host,
        version,
        &held,
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
