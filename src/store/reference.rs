//! References: which instances the parameters of others name (`refers_to`). A thing in AWS that another one needs must not go
//! first, or the other can never be changed again.
//!
//! What this guarantees: who begins to refer holds the instance's row and looks at it again, and who deletes an instance or
//! takes something from it asks under a lock that waits for all of those, so that of the two one sees the other.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::Result;
use crate::osb::Uid;

/// As a column holds them.
pub(super) fn column(refers_to: &[Uid]) -> Vec<Uuid> {
    refers_to.iter().map(|uid| uid.uuid()).collect()
}

/// Keeps instances from losing anything until the transaction ends. What they are has to be read after that, in another
/// statement: this one sees them as they were before it waited.
pub async fn hold(db: &mut PgConnection, refers_to: &[Uid]) -> Result<()> {
    sqlx::query!("SELECT uid FROM instance WHERE uid = ANY ($1) ORDER BY uid FOR KEY SHARE", &column(refers_to))
        .fetch_all(db)
        .await?;
    Ok(())
}

/// The ids of the other instances that refer to a locked one, or whose bindings do or whose updates want to. From now on, until the
/// transaction ends, none begins to.
pub async fn locked_referrers(db: &mut PgConnection, instance: Uid) -> Result<Vec<String>> {
    sqlx::query!("SELECT uid FROM instance WHERE uid = $1 FOR UPDATE", instance.uuid())
        .fetch_optional(&mut *db)
        .await?;
    referrers(db, instance).await
}

/// The ids of the other instances that refer to one, or whose bindings do or whose updates want to.
pub async fn referrers(db: impl PgExecutor<'_>, instance: Uid) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT i.id FROM instance i JOIN (
             SELECT uid FROM instance WHERE refers_to <> '{}' AND refers_to @> ARRAY[$1::uuid]
             UNION SELECT instance FROM binding
                   WHERE refers_to <> '{}' AND refers_to @> ARRAY[$1::uuid] AND state IN ('creating', 'ready')
             UNION SELECT owner FROM operation
                   WHERE state = 'in progress' AND refers_to <> '{}' AND refers_to @> ARRAY[$1::uuid]
           ) r ON r.uid = i.uid
           WHERE i.uid <> $1 AND i.state IN ('creating', 'ready') ORDER BY i.id"#,
        instance.uuid(),
    )
    .fetch_all(db)
    .await?)
}
