//! Accepted versions of offering files.

use sqlx::PgExecutor;

use super::Result;
use crate::osb::{PlanId, ServiceId};

/// A version of an offering file, to be recorded.
#[derive(Debug)]
pub struct NewRevision<'a> {
    /// SHA-256 of the source, hex.
    pub digest: &'a str,
    /// The offering's id.
    pub service_id: &'a ServiceId,
    /// The ids of its plans.
    pub plan_ids: &'a [String],
    /// The offering's name.
    pub name: &'a str,
    /// The file's text.
    pub source: &'a str,
}

/// Records a version; one that is known stays as it is.
pub async fn accept(db: impl PgExecutor<'_>, new: &NewRevision<'_>) -> Result<()> {
    sqlx::query!(
        "INSERT INTO revision (digest, service_id, plan_ids, name, source) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (digest) DO NOTHING",
        new.digest,
        new.service_id.as_str(),
        new.plan_ids,
        new.name,
        new.source,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The text of a version and the offering's name.
pub async fn source(db: impl PgExecutor<'_>, digest: &str) -> Result<Option<(String, String)>> {
    let row = sqlx::query!("SELECT name, source FROM revision WHERE digest = $1", digest).fetch_optional(db).await?;
    Ok(row.map(|row| (row.name, row.source)))
}

/// The newest version with this plan that some live replica serves: it may have loaded it before we did. A version that
/// nobody serves any more takes no orders.
pub async fn with_plan(db: impl PgExecutor<'_>, service: &ServiceId, plan: &PlanId) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!(
        "SELECT digest FROM revision WHERE service_id = $1 AND $2 = ANY(plan_ids)
         AND EXISTS (SELECT FROM replica WHERE seen_at > now() - interval '1 minute' AND digest = ANY(revisions))
         ORDER BY accepted_at DESC LIMIT 1",
        service.as_str(),
        plan.as_str(),
    )
    .fetch_optional(db)
    .await?)
}
