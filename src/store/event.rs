//! The append-only log: every step of every operation.

use jiff_sqlx::Timestamp;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::Result;
use crate::osb::{OperationId, Uid};

/// One line of the log.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its place in the log.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// The operation it belongs to.
    pub operation: Uuid,
    /// Who: a platform, `engine`, `operator`.
    pub actor: String,
    /// A word or two for machines.
    pub what: String,
    /// The resource's key.
    pub resource: Option<String>,
    /// In words.
    pub message: String,
    /// For operators only.
    pub detail: Option<String>,
    /// How long the step took, in milliseconds.
    pub took_ms: Option<i64>,
}

/// Appends a line that is no step of a turn: what a platform or an operator did.
pub async fn append(
    db: impl PgExecutor<'_>,
    owner: Uid,
    operation: OperationId,
    actor: &str,
    what: &str,
    message: &str,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO event (owner, operation, actor, what, message) VALUES ($1, $2, $3, $4, $5)",
        owner.uuid(),
        operation.uuid(),
        actor,
        what,
        message,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The log of an owner after line `after`, oldest first, `limit` lines at most.
pub async fn of_owner(db: impl PgExecutor<'_>, owner: Uid, after: i64, limit: i64) -> Result<Vec<Event>> {
    Ok(sqlx::query_as!(
        Event,
        "SELECT id, at, operation, actor, what, resource, message, detail, took_ms FROM event
         WHERE owner = $1 AND id > $2 ORDER BY id LIMIT $3",
        owner.uuid(),
        after,
        limit,
    )
    .fetch_all(db)
    .await?)
}
