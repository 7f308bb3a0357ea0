//! What a poll reads: one operation, by one prepared statement.

use sqlx::PgExecutor;

use super::{OperationKind, OperationState, Result};
use crate::osb::{BindingId, InstanceId, OperationId, PlatformName};

/// What a poll reads.
#[derive(Clone, Debug)]
pub struct Polled {
    /// The operation that answers.
    pub id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// How far it is.
    pub state: OperationState,
    /// In words.
    pub description: String,
    /// Seconds.
    pub retry_after: i32,
    /// See OSB's `instance_usable`.
    pub instance_usable: Option<bool>,
    /// See OSB's `update_repeatable`.
    pub update_repeatable: Option<bool>,
    /// The operation that the platform named was stopped by this one.
    pub named_superseded: bool,
}

/// The operation a platform asks about: the one it names if that still counts (also when the id is in use again), else the
/// newest of the instance.
pub async fn instance(
    db: impl PgExecutor<'_>,
    platform: &PlatformName,
    id: &InstanceId,
    named: Option<OperationId>,
) -> Result<Option<Polled>> {
    Ok(sqlx::query_as!(
        Polled,
        r#"SELECT o.id, o.kind AS "kind: OperationKind", o.state AS "state: OperationState", o.description, o.retry_after,
                  o.instance_usable, o.update_repeatable,
                  EXISTS (SELECT FROM operation s WHERE s.id = $3 AND s.owner = o.owner AND s.state = 'superseded')
                  AS "named_superseded!"
           FROM instance i JOIN operation o ON o.owner = i.uid
           WHERE i.platform = $1 AND i.id = $2 AND o.kind NOT IN ('refresh', 'cleanup')
           ORDER BY COALESCE(o.id = $3 AND o.state <> 'superseded', false) DESC, (i.state = 'deleted'), i.deleted_at DESC,
                    o.created_at DESC
           LIMIT 1"#,
        platform.as_str(),
        id.as_str(),
        named.map(OperationId::uuid),
    )
    .fetch_optional(db)
    .await?)
}

/// The same for a binding.
pub async fn binding(
    db: impl PgExecutor<'_>,
    platform: &PlatformName,
    instance: &InstanceId,
    id: &BindingId,
    named: Option<OperationId>,
) -> Result<Option<Polled>> {
    Ok(sqlx::query_as!(
        Polled,
        r#"SELECT o.id, o.kind AS "kind: OperationKind", o.state AS "state: OperationState", o.description, o.retry_after,
                  o.instance_usable, o.update_repeatable,
                  EXISTS (SELECT FROM operation s WHERE s.id = $4 AND s.owner = o.owner AND s.state = 'superseded')
                  AS "named_superseded!"
           FROM instance i JOIN binding b ON b.instance = i.uid JOIN operation o ON o.owner = b.uid
           WHERE i.platform = $1 AND i.id = $2 AND b.id = $3 AND o.kind NOT IN ('refresh', 'cleanup')
           ORDER BY COALESCE(o.id = $4 AND o.state <> 'superseded', false) DESC, (i.state = 'deleted'), i.deleted_at DESC,
                    (b.state = 'deleted'), b.deleted_at DESC, o.created_at DESC
           LIMIT 1"#,
        platform.as_str(),
        instance.as_str(),
        id.as_str(),
        named.map(OperationId::uuid),
    )
    .fetch_optional(db)
    .await?)
}
